//! The client: drives one engine on the thread that calls it. No channel, no policy.

mod mail;
mod member;

use std::fmt;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use gateway_core::{
    CloseFrame, ConnectionState, GiveUpCause, Instant, Network, SendRejection, Statistics, Verdict,
};
use gateway_wire::{
    Accepted, ClientEvent, End, EndKind, Endpoint, Engine, FlushError, FlushErrorKind, Message,
    Name, NoAnswer, OnReadyError, Prefix, Progress, ProxyServer, Repeat, RequestError,
    RequestErrorKind, RequestId, ResponseHeaders, SendError, Session, Status,
};
use thiserror::Error;

use crate::builder::Builder;
use crate::mailbox::{Mailbox, Standing};
use crate::os::Os;
use crate::sender::Sender;
use crate::system::System;

/// A WebSocket connection that stays up, for as long as you ask it for events.
///
/// The client is an [`Iterator`] of events: call [`recv`](Self::recv) or `next`. It connects at the
/// first call. It does all its work inside these calls and [`send`](Self::send): heartbeat,
/// reconnect, login and close. To use it from other threads, create a [`Sender`].
///
/// **Ask it for events.** A client that you do not ask for events sends no heartbeat and does not
/// reconnect. The next call first reads what has arrived meanwhile, and then evaluates deadlines.
/// While events are waiting, the client looks at its deadlines and at other threads' requests only
/// with every eighth event. If your application takes a second for each event, heartbeat and
/// requests are up to eight seconds late.
///
/// **Dropping it** aborts the connection, and the peer sees close code 1006. For a close handshake,
/// call [`close`](Self::close) and take events until `None`.
///
/// ```no_run
/// use gateway_std::{Client, ClientEvent, core::Notice};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::builder("wss://gateway.example/feed").build()?;
/// let sender = client.sender();
/// for event in &mut client {
///     match event {
///         ClientEvent::Notice(Notice::Ready { .. }) => {
///             let sender = sender.clone();
///             std::thread::spawn(move || sender.send("hello from another thread"));
///         }
///         ClientEvent::Message(message) => println!("{:?}", message.as_text()),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a client does nothing unless it is asked for events"]
pub struct Client<S: System = Os> {
    engine: Engine<S>,
    endpoint: Endpoint,
    proxy: Option<Arc<ProxyServer>>,
    mailbox: Arc<Mailbox>,
    /// What senders were last shown.
    standing: Standing,
    wakeups: u64,
    /// The requests of other threads, and where their answers go.
    asked: Vec<Asked>,
    /// Whether the client leaves its fleet. It then opens no socket.
    is_leaving: bool,
}

/// A request of another thread.
struct Asked {
    request: RequestId,
    answer: SyncSender<Result<Message, NoAnswer>>,
    /// Whether the thread still waits: it holds the other end.
    is_awaited: Weak<()>,
}

/// The timeout passed without an event. The error's text begins with the client's name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}no event came before the timeout; ask again", Prefix(.name.as_ref()))]
pub struct TimedOut {
    name: Option<Name>,
}

impl TimedOut {
    /// Of the events of many clients.
    pub(crate) const fn unnamed() -> Self {
        Self { name: None }
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(Name::as_str)
    }
}

/// The result of a flush that has stalled.
const STALLED: Poll<Result<(), FlushErrorKind>> = Poll::Ready(Err(FlushErrorKind::Stalled));

impl Client {
    /// Starts a builder with a `ws://` or `wss://` URL.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }
}

impl<S: System> Client<S> {
    pub(crate) fn new(
        session: Session,
        endpoint: Endpoint,
        proxy: Option<Arc<ProxyServer>>,
        system: S,
    ) -> Self {
        let standing = Standing::of(&session);
        let mailbox = Arc::new(Mailbox::new(system.waker(), endpoint.clone(), &session));
        Self {
            engine: Engine::new(session, system),
            endpoint,
            proxy,
            mailbox,
            standing,
            wakeups: 0,
            asked: Vec::new(),
            is_leaving: false,
        }
    }

    /// Waits for the next event. Returns `None` once the connection is CLOSED and you have received
    /// every event.
    pub fn recv(&mut self) -> Option<ClientEvent> {
        let _ = self.wait_until(None); // without a timeout this cannot fail
        self.take_event()
    }

    /// Waits for the next event, but at most for `timeout`. Zero returns an event that has already
    /// come. Returns `None` once the connection is CLOSED and you have received every event.
    ///
    /// # Errors
    /// [`TimedOut`] if no event came in that time. No event is lost.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<ClientEvent>, TimedOut> {
        let until = self.engine.host().now().saturating_add(timeout);
        self.wait_until(Some(until))?;
        Ok(self.take_event())
    }

    /// Sends a message, and returns its number.
    ///
    /// The client writes the message at once, unless it has received messages that you have not yet
    /// taken with [`recv`](Self::recv). In that case it collects what you send, and writes it
    /// together: before its next read, or once it is 16 KiB. So a plain loop of `recv` and `send`
    /// makes few system calls. A single `send` is written without any further call.
    ///
    /// While the write buffer is full, `send` waits, and keeps the heartbeat. It also goes on
    /// reading, until the received messages that you have not taken reach
    /// [`Limits::backlog`](crate::Limits::backlog). Space that other threads have
    /// [reserved](Sender::reserve) is not free, so do not hold a permit on this thread.
    ///
    /// With an [`Outbox`](crate::Outbox), it accepts messages also while the connection is not ready,
    /// and returns [`Accepted::Queued`]. With a [`Rate`](crate::Rate), it waits for its turn.
    ///
    /// Each accepted message has exactly one outcome. The outcome is Sent, unless a
    /// [`ClientEvent::Outcome`] reports another one.
    ///
    /// # Errors
    /// Each error returns the message:
    ///
    /// - The connection is not ready, or is closing. `send` may fail before you receive
    ///   `Disconnected`; keep taking events.
    /// - [`Stalled`](gateway_core::SendRejection::Stalled): the write buffer is full, and the
    ///   transport took no byte for [`send_stall`](Builder::send_stall). The peer may be waiting
    ///   until you read what it sent. Take events with [`recv`](Self::recv), then send the message
    ///   again.
    /// - [`OutcomesUnread`](gateway_core::SendRejection::OutcomesUnread): more than 4,096 ranges of
    ///   outcomes are unread. Take events, then send the message again.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        // A thread that sends without a pause must also serve other threads' messages. It does so
        // first, so that they do not take the space that it is about to wait for.
        self.engine.tell_time(); // first: a token that is there by now is for those that wait
        let _ = self.open_mail();
        if self.engine.session().is_full()
            && let Err(stalled) = self.wait_for_turn()
        {
            let name = self.engine.session().name().cloned();
            return Err(SendError::new(stalled, message.into()).named(name));
        }
        let accepted = self.engine.send(message.into())?;
        if let Some(position) = self.engine.write_sent() {
            self.drive(|session| session.is_send_over(position));
            self.end_wait(self.engine.session().poll_flushed(position) == STALLED);
        }
        Ok(accepted)
    }

    /// Appends a message to the write buffer, and returns its number. It never waits, and does not
    /// write. The next call of [`recv`](Self::recv), [`send`](Self::send) or [`flush`](Self::flush)
    /// writes all such messages together.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready or is closing, if the write buffer is
    /// full or reserved ([`WriteBlocked`](gateway_core::SendRejection::WriteBlocked)), if the rate
    /// limit allows no message now ([`Paced`](gateway_core::SendRejection::Paced)), or if more than
    /// 4,096 ranges of outcomes are unread.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        self.engine.send(message.into())
    }

    /// Writes and flushes all messages that were in the write buffer before this call. Does not wait
    /// for messages that other threads send meanwhile. Returns at once if no socket is open. Messages
    /// that wait in the [`Outbox`](crate::Outbox) stay there: to send these, too,
    /// [`drain`](Self::drain) the client, or ask for events until its [status](Self::status) shows
    /// none.
    ///
    /// # Errors
    /// - [`Stalled`](FlushErrorKind::Stalled): the transport took no byte for
    ///   [`send_stall`](Builder::send_stall). The peer may be waiting until you read what it sent.
    ///   Take events, then flush again.
    /// - [`Lost`](FlushErrorKind::Lost): the socket was lost first. [`ClientEvent::Outcome`] reports what
    ///   happened to the messages.
    pub fn flush(&mut self) -> Result<(), FlushError> {
        let _ = self.open_mail();
        let Some(position) = self.engine.wait_for_flush() else { return Ok(()) };
        self.drive(|session| session.poll_flushed(position).is_ready());
        let flushed = self.engine.session().poll_flushed(position);
        self.end_wait(flushed == STALLED);
        let flushed = match flushed {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Err(FlushErrorKind::Lost), // the connection is over
        };
        flushed.map_err(|kind| FlushError::new(kind, self.engine.session().name().cloned()))
    }

    /// Makes a request, and returns its answer. The client puts an id into the message and looks for
    /// it in what the server sends, as the [`Correlator`](crate::Correlator) of
    /// [`requests`](Builder::requests) says. The answer is not among the events.
    ///
    /// This drives the connection, so events wait meanwhile, within the bounds of [`ClientEvent`].
    /// For several requests at a time, use [senders](Sender::request) on other threads.
    ///
    /// # Errors
    /// The [kind](RequestError::kind) says why there is no answer, and
    /// [`is_maybe_sent`](RequestError::is_maybe_sent) whether the server may have the request.
    /// `timeout` also covers the wait for the [rate limit](crate::Rate). The kinds are `NotReady`,
    /// `NotSent`, `MaybeSent`, `TimedOut`, `Closed`, `Correlation`, `NoCorrelator`, and `Full` if
    /// there are as many requests as [`Limits::requests`](crate::Limits::requests).
    pub fn request(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(&message.into(), timeout, Repeat::Never)
    }

    /// The same as [`request`](Self::request), but waits until the connection is ready. For a
    /// request that the server must not carry out twice, such as an order: it is sent at most once.
    /// If the connection is lost before any byte of it was written, it waits for the next one.
    /// After that it ends with [`MaybeSent`](gateway_wire::RequestErrorKind::MaybeSent).
    ///
    /// # Errors
    /// Those of [`request`](Self::request), without `NotReady`. `NotSent` comes only if the
    /// connection was closed.
    pub fn request_when_ready(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(&message.into(), timeout, Repeat::WhileUnsent)
    }

    /// The same as [`request`](Self::request), for a request that the server may carry out twice: it
    /// waits until the connection is ready, and is sent again after each reconnect.
    ///
    /// # Errors
    /// Those of [`request`](Self::request), without `NotReady`. `NotSent` and `MaybeSent` come only
    /// if the connection was closed.
    pub fn request_idempotent(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(&message.into(), timeout, Repeat::OnReconnect)
    }

    fn ask(
        &mut self,
        message: &Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<Message, RequestError> {
        let made = self.engine.request(message, timeout, repeat).map_err(NoAnswer::from);
        let answer = made.and_then(|request| {
            self.drive(|session| session.is_request_over(request));
            let answer = self.engine.session_mut().take_answer(request);
            // The wait ends only with an end.
            answer.unwrap_or(Err(NoAnswer::of_maybe_sent(RequestErrorKind::Closed)))
        });
        answer.map_err(|why| RequestError::new(why, self.engine.session().name().cloned()))
    }

    /// Starts to close the connection. Take events until `None`, which comes within the close
    /// timeout.
    ///
    /// A close takes effect at once in every state. It also cancels a retry.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        self.engine.close(frame);
        self.publish();
    }

    /// Closes the connection once everything has left: what is in the write buffer, what waits in
    /// the [`Outbox`](crate::Outbox), and requests, whose answers it waits for. No further message
    /// or request is accepted. After `within` the connection is closed. Messages that then still
    /// wait in the outbox are [`Rejected`](crate::Fate::Rejected), and those in the write buffer
    /// leave before the Close frame if the peer reads them in time. Requests end with `NotSent` or
    /// `MaybeSent`. Drives the connection until it is CLOSED, and returns how it ended.
    pub fn drain(&mut self, frame: CloseFrame<'_>, within: Duration) -> End {
        self.start_drain(frame, within);
        self.closed()
    }

    /// Opens a new socket: for a request of another thread.
    pub(crate) fn restart(&mut self) {
        self.engine.request_restart();
        self.mailbox.reopen();
        self.publish();
    }

    pub(crate) const fn full_name(&self) -> Option<&Name> {
        self.engine.session().name()
    }

    /// Starts to drain: for a request of another thread.
    pub(crate) fn start_drain(&mut self, frame: CloseFrame<'_>, within: Duration) {
        self.engine.drain(frame, within);
        self.publish();
    }

    /// Connects at once if the client has not started, if it is waiting to retry, or if it is
    /// closing or CLOSED. Otherwise this does nothing. It does not stop a drain. A socket that is
    /// closing is dropped, without waiting for the peer's Close frame.
    pub fn connect(&mut self) {
        self.engine.connect();
        self.mailbox.reopen();
        self.publish();
    }

    /// Replaces the socket on purpose, for example because the credentials have changed. The client
    /// sends a Close frame (1001) behind what you sent, drops the socket, and opens the next one.
    /// The retry count stays. Two calls open sockets no closer than `initial_delay`.
    ///
    /// While the client waits to retry, it retries now, but not before a least delay has passed.
    /// Before the first connection and when CLOSED, this is [`connect`](Self::connect). While the
    /// client is closing, this does nothing.
    pub fn reconnect(&mut self) {
        self.engine.reconnect();
        self.mailbox.reopen();
        self.publish();
    }

    /// Sets the message of this key. It is sent each time the connection becomes ready, before your
    /// other messages, and now if the connection is ready. It replaces the key's earlier message. It
    /// has no number and no outcome.
    ///
    /// # Errors
    /// There are too many of them, or they are too long: see [`Limits`](gateway_wire::Limits).
    pub fn set_on_ready(
        &mut self,
        key: &str,
        message: impl Into<Message>,
    ) -> Result<(), OnReadyError> {
        let set = self.engine.set_on_ready(key, message.into());
        self.publish();
        set
    }

    /// Removes the message of this key. Returns whether there was one. Nothing is sent.
    pub fn remove_on_ready(&mut self, key: &str) -> bool {
        self.engine.remove_on_ready(key)
    }

    /// Reports that the running login was accepted. Call this at the end of a
    /// [`Login::External`](gateway_core::Login::External), or of a
    /// [`Login::Message`](gateway_core::Login::Message) if you evaluate the answers yourself. If no
    /// login is running, this does nothing.
    pub fn login_accepted(&mut self) {
        self.engine.login_accepted();
        self.publish();
    }

    /// Reports that the running login was refused, or that an accepted login is no longer valid.
    /// `verdict` decides what follows. If no login is running and the connection is not ready, this
    /// does nothing.
    pub fn login_rejected(&mut self, verdict: Verdict) {
        self.engine.login_rejected(verdict);
        self.publish();
    }

    /// Reports a hint from the operating system. If the network is back and a retry is scheduled, it
    /// happens now, or when its least delay (of a `Retry-After` header or of the policy) has passed.
    /// The client acts on this at most once in 30 s.
    pub fn network_changed(&mut self, network: Network) {
        self.engine.network_changed(network);
    }

    /// Drives the connection until it [is ready](Self::is_ready). Returns at once if it is so now.
    /// Events wait meanwhile, within the bounds of [`ClientEvent`]. While the client drains, this
    /// waits for the end.
    ///
    /// # Errors
    /// How the client ended, if it is CLOSED or becomes CLOSED meanwhile.
    pub fn ready(&mut self) -> Result<(), End> {
        self.drive(Session::is_ready);
        match self.engine.session().end() {
            Some(end) => Err(end),
            None => Ok(()),
        }
    }

    /// Drives the connection until it is CLOSED and every socket is dropped, and returns how it
    /// ended. Events wait meanwhile, within the bounds of [`ClientEvent`]: the outcomes of all
    /// messages are among them.
    pub fn closed(&mut self) -> End {
        self.drive(Session::is_over);
        let session = self.engine.session();
        // The wait ends only with an end.
        session.end().unwrap_or_else(|| End::new(EndKind::Closed, session.name().cloned()))
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.engine.session().name().map(Name::as_str)
    }

    /// Creates a [`Sender`], with which other threads use this client.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.mailbox))
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.engine.state()
    }

    /// Whether the connection is ready: open, and logged in. False while the client
    /// [drains](Self::drain). With an [`Outbox`](crate::Outbox), the client also accepts messages
    /// while the connection is not ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.engine.session().is_ready()
    }

    /// Returns why the client gave up the connection, if it did.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUpCause> {
        self.engine.session().gave_up()
    }

    /// Returns the subprotocol that the server chose on the socket that opened last.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.engine.subprotocol()
    }

    /// Returns the header fields of the server's last answer 101. There are none before the first.
    #[must_use]
    pub const fn response_headers(&self) -> &ResponseHeaders {
        self.engine.response_headers()
    }

    /// Returns the endpoint that the client connects to, without the changes of a provider's request.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the proxy through which the client reaches this endpoint, if there is one.
    #[must_use]
    pub fn proxy(&self) -> Option<&ProxyServer> {
        self.proxy.as_deref()
    }

    /// Returns a snapshot of the client, for example for a health endpoint.
    #[must_use]
    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// Returns the connection's statistics so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.engine.statistics()
    }

    /// Returns how often the client has woken up from waiting. An idle client wakes up only for its
    /// own deadlines and for bytes from the peer.
    #[must_use]
    pub const fn wakeups(&self) -> u64 {
        self.wakeups
    }

    /// Stops or resumes reading, as a client does while its application is behind. For tests.
    #[doc(hidden)]
    pub const fn hold(&mut self, held: bool) {
        self.engine.hold(held);
    }

    /// Returns the system that the client runs on.
    #[must_use]
    pub const fn system(&self) -> &S {
        self.engine.host()
    }

    /// Drives the connection until an event waits, or until the connection is over.
    fn wait_until(&mut self, until: Option<Instant>) -> Result<(), TimedOut> {
        if !self.engine.session().has_events() {
            self.drive_until(Session::has_events, until)?;
        }
        if self.engine.is_look_due() {
            self.look_around();
        }
        Ok(())
    }

    fn take_event(&mut self) -> Option<ClientEvent> {
        if !self.engine.session().has_events() {
            self.mailbox.retire(self.facts());
        }
        self.engine.take_event()
    }

    fn drive(&mut self, done: impl Fn(&Session) -> bool) {
        // Without a timeout this cannot fail.
        let _ = self.drive_until(done, None);
    }

    /// Drives the connection until `done`, until the connection is over, or until `until`.
    fn drive_until(
        &mut self,
        done: impl Fn(&Session) -> bool,
        until: Option<Instant>,
    ) -> Result<(), TimedOut> {
        // The provider and TLS log in the client's span, too.
        let span = self.engine.session_mut().span();
        let _entered = span.enter();
        self.engine.begin();
        // A timeout of zero still allows one look at the socket.
        let mut has_looked = false;
        loop {
            self.forget_requests(); // this may end a drain
            let _ = self.engine.carry_out_orders();
            self.publish();
            self.answer_requests();
            // First: other threads' messages must not delay the caller, who may now go on.
            if done(self.engine.session()) {
                return Ok(());
            }
            // The time limit holds even if the peer floods with frames that cause no event, and if
            // other threads' messages are refused.
            if has_looked && until.is_some_and(|until| self.engine.host().now() >= until) {
                return Err(self.timed_out());
            }
            let has_opened_mail = self.open_mail();
            if self.engine.session().is_over() && !has_opened_mail {
                return Ok(()); // no other thread has asked to connect again
            }
            if has_opened_mail {
                let _ = self.engine.carry_out_orders(); // the requests may have caused orders
            }
            has_looked = true;
            if self.engine.look() == Progress::Made {
                self.engine.fire_if_busy(); // other threads may send without a pause
                continue;
            }
            let now = self.engine.host().now();
            let deadline = self.engine.session().deadline();
            if deadline.is_some_and(|deadline| now >= deadline) {
                self.engine.fire(now);
                continue;
            }
            if has_opened_mail {
                continue; // there may be an event
            }
            if until.is_some_and(|until| now >= until) {
                return Err(self.timed_out());
            }
            if self.mailbox.fall_asleep(self.letters_wait()) {
                self.engine.host_mut().wait(earliest(deadline, until));
                self.wakeups = self.wakeups.saturating_add(1);
                self.mailbox.wake_up();
            }
        }
    }

    fn timed_out(&self) -> TimedOut {
        TimedOut { name: self.engine.session().name().cloned() }
    }

    /// Called now and then between events that already wait. So a slow application delays neither
    /// deadlines nor other threads' requests.
    fn look_around(&mut self) {
        self.forget_requests();
        let asked = self.open_mail();
        if self.engine.check_suspend() || self.engine.due().is_some() {
            self.engine.catch_up();
        } else if asked {
            let _ = self.engine.carry_out_orders();
            let _ = self.engine.write();
        }
        self.publish();
        self.answer_requests();
    }

    /// Waits for space, or for a token. Other threads' messages that wait already go first: with a
    /// rate limit there is one token at a time, and a thread that sends without a pause would always
    /// take it.
    fn wait_for_turn(&mut self) -> Result<(), SendRejection> {
        let mut before = self.mailbox.waiting_letters();
        loop {
            self.engine.wait_for_space();
            self.drive(|session| session.poll_space().is_ready());
            let space = self.engine.session().poll_space();
            self.end_wait(matches!(space, Poll::Ready(Err(_))));
            if let Poll::Ready(Err(stalled)) = space {
                return Err(stalled);
            }
            let sent = self.open_letters(before);
            before -= sent;
            if sent == 0 && !self.engine.session().poll_space().is_pending() {
                return Ok(());
            }
        }
    }

    /// Ends the wait of this thread. If it has stalled, the waits of other threads' messages have
    /// stalled too. Otherwise their messages are not accepted yet, because the new space is for
    /// this thread.
    fn end_wait(&mut self, has_stalled: bool) {
        if has_stalled {
            let _ = self.open_mail();
        }
        self.engine.end_wait();
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Yields the same events as [`Client::recv`].
impl<S: System> Iterator for Client<S> {
    type Item = ClientEvent;

    fn next(&mut self) -> Option<ClientEvent> {
        self.recv()
    }
}

/// Messages of other threads that still wait are refused.
impl<S: System> Drop for Client<S> {
    fn drop(&mut self) {
        self.answer_requests(); // those that came with the last look
        self.mailbox.end();
    }
}

impl<S: System> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
