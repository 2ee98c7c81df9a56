//! A handle: sends messages and requests to a client that runs in a task.

use std::fmt;
use std::time::Duration;

use gateway_core::{CloseFrame, ConnectionState, GiveUpCause, Network, Statistics, Verdict};
use gateway_wire::{
    Accepted, End, EndKind, Endpoint, Message, Name, OnReadyError, Repeat, RequestError,
    ResponseHeaders, SendError, Space, Status,
};

use super::error::{HandleError, HandleErrorKind};
use super::permit::Permit;
use super::request::Asking;
use super::send::Place;
use super::shared::Shared;
use super::standing::Watch;
use super::states::States;
use crate::sync::Arc;

/// Sends messages and requests to a client in a background task. All clones use the same client.
///
/// A call has changed the client when it returns. A lock guards the client, and each call holds it for
/// a short time. The client's task does the IO. The calls also work on threads without a runtime.
///
/// **Under the lock** runs this code of the application's: its observer, its dialect, its
/// [`Correlator`](crate::Correlator), the methods of its [`Transport`](crate::Transport),
/// [`Dial::abort`](crate::Dial::abort) and [`Dial::fails_whole`](crate::Dial::fails_whole), and the
/// function of [`wall_clock`](crate::Builder::wall_clock). It must not block. From within it, every
/// call fails:
/// `send` with [`Reentrant`](gateway_core::SendRejection::Reentrant), others with
/// [`HandleErrorKind::Reentrant`](crate::HandleErrorKind::Reentrant). The calls that return no error
/// need no lock, and work there, too. If this code panics, the client's task is gone.
///
/// **If the client's task is gone**, every call fails with `Gone`: it left its
/// [`Fleet`](crate::Fleet), its runtime was shut down, or code that runs under the lock panicked.
/// [`Events`](crate::Events) still yields the events that wait, with the outcomes of all accepted
/// messages, and then `None`.
///
/// ```no_run
/// use gateway_tokio::{Client, ClientEvent};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (handle, mut events) = Client::builder("ws://127.0.0.1:9001").build()?.spawn();
/// while let Some(event) = events.next().await {
///     if let ClientEvent::Message(message) = event {
///         if let Err(refused) = handle.send(message).await {
///             println!("{refused}"); // not connected; the error contains the message
///         }
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// The first handle. The client counts it already.
    pub(super) const fn first(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Sends a message, and returns its number. The client's task writes the message when it next
    /// runs, together with others that were sent meanwhile.
    ///
    /// Waits while the write buffer is full, and while others wait: first come, first served. A
    /// future that waits and is not polled holds up those behind it. Each `send` counts against the
    /// budget of tokio's cooperative scheduling, so a task that sends in a loop lets others run.
    ///
    /// With an [`Outbox`](crate::Outbox), it accepts messages also while the connection is not ready,
    /// and returns [`Accepted::Queued`]. With a [`Rate`](crate::Rate), it waits for its turn.
    ///
    /// Each accepted message has exactly one outcome. The outcome is Sent, unless a
    /// [`ClientEvent::Outcome`](crate::ClientEvent::Outcome) reports another one. This is so even if
    /// the client's task goes before it has written the message. The messages of one task arrive in
    /// the order in which it sent them.
    ///
    /// Cancel-safe: if you drop the future before it completes, the message is not sent.
    ///
    /// # Errors
    /// Each error returns the message:
    ///
    /// - `NotReady`: the connection is not ready, or the socket was lost while `send` waited. `send`
    ///   may fail before you receive `Disconnected`.
    /// - `Closed`: the client is draining, or the connection is closing or CLOSED.
    /// - [`Stalled`](gateway_core::SendRejection::Stalled): the write buffer is full, and the
    ///   transport took no byte for [`send_stall`](crate::Builder::send_stall). All messages that
    ///   waited are returned. The peer may be waiting until you receive events.
    /// - [`OutcomesUnread`](gateway_core::SendRejection::OutcomesUnread): more than 4,096 ranges of
    ///   outcomes are unread. Receive events, then send the message again.
    /// - [`OutboxFull`](gateway_core::SendRejection::OutboxFull): the outbox is full and
    ///   [refuses](crate::Outbox::refuse_newest) new messages, or the message is longer than all of
    ///   it.
    /// - `Gone` and `Reentrant`: see [`Handle`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        let message = message.into();
        let sent = Place::new(&self.shared).send(&message).await;
        sent.map_err(|why| SendError::new(why, message).named(self.shared.name().cloned()))
    }

    /// The same as [`send`](Self::send), but never waits.
    ///
    /// # Errors
    /// Each error returns the message. The errors are those of [`send`](Self::send), and two more, if
    /// `send` would wait:
    ///
    /// - [`WriteBlocked`](gateway_core::SendRejection::WriteBlocked): the write buffer is full, or
    ///   others wait for it.
    /// - [`Paced`](gateway_core::SendRejection::Paced): the rate limit allows no message now.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        let message = message.into();
        let sent = self.shared.try_send(&message);
        sent.map_err(|why| SendError::new(why, message).named(self.shared.name().cloned()))
    }

    /// Reserves space in the write buffer for one message of at most `bytes` bytes. The message is
    /// accepted when the permit sends it, and gets its number then. So you can wait for space first,
    /// and decide afterwards what to send.
    ///
    /// Waits as [`send`](Self::send) does, in the same queue. It does not wait for the connection:
    /// while there is none, only other permits take space. A permit stays valid over a reconnect.
    /// With a [`Rate`](crate::Rate), it also waits for a token, and the permit holds that token.
    /// While permits are held, others find less space and fewer tokens, so do not hold many for long.
    /// A task that holds permits for the whole buffer, or all tokens, and then calls `send` or
    /// `reserve`, waits for itself without end.
    ///
    /// Cancel-safe: if you drop the future before it completes, nothing is reserved.
    ///
    /// ```no_run
    /// # async fn example(handle: gateway_tokio::Handle) -> Result<(), Box<dyn std::error::Error>> {
    /// let permit = handle.reserve(1_000).await?;
    /// permit.send("the newest price, and not the one from before the wait")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Closed`, `Stalled`, `Gone` or `Reentrant`, with the meaning that they have for
    /// [`send`](Self::send).
    pub async fn reserve(&self, bytes: usize) -> Result<Permit, HandleError> {
        let reserved = Place::new(&self.shared).reserve(Space::of(bytes)).await;
        reserved.map_err(|kind| self.shared.error(kind))?;
        Ok(Permit::new(self.clone(), bytes))
    }

    /// Makes a request, and returns its answer. The client puts an id into the message and looks for
    /// it in what the server sends, as the [`Correlator`](crate::Correlator) of
    /// [`requests`](crate::Builder::requests) says. The answer is not among the events. Any number of
    /// tasks may wait at a time, up to [`Limits::requests`](crate::Limits::requests).
    ///
    /// The server may have carried out a request whose answer did not come.
    /// [`RequestError::is_maybe_sent`] says whether that is possible. `timeout` also covers the
    /// wait for the [rate limit](crate::Rate).
    ///
    /// Cancel-safe: the request is made at the first poll. If you drop the future later, the request
    /// ends. Its message may have been sent, and the answer is then an ordinary message.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use gateway_tokio::{Client, JsonCorrelator};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::builder("wss://gateway.example/rpc").requests(JsonCorrelator::new("/id")?);
    /// let (handle, _events) = client.build()?.spawn();
    /// handle.ready().await?;
    /// let call = r#"{"jsonrpc":"2.0","method":"time","params":[]}"#;
    /// let answer = handle.request(call, Duration::from_secs(5)).await?;
    /// println!("{:?}", answer.as_text());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The [kind](RequestError::kind) says why there is no answer:
    ///
    /// - `NotReady`: the connection is not ready.
    /// - `NotSent`, `MaybeSent`: the connection was lost or closed before the answer came.
    /// - `TimedOut`: the answer did not come within `timeout`.
    /// - `Full`: there are as many requests as [`Limits::requests`](crate::Limits::requests).
    /// - `Correlation`: the message cannot hold an id. `NoCorrelator`: the builder has no
    ///   [`requests`](crate::Builder::requests).
    /// - `Closed`: the client is draining, or the connection is closing or CLOSED.
    /// - `Gone` and `Reentrant`: see [`Handle`].
    pub async fn request(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::Never).await
    }

    /// The same as [`request`](Self::request), but waits until the connection is ready. For a
    /// request that the server must not carry out twice, such as an order: it is sent at most once.
    /// If the connection is lost before any byte of it was written, it waits for the next one.
    /// After that it ends with [`MaybeSent`](gateway_wire::RequestErrorKind::MaybeSent).
    ///
    /// # Errors
    /// Those of [`request`](Self::request), without `NotReady`. `NotSent` comes only if the
    /// connection was closed.
    pub async fn request_when_ready(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::WhileUnsent).await
    }

    /// The same as [`request`](Self::request), for a request that the server may carry out twice: it
    /// waits until the connection is ready, and is sent again after each reconnect.
    ///
    /// # Errors
    /// Those of [`request`](Self::request), without `NotReady`. `NotSent` and `MaybeSent` come only
    /// if the connection was closed. `Full` also comes if these requests have more bytes than
    /// [`Limits::request_bytes`](crate::Limits::request_bytes).
    pub async fn request_idempotent(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::OnReconnect).await
    }

    async fn ask(
        &self,
        message: Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<Message, RequestError> {
        let answer = match Asking::begin(&self.shared, message, timeout, repeat) {
            Ok(asking) => asking.answer().await,
            Err(why) => Err(why.into()),
        };
        answer.map_err(|why| RequestError::new(why, self.shared.name().cloned()))
    }

    /// Returns the state of the connection; CLOSED if the client's task is gone.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.shared.standing().state()
    }

    /// Whether the connection is ready: open, and logged in. False while the client
    /// [drains](Self::drain). With an [`Outbox`](crate::Outbox), the client also accepts messages
    /// while the connection is not ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.standing().is_ready()
    }

    /// Waits until the connection [is ready](Self::is_ready). Returns at once if it is so now. It
    /// may be lost again before your next call. While the client drains, this waits for the end.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// How the client ended, if it is CLOSED or becomes CLOSED meanwhile; or
    /// [`EndKind::Reentrant`](crate::EndKind::Reentrant).
    pub async fn ready(&self) -> Result<(), End> {
        let mut watch = Watch::new(&self.shared);
        let ready = watch.until(|looked| match looked {
            None => Some(Err(self.shared.end_of(EndKind::Gone))),
            Some((session, _)) if session.is_ready() => Some(Ok(())),
            Some((session, _)) => session.end().map(Err),
        });
        ready.await.unwrap_or_else(|| Err(self.shared.end_of(EndKind::Reentrant)))
    }

    /// Waits until the client is CLOSED and every socket is dropped, and returns how it ended. The
    /// outcomes of all messages are then among the events. Returns at once if the client is CLOSED
    /// now, and with [`EndKind::Reentrant`](crate::EndKind::Reentrant) under the lock.
    ///
    /// Cancel-safe.
    pub async fn closed(&self) -> End {
        let mut watch = Watch::new(&self.shared);
        let closed = watch.until(|looked| match looked {
            None => Some(self.shared.end_of(EndKind::Gone)),
            Some((session, _)) => session.end(),
        });
        closed.await.unwrap_or_else(|| self.shared.end_of(EndKind::Reentrant))
    }

    /// Returns a watch of the connection's state.
    #[must_use]
    pub fn states(&self) -> States {
        States::new(Arc::clone(&self.shared))
    }

    /// Returns a snapshot of the client, taken under one lock. Between two other calls, such as
    /// [`is_ready`](Self::is_ready) and [`statistics`](Self::statistics), the client may change; the
    /// fields of a snapshot belong together.
    ///
    /// ```no_run
    /// # fn example(handle: gateway_tokio::Handle) -> Result<(), gateway_tokio::HandleError> {
    /// let status = handle.status()?;
    /// println!("ready: {}, {} reconnects", status.is_ready, status.statistics.reconnects);
    /// if let Some(wait) = status.retry_in {
    ///     println!("{}, retry in {wait:?}", status.state);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn status(&self) -> Result<Status, HandleError> {
        self.shared.inspect(|engine| engine.status())
    }

    /// Returns the connection's statistics so far.
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn statistics(&self) -> Result<Statistics, HandleError> {
        self.shared.inspect(|engine| engine.statistics())
    }

    /// Returns why the client gave up the connection, if it did.
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn gave_up(&self) -> Result<Option<GiveUpCause>, HandleError> {
        self.shared.inspect(|engine| engine.session().gave_up())
    }

    /// Returns the subprotocol that the server chose on the socket that opened last.
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn subprotocol(&self) -> Result<Option<String>, HandleError> {
        self.shared.inspect(|engine| engine.subprotocol().map(str::to_owned))
    }

    /// Returns the header fields of the server's last answer 101. There are none before the first.
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn response_headers(&self) -> Result<ResponseHeaders, HandleError> {
        self.shared.inspect(|engine| engine.response_headers().clone())
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.shared.name().map(Name::as_str)
    }

    /// Returns the endpoint that the client connects to, without the changes of a provider's request.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.shared.endpoint()
    }

    /// Connects at once if the client is waiting to retry, or if it is closing or CLOSED; see
    /// [`Client::connect`](crate::Client::connect). [`Events`](crate::Events) then yields events
    /// again. It does not stop a drain: wait for its end first.
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`]. `Gone` also if the client is leaving its
    /// [`Fleet`](crate::Fleet).
    pub fn connect(&self) -> Result<(), HandleError> {
        self.shared.request_socket(|engine| engine.request_connect())
    }

    /// Replaces the socket on purpose; see [`Client::reconnect`](crate::Client::reconnect).
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`]. `Gone` also if the client is leaving its
    /// [`Fleet`](crate::Fleet).
    pub fn reconnect(&self) -> Result<(), HandleError> {
        self.shared.request_socket(|engine| engine.request_reconnect())
    }

    /// Sets the message of this key. It is sent each time the connection becomes ready, before your
    /// other messages, and now if the connection is ready. It replaces the key's earlier message. It
    /// has no number and no outcome.
    ///
    /// # Errors
    /// There are too many of them, or they are too long: see [`Limits`](gateway_wire::Limits). Or
    /// `Gone` or `Reentrant`.
    pub fn set_on_ready(&self, key: &str, message: impl Into<Message>) -> Result<(), OnReadyError> {
        let message = message.into();
        let copy = message.clone(); // what is dropped under the lock is not the last of its payload
        let set = self.shared.request(|engine| engine.set_on_ready(key, copy));
        drop(message);
        set.unwrap_or_else(|error| Err(on_ready_error(error.kind())))
    }

    /// Removes the message of this key. Returns whether there was one. Nothing is sent.
    ///
    /// # Errors
    /// `Gone` or `Reentrant`.
    pub fn remove_on_ready(&self, key: &str) -> Result<bool, OnReadyError> {
        let removed = self.shared.request(|engine| engine.remove_on_ready(key));
        removed.map_err(|error| on_ready_error(error.kind()))
    }

    /// Starts to close the connection. The Close frame follows the messages that were sent.
    /// Messages that wait for space are returned to their senders.
    ///
    /// To wait for the end, await [`closed`](Self::closed).
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn close(&self, frame: CloseFrame<'_>) -> Result<(), HandleError> {
        self.shared.request(|engine| engine.close(frame))
    }

    /// Closes the connection once everything has left, and all requests have ended; see
    /// [`Client::drain`](crate::Client::drain). Waits until it is CLOSED, and returns how it ended.
    /// Messages that wait for space or the rate limit are returned to their senders.
    ///
    /// Cancel-safe: it starts at the first poll. If you drop the future later, the client goes on to
    /// drain, also if you drop the handle and the events.
    pub async fn drain(&self, frame: CloseFrame<'_>, within: Duration) -> End {
        match self.shared.request(|engine| engine.drain(frame, within)) {
            Ok(()) => self.closed().await,
            Err(error) => self.shared.end_of(end_kind(error.kind())),
        }
    }

    /// Reports that the running login was accepted; see
    /// [`Client::login_accepted`](crate::Client::login_accepted).
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn login_accepted(&self) -> Result<(), HandleError> {
        self.shared.request(|engine| engine.login_accepted())
    }

    /// Reports that the running login was refused, or that an accepted login is no longer valid;
    /// see [`Client::login_rejected`](crate::Client::login_rejected).
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn login_rejected(&self, verdict: Verdict) -> Result<(), HandleError> {
        self.shared.request(|engine| engine.login_rejected(verdict))
    }

    /// Reports a hint from the operating system: the network is back, or gone; see
    /// [`Client::network_changed`](crate::Client::network_changed).
    ///
    /// # Errors
    /// `Gone` or `Reentrant`; see [`Handle`].
    pub fn network_changed(&self, network: Network) -> Result<(), HandleError> {
        self.shared.request(|engine| engine.network_changed(network))
    }

    /// Stops or resumes reading, as the client does while its application takes no events. For
    /// tests.
    #[doc(hidden)]
    pub fn hold(&self, held: bool) -> Result<(), HandleError> {
        self.shared.request(|engine| engine.hold(held))
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.shared.add_user();
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.remove_user();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("name", &self.name())
            .field("endpoint", self.endpoint())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// How a client ended that no call reaches.
const fn end_kind(kind: HandleErrorKind) -> EndKind {
    match kind {
        HandleErrorKind::Reentrant => EndKind::Reentrant,
        HandleErrorKind::Gone | HandleErrorKind::Closed | HandleErrorKind::Stalled => EndKind::Gone,
    }
}

const fn on_ready_error(kind: HandleErrorKind) -> OnReadyError {
    match kind {
        HandleErrorKind::Reentrant => OnReadyError::Reentrant,
        HandleErrorKind::Gone | HandleErrorKind::Closed | HandleErrorKind::Stalled => {
            OnReadyError::Gone
        }
    }
}
