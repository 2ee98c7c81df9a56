//! Uses a client from other threads, through a bounded mailbox that wakes it at once.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use gateway_core::{
    CloseFrame, ConnectionState, GiveUpCause, Network, SendRejection, Statistics, Verdict,
};
use gateway_wire::{
    Accepted, End, EndKind, Endpoint, Message, Name, OnReadyError, Repeat, RequestError,
    ResponseHeaders, SendError, Space, Status,
};

use crate::inside::is_inside;
use crate::mailbox::{Answer, Control, Facts, Letter, Mailbox, Setting};
use crate::permit::{Permit, ReserveError};
use crate::states::States;

/// Sends messages and requests to a [`Client`](crate::Client) from another thread. All clones use
/// the same client.
///
/// A `Sender` wakes a client that waits in [`recv`](crate::Client::recv) at once. A client that is
/// busy elsewhere processes the request when you next ask it for an event.
///
/// On the thread that owns the client, [`Sender::send`] would deadlock. Use the client's own
/// methods there. That thread may [enqueue](Self::enqueue) messages while the mailbox has space. It
/// must then ask for events before it waits for receipts.
///
/// **An observer, a dialect or a correlator must not wait.** Within one, of any client, each call that
/// would wait fails instead: with [`SendRejection::Reentrant`],
/// [`ReserveErrorKind::Reentrant`](crate::ReserveErrorKind::Reentrant) or [`EndKind::Reentrant`].
/// [`try_send`](Self::try_send) never waits, and requests such as [`close`](Self::close) do not wait
/// there.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use gateway_std::Client;
/// use gateway_std::core::CloseFrame;
///
/// let mut client = Client::builder("ws://127.0.0.1:9001").build()?;
/// while !client.is_ready() && client.recv().is_some() {} // until then, `send` fails
/// let sender = client.sender();
/// std::thread::spawn(move || {
///     for line in std::io::stdin().lines().map_while(Result::ok) {
///         if let Err(refused) = sender.send(line) {
///             eprintln!("{refused}"); // the error contains the message
///         }
///     }
///     sender.close(CloseFrame::NORMAL);
/// });
/// for event in &mut client {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sender {
    mailbox: Arc<Mailbox>,
}

impl Sender {
    pub(crate) const fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    #[cfg(test)]
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Passes a message to the client, and returns its number once the client has accepted it into
    /// its write buffer. Waits while the mailbox (256 messages, 1 MiB) or the write buffer is full.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready, is closing, or is CLOSED, or if the
    /// client was dropped ([`Gone`](SendRejection::Gone)). It also returns the message if the write
    /// buffer is full and the transport took no byte for
    /// [`send_stall`](crate::Builder::send_stall), or if more than 4,096 ranges of outcomes are
    /// unread.
    ///
    /// If an observer panics while the client accepts the message, the message is lost:
    /// the error is `Gone` and its message is empty.
    pub fn send(&self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        if is_inside() {
            return Err(self.mailbox.refusal(SendRejection::Reentrant, message.into()));
        }
        self.enqueue(message)?.wait()
    }

    /// Passes a message to the client, and returns a [`Receipt`] without waiting for the result.
    /// Waits while the mailbox is full. [`send`](Self::send) wakes the client for each message. If
    /// you enqueue many messages, and then wait for their receipts together, they may wake it only
    /// once.
    ///
    /// # Errors
    /// Returns the message if the connection is CLOSED, its events are taken, and no one has asked to
    /// [connect](Self::connect), or if the client was dropped ([`Gone`](SendRejection::Gone)). The
    /// receipt returns all other errors.
    pub fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, SendError> {
        let (letter, outcome) = Letter::new(message.into());
        self.mailbox.post(letter)?;
        Ok(Receipt::new(Arc::clone(&self.mailbox), outcome))
    }

    /// The same as [`enqueue`](Self::enqueue), but never waits.
    ///
    /// The `try_send` of a spawned client of `gateway-tokio` returns the message's number. Here only
    /// the thread that drives the client can accept the message, so the [`Receipt`] returns the
    /// number.
    ///
    /// # Errors
    /// Returns the message if the mailbox is full
    /// ([`WriteBlocked`](SendRejection::WriteBlocked)), if the connection is CLOSED and
    /// its events are taken, or if the client was dropped ([`Gone`](SendRejection::Gone)). The
    /// receipt returns all other errors.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<Receipt, SendError> {
        let (letter, outcome) = Letter::new(message.into());
        self.mailbox.try_post(letter)?;
        Ok(Receipt::new(Arc::clone(&self.mailbox), outcome))
    }

    /// Reserves space in the write buffer for one message of at most `bytes` bytes. The message is
    /// accepted when the permit sends it, and gets its number then. So you can wait for space first,
    /// and decide afterwards what to send.
    ///
    /// Waits as [`send`](Self::send) does, in the same queue. It does not wait for the connection:
    /// while there is none, there is space. A permit stays valid over a reconnect. With a
    /// [`Rate`](crate::Rate), it also waits for a token, and the permit holds that token. While permits
    /// are held, others find less space and fewer tokens, so do not hold many for long.
    ///
    /// On the thread that owns the client, this would deadlock.
    ///
    /// ```no_run
    /// # fn example(sender: gateway_std::Sender) -> Result<(), Box<dyn std::error::Error>> {
    /// let permit = sender.reserve(1_000)?;
    /// permit.send("the newest price, and not the one from before the wait")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`Closed`](crate::ReserveErrorKind::Closed): the connection is closing or CLOSED.
    /// - [`Stalled`](crate::ReserveErrorKind::Stalled): the write buffer is full, and the transport
    ///   took no byte for [`send_stall`](crate::Builder::send_stall).
    /// - [`Gone`](crate::ReserveErrorKind::Gone): the client was dropped.
    /// - [`Reentrant`](crate::ReserveErrorKind::Reentrant): the call came from within an observer or
    ///   a dialect.
    pub fn reserve(&self, bytes: usize) -> Result<Permit, ReserveError> {
        self.mailbox.reserve(Space::of(bytes))?;
        Ok(Permit::new(Arc::clone(&self.mailbox), bytes))
    }

    /// Makes a request, and returns its answer; see [`Client::request`](crate::Client::request).
    /// Another thread must ask the client for events meanwhile. The request overtakes messages that
    /// are still [enqueued](Self::enqueue). `timeout` also covers the wait for the client.
    ///
    /// # Errors
    /// The errors of [`Client::request`](crate::Client::request), and `Gone` or `Reentrant`.
    pub fn request(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::Never)
    }

    /// The same as [`request`](Self::request), but waits until the connection is ready. For a
    /// request that the server must not carry out twice, such as an order: it is sent at most once.
    /// If the connection is lost before any byte of it was written, it waits for the next one.
    /// After that it ends with [`MaybeSent`](gateway_wire::RequestErrorKind::MaybeSent).
    ///
    /// # Errors
    /// The errors of [`Client::request_when_ready`](crate::Client::request_when_ready), and `Gone`
    /// or `Reentrant`.
    pub fn request_when_ready(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::WhileUnsent)
    }

    /// The same as [`request`](Self::request), for a request that the server may carry out twice: it
    /// waits until the connection is ready, and is sent again after each reconnect.
    ///
    /// # Errors
    /// The errors of [`Client::request_idempotent`](crate::Client::request_idempotent), and `Gone`
    /// or `Reentrant`.
    pub fn request_idempotent(
        &self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::OnReconnect)
    }

    fn ask(
        &self,
        message: Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<Message, RequestError> {
        let answer = self.mailbox.request(message, timeout, repeat);
        answer.map_err(|why| RequestError::new(why, self.mailbox.name.clone()))
    }

    /// Returns the state of the connection, as it was when the client last did something; CLOSED if
    /// the client was dropped.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.mailbox.lock().standing.state
    }

    /// Whether the connection is ready (open, and logged in), or was so when the client last did
    /// something. False while the client [drains](Self::drain). With an [`Outbox`](crate::Outbox),
    /// the client also accepts messages while the connection is not ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.mailbox.lock().standing.is_ready
    }

    /// Waits until the connection [is ready](Self::is_ready). Returns at once if it is so now.
    /// Another thread must ask the client for events meanwhile. While the client drains, this waits
    /// for the end. After [`connect`](Self::connect), it waits for the new connection, even if the
    /// client is still CLOSED.
    ///
    /// # Errors
    /// How the client ended, if it is CLOSED or becomes CLOSED meanwhile, or if it is dropped.
    pub fn ready(&self) -> Result<(), End> {
        let ready = self.mailbox.wait_until(|standing, _| match standing.end {
            Some(end) => Some(Err(self.mailbox.ended(end))),
            None => standing.is_ready.then_some(Ok(())),
        });
        ready.unwrap_or_else(|| Err(self.mailbox.ended(EndKind::Reentrant)))
    }

    /// Waits until the client is CLOSED and every socket is dropped, or until it is dropped, and
    /// returns how it ended. Another thread must ask the client for events meanwhile. After
    /// [`connect`](Self::connect), it waits for the end of the new connection.
    #[must_use]
    pub fn closed(&self) -> End {
        let end = self.mailbox.wait_until(|standing, _| standing.end);
        self.mailbox.ended(end.unwrap_or(EndKind::Reentrant))
    }

    /// Returns a watch of the connection's state.
    #[must_use]
    pub fn states(&self) -> States {
        States::new(Arc::clone(&self.mailbox))
    }

    /// Returns a snapshot of the client, for example for a health endpoint. Waits as
    /// [`statistics`](Self::statistics) does.
    ///
    /// # Errors
    /// [`Gone`](gateway_wire::EndKind::Gone) if the client was dropped.
    pub fn status(&self) -> Result<Status, End> {
        self.mailbox.facts().map(|facts| facts.status)
    }

    /// Returns the connection's statistics so far. Waits until the client is asked for an event, as
    /// [`send`](Self::send) does. If the connection is CLOSED and its events are taken, returns the
    /// last ones at once.
    ///
    /// # Errors
    /// [`Gone`](gateway_wire::EndKind::Gone) if the client was dropped.
    pub fn statistics(&self) -> Result<Statistics, End> {
        self.mailbox.facts().map(|facts| facts.status.statistics)
    }

    /// Returns why the client gave up the connection, if it did. Waits as
    /// [`statistics`](Self::statistics) does.
    ///
    /// # Errors
    /// [`Gone`](gateway_wire::EndKind::Gone) if the client was dropped.
    pub fn gave_up(&self) -> Result<Option<GiveUpCause>, End> {
        self.mailbox.facts().map(|facts| facts.status.gave_up)
    }

    /// Returns the subprotocol that the server chose on the socket that opened last. Waits as
    /// [`statistics`](Self::statistics) does.
    ///
    /// # Errors
    /// [`Gone`](gateway_wire::EndKind::Gone) if the client was dropped.
    pub fn subprotocol(&self) -> Result<Option<String>, End> {
        self.mailbox.facts().map(|facts| facts.subprotocol)
    }

    /// Returns the header fields of the server's last answer 101. There are none before the first.
    /// Waits as [`statistics`](Self::statistics) does.
    ///
    /// # Errors
    /// [`Gone`](gateway_wire::EndKind::Gone) if the client was dropped.
    pub fn response_headers(&self) -> Result<ResponseHeaders, End> {
        self.mailbox.facts().map(|facts| facts.response_headers)
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.mailbox.name.as_ref().map(Name::as_str)
    }

    /// Returns the endpoint that the client connects to, without the changes of a provider's request.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.mailbox.endpoint
    }

    /// Starts to close the connection. This overtakes messages in the mailbox.
    pub fn close(&self, frame: CloseFrame<'_>) {
        self.mailbox.ask(Control::Close(frame.code(), frame.reason().to_owned()));
    }

    /// Closes the connection once everything has left; see
    /// [`Client::drain`](crate::Client::drain). Messages that were [enqueued](Self::enqueue) before are
    /// accepted first, as far as there is space. Waits until the client is CLOSED, and returns how it
    /// ended. Another thread must ask the client for events meanwhile.
    pub fn drain(&self, frame: CloseFrame<'_>, within: Duration) -> End {
        self.mailbox.ask(Control::Drain(frame.code(), frame.reason().to_owned(), within));
        self.closed()
    }

    /// Connects at once if the client has not started, if it is waiting to retry, or if it is
    /// closing or CLOSED; see [`Client::connect`](crate::Client::connect). A client that is not
    /// waiting for an event connects when you next ask it for one. A client that is leaving its
    /// [`Fleet`](crate::Fleet) does not connect.
    pub fn connect(&self) {
        self.mailbox.ask(Control::Connect);
    }

    /// Replaces the socket on purpose; see [`Client::reconnect`](crate::Client::reconnect). A client
    /// that is leaving its [`Fleet`](crate::Fleet) does not reconnect.
    pub fn reconnect(&self) {
        self.mailbox.ask(Control::Reconnect);
    }

    /// Replaces the socket, also if the connection is closing or CLOSED. Never waits.
    pub(crate) fn restart(&self) {
        self.mailbox.ask_now(Control::Restart);
    }

    /// Asks for a snapshot of the client, without waiting for it. `None` if it does not answer now.
    pub(crate) fn ask_status(&self) -> Option<AskedStatus> {
        self.mailbox.ask_facts().map(AskedStatus)
    }

    /// Sets the message of this key. It is sent each time the connection becomes ready, before your
    /// other messages, and now if the connection is ready. It replaces the key's earlier message. It
    /// has no number and no outcome. Waits until the client is asked for an event, as
    /// [`statistics`](Self::statistics) does.
    ///
    /// # Errors
    /// There are too many of them, or they are too long: see [`Limits`](gateway_wire::Limits). Or
    /// `Closed`, `Gone` or `Reentrant`.
    pub fn set_on_ready(
        &self,
        key: impl Into<String>,
        message: impl Into<Message>,
    ) -> Result<(), OnReadyError> {
        let setting = Setting { key: key.into(), message: Some(message.into()) };
        self.mailbox.set_on_ready(setting).map(drop)
    }

    /// Removes the message of this key. Returns whether there was one. Nothing is sent. Waits as
    /// [`set_on_ready`](Self::set_on_ready) does.
    ///
    /// # Errors
    /// `Closed`, `Gone` or `Reentrant`.
    pub fn remove_on_ready(&self, key: impl Into<String>) -> Result<bool, OnReadyError> {
        self.mailbox.set_on_ready(Setting { key: key.into(), message: None })
    }

    /// Reports that the running login was accepted; see
    /// [`Client::login_accepted`](crate::Client::login_accepted).
    pub fn login_accepted(&self) {
        self.mailbox.ask(Control::LoginAccepted);
    }

    /// Reports that the running login was refused, or that an accepted login is no longer valid;
    /// see [`Client::login_rejected`](crate::Client::login_rejected).
    pub fn login_rejected(&self, verdict: Verdict) {
        self.mailbox.ask(Control::LoginRejected(verdict));
    }

    /// Reports a hint from the operating system: the network is back, or gone; see
    /// [`Client::network_changed`](crate::Client::network_changed).
    pub fn network_changed(&self, network: Network) {
        self.mailbox.ask(Control::Network(network));
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("name", &self.name())
            .field("endpoint", self.endpoint())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// A snapshot that a client was asked for.
pub(crate) struct AskedStatus(Receiver<Facts>);

impl AskedStatus {
    /// Waits for it, at most for so long.
    pub(crate) fn wait(self, timeout: Duration) -> Option<Status> {
        self.0.recv_timeout(timeout).ok().map(|facts| facts.status)
    }
}

/// The pending result of a message that was [enqueued](Sender::enqueue).
///
/// Dropping the receipt does not take the message back: the client still tries to send the message,
/// but you do not learn whether it was accepted.
#[must_use = "only the receipt returns a refusal"]
pub struct Receipt {
    mailbox: Arc<Mailbox>,
    outcome: Receiver<Answer>,
}

impl Receipt {
    pub(crate) const fn new(mailbox: Arc<Mailbox>, outcome: Receiver<Answer>) -> Self {
        Self { mailbox, outcome }
    }

    /// Waits until the client has accepted the message into its write buffer, and returns its
    /// number.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready, is closing, or is CLOSED, or if the
    /// client was dropped ([`Gone`](SendRejection::Gone)). It also returns the message if the write
    /// buffer is full and the transport took no byte for
    /// [`send_stall`](crate::Builder::send_stall), or if more than 4,096 ranges of outcomes are
    /// unread.
    ///
    /// If an observer panics while the client accepts the message, the message is lost:
    /// the error is `Gone` and its message is empty. The message is empty, too, if the error is
    /// [`Reentrant`](SendRejection::Reentrant), but then the client still tries to send it.
    pub fn wait(self) -> Result<Accepted, SendError> {
        let lost = |why| Err(self.mailbox.refusal(why, Message::text("")));
        match self.outcome.try_recv() {
            Ok(answer) => return answer,
            Err(TryRecvError::Empty) if is_inside() => return lost(SendRejection::Reentrant),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        // Without an answer, the client was unwinding when it had the message.
        self.outcome.recv().unwrap_or_else(|_| lost(SendRejection::Gone))
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").finish_non_exhaustive()
    }
}
