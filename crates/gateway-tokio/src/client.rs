//! The client: drives one session while it is polled. No task, no channel, no policy.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_core::Stream;
use gateway_core::{CloseFrame, ConnectionState, GiveUpCause, Network, Statistics, Verdict};
use gateway_wire::{
    Accepted, ClientEvent, End, EndKind, Endpoint, Engine, FlushError, FlushErrorKind, Host as _,
    Message, Name, NoAnswer, OnReadyError, Position, Progress, ProxyServer, Repeat, RequestError,
    RequestErrorKind, RequestId, ResponseHeaders, SendError, Session, Status, WallClock,
};
use tokio::task::coop;

use crate::builder::Builder;
use crate::clock::Timer;
use crate::host::Tokio;
use crate::open::Opener;
use crate::wakers::{Half, Wakers};

/// A WebSocket connection that stays up, for as long as you poll it.
///
/// The client is a [`Stream`] of events and a [`Sink`](futures_sink::Sink) of messages.
/// [`next`](Self::next) and [`send`](Self::send) do the same without those traits. The client
/// connects when you first poll it. It does all its work while you poll it: heartbeat, reconnect,
/// login and close. To run it in the background, use [`spawn`](Self::spawn).
///
/// **Poll it.** A client that you do not poll sends no heartbeat and does not reconnect. The next
/// poll first reads what has arrived meanwhile, and then evaluates deadlines. While events are
/// waiting, the client looks at its deadlines only with every eighth event. If your application
/// takes a second for each event, the heartbeat is up to eight seconds late.
///
/// **Dropping it** aborts the connection, and the peer sees close code 1006. For a close handshake,
/// call [`close`](Self::close) and poll until `None`.
///
/// **Cancel safety.** You may drop every future here at any time. Nothing is left half done. Each
/// method says what may already have happened.
///
/// ```no_run
/// use gateway_tokio::{Client, ClientEvent};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = Client::builder("wss://gateway.example/feed").build()?;
/// while let Some(event) = client.next().await {
///     match event {
///         ClientEvent::Message(message) => println!("{:?}", message.as_text()),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a client does nothing unless it is polled"]
pub struct Client {
    /// Boxed, because a client is moved into futures, and an `async fn` reserves space for an
    /// argument twice. With the engine inline, that was one and a half kilobytes each time.
    pub(crate) engine: Box<Engine<Tokio>>,
    /// Created at the first poll: only then is the runtime known.
    timer: Option<Timer>,
    wakers: Arc<Wakers>,
    /// The position that the [`Sink`](futures_sink::Sink)'s current flush waits for.
    pub(crate) flushing: Option<Position>,
}

/// After this many rounds without a pause, the task yields to others.
const ROUNDS: u32 = 64;

impl Client {
    /// Starts a builder with a `ws://` or `wss://` URL.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    pub(crate) fn new(session: Session, opener: Arc<Opener>, wall: Option<WallClock>) -> Self {
        let wakers = Arc::<Wakers>::default();
        let host = Tokio::new(opener, Waker::from(Arc::clone(&wakers)), wall);
        Self { engine: Box::new(Engine::new(session, host)), timer: None, wakers, flushing: None }
    }

    pub(crate) const fn full_name(&self) -> Option<&Name> {
        self.engine.session().name()
    }

    /// The parts that a spawned client shares.
    pub(crate) fn into_parts(self) -> (Box<Engine<Tokio>>, Arc<Wakers>) {
        (self.engine, self.wakers)
    }

    /// Returns the next event. Returns `None` once the connection is CLOSED and you have received
    /// every event.
    ///
    /// Cancel-safe: if you drop the future, no event is lost.
    #[inline]
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Sends a message, and returns its number.
    ///
    /// The client writes the message at once, unless it has received messages that you have not yet
    /// taken with [`next`](Self::next). In that case it collects what you send, and writes it
    /// together: before its next read, or once it is 16 KiB. So a plain loop of `next` and `send`
    /// makes few system calls. A single `send` is written without any further poll.
    ///
    /// While the write buffer is full, `send` waits, and keeps the heartbeat. It also goes on
    /// reading, until the received messages that you have not taken reach
    /// [`Limits::backlog`](crate::Limits::backlog).
    ///
    /// With an [`Outbox`](crate::Outbox), it accepts messages also while the connection is not ready,
    /// and returns [`Accepted::Queued`]. With a [`Rate`](crate::Rate), it waits for its turn.
    ///
    /// Each accepted message has exactly one outcome. The outcome is Sent, unless a
    /// [`ClientEvent::Outcome`] reports another one.
    ///
    /// Cancel-safe: if you drop the future while the write buffer is full, the message is not sent.
    /// If you drop it later, the message is accepted, and has an outcome like any other.
    ///
    /// # Errors
    /// Each error returns the message:
    ///
    /// - The connection is not ready, or is closing. `send` may fail before you receive
    ///   `Disconnected`; keep polling.
    /// - [`Stalled`](gateway_core::SendRejection::Stalled): the write buffer is full, and the
    ///   transport took no byte for [`send_stall`](Builder::send_stall). The peer may be waiting
    ///   until you read what it sent. Receive events with [`next`](Self::next), then send the
    ///   message again.
    /// - [`OutcomesUnread`](gateway_core::SendRejection::OutcomesUnread): more than 4,096 ranges of
    ///   outcomes are unread. Receive events, then send the message again.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        self.flushing = None; // the sink's next flush also covers this message
        self.engine.tell_time();
        if self.engine.session().is_full() {
            self.engine.end_wait(); // of a future that was dropped
            self.engine.wait_for_space();
            self.until(|session| session.poll_space().is_ready()).await;
            let space = self.engine.session().poll_space();
            self.engine.end_wait();
            if let Poll::Ready(Err(stalled)) = space {
                let name = self.engine.session().name().cloned();
                return Err(SendError::new(stalled, message.into()).named(name));
            }
        }
        let accepted = self.engine.send(message.into())?;
        if let Some(position) = self.engine.write_sent() {
            self.until(|session| session.is_send_over(position)).await;
            self.engine.end_wait();
        }
        Ok(accepted)
    }

    /// Appends a message to the write buffer, and returns its number. It never waits, and does not
    /// write. The next call of [`next`](Self::next), [`send`](Self::send) or [`flush`](Self::flush)
    /// writes all such messages together.
    ///
    /// # Errors
    /// Returns the message if the connection is not ready or is closing, if the write buffer is
    /// full ([`WriteBlocked`](gateway_core::SendRejection::WriteBlocked)), if the rate limit allows
    /// no message now ([`Paced`](gateway_core::SendRejection::Paced)), or if more than 4,096 ranges
    /// of outcomes are unread.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<Accepted, SendError> {
        self.flushing = None; // the sink's next flush also waits for this message
        let accepted = self.engine.send(message.into())?;
        if self.engine.session().needs_time() {
            self.wakers.wake_all(); // a message that waits has a deadline of its own
        }
        Ok(accepted)
    }

    /// Writes and flushes all messages in the write buffer. Returns at once if no socket is open.
    /// Messages that wait in the [`Outbox`](crate::Outbox) stay there: to send these, too,
    /// [`drain`](Self::drain) the client, or wait until its [status](Self::status) shows none.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// - [`Stalled`](FlushErrorKind::Stalled): the transport took no byte for
    ///   [`send_stall`](Builder::send_stall). The peer may be waiting until you read what it sent.
    ///   Receive events, then flush again.
    /// - [`Lost`](FlushErrorKind::Lost): the socket was lost first. [`ClientEvent::Outcome`] reports what
    ///   happened to the messages.
    pub async fn flush(&mut self) -> Result<(), FlushError> {
        self.flushing = None;
        self.engine.end_wait(); // of a future that was dropped
        let Some(position) = self.engine.wait_for_flush() else { return Ok(()) };
        self.until(|session| session.poll_flushed(position).is_ready()).await;
        let flushed = self.engine.session().poll_flushed(position);
        self.engine.end_wait();
        match flushed {
            Poll::Ready(flushed) => flushed.map_err(|kind| self.flush_error(kind)),
            Poll::Pending => Err(self.flush_error(FlushErrorKind::Lost)), // the connection is over
        }
    }

    pub(crate) fn flush_error(&self, kind: FlushErrorKind) -> FlushError {
        FlushError::new(kind, self.engine.session().name().cloned())
    }

    /// Makes a request, and returns its answer. The client puts an id into the message and looks for
    /// it in what the server sends, as the [`Correlator`](crate::Correlator) of
    /// [`requests`](Builder::requests) says. The answer is not among the events.
    ///
    /// This drives the connection, so events wait meanwhile, within the bounds of [`ClientEvent`].
    /// For several requests at a time, [`spawn`](Self::spawn) the client.
    ///
    /// Cancel-safe: if you drop the future, the request ends. Its message may have been sent, and
    /// the answer is then an ordinary message.
    ///
    /// # Errors
    /// The [kind](RequestError::kind) says why there is no answer, and
    /// [`is_maybe_sent`](RequestError::is_maybe_sent) whether the server may have the request.
    /// `timeout` also covers the wait for the [rate limit](crate::Rate). The kinds are `NotReady`,
    /// `NotSent`, `MaybeSent`, `TimedOut`, `Closed`, `Correlation`, `NoCorrelator`, and `Full` if
    /// there are as many requests as [`Limits::requests`](crate::Limits::requests).
    pub async fn request(
        &mut self,
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
        &mut self,
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
    /// if the connection was closed.
    pub async fn request_idempotent(
        &mut self,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Message, RequestError> {
        self.ask(message.into(), timeout, Repeat::OnReconnect).await
    }

    async fn ask(
        &mut self,
        message: Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<Message, RequestError> {
        self.engine.end_wait(); // of a future that was dropped
        let asked = match self.engine.request(&message, timeout, repeat) {
            Ok(request) => Asking { client: self, request }.answer().await,
            Err(why) => Err(why.into()),
        };
        asked.map_err(|why| RequestError::new(why, self.engine.session().name().cloned()))
    }

    /// Starts to close the connection. Poll until `None`, which comes within the close timeout.
    ///
    /// A close takes effect at once in every state. It also cancels a retry.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        self.engine.close(frame);
        self.wakers.wake_all();
    }

    /// Closes the connection once everything has left: what is in the write buffer, what waits in
    /// the [`Outbox`](crate::Outbox), and requests, whose answers it waits for. No further message
    /// or request is accepted. After `within` the connection is closed. Messages that then still
    /// wait in the outbox are [`Rejected`](crate::Fate::Rejected), and those in the write buffer
    /// leave before the Close frame if the peer reads them in time. Requests end with `NotSent` or
    /// `MaybeSent`. Drives the connection until it is CLOSED, and returns how it ended.
    ///
    /// Cancel-safe: it starts at the first poll. If you drop the future later, the client goes on to
    /// drain while you poll it.
    pub async fn drain(&mut self, frame: CloseFrame<'_>, within: Duration) -> End {
        self.engine.drain(frame, within);
        self.wakers.wake_all();
        self.closed().await
    }

    /// Closes once what waits in the outbox has left: the end of a sink.
    pub(crate) fn start_close(&mut self) {
        let session = self.engine.session();
        if session.is_draining() {
            return;
        }
        let (is_queued, within) = (session.queued_messages() > 0, session.send_stall());
        match is_queued {
            true => self.engine.drain(CloseFrame::NORMAL, within),
            false => self.engine.close(CloseFrame::NORMAL),
        }
        self.wakers.wake_all();
    }

    /// Connects at once if the client has not started, if it is waiting to retry, or if it is
    /// closing or CLOSED. Otherwise this does nothing. It does not stop a drain. A socket that is
    /// closing is dropped, without waiting for the peer's Close frame.
    pub fn connect(&mut self) {
        self.engine.connect();
        self.wakers.wake_all();
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
        self.wakers.wake_all();
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
        self.wakers.wake_all();
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
        self.wakers.wake_all();
    }

    /// Reports that the running login was refused, or that an accepted login is no longer valid.
    /// `verdict` decides what follows. If no login is running and the connection is not ready, this
    /// does nothing.
    pub fn login_rejected(&mut self, verdict: Verdict) {
        self.engine.login_rejected(verdict);
        self.wakers.wake_all();
    }

    /// Reports a hint from the operating system. If the network is back and a retry is scheduled, it
    /// happens now, or when its least delay (of a `Retry-After` header or of the policy) has passed.
    /// The client acts on this at most once in 30 s.
    pub fn network_changed(&mut self, network: Network) {
        self.engine.network_changed(network);
        self.wakers.wake_all();
    }

    /// Drives the connection until it [is ready](Self::is_ready). Returns at once if it is so now.
    /// Events wait meanwhile, within the bounds of [`ClientEvent`]. While the client drains, this
    /// waits for the end.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// How the client ended, if it is CLOSED or becomes CLOSED meanwhile.
    pub async fn ready(&mut self) -> Result<(), End> {
        self.until(Session::is_ready).await;
        match self.engine.session().end() {
            Some(end) => Err(end),
            None => Ok(()),
        }
    }

    /// Drives the connection until it is CLOSED and every socket is dropped, and returns how it
    /// ended. Events wait meanwhile, within the bounds of [`ClientEvent`]: the outcomes of all
    /// messages are among them.
    ///
    /// Cancel-safe.
    pub async fn closed(&mut self) -> End {
        self.until(Session::is_over).await;
        let session = self.engine.session();
        // The wait ends only with an end.
        session.end().unwrap_or_else(|| End::new(EndKind::Closed, session.name().cloned()))
    }

    /// Returns the client's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.engine.session().name().map(Name::as_str)
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
    pub fn response_headers(&self) -> &ResponseHeaders {
        self.engine.response_headers()
    }

    /// Returns the endpoint that the client connects to, without the changes of a provider's request.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.engine.host().opener.endpoint
    }

    /// Returns the proxy through which the client reaches this endpoint, if there is one.
    #[must_use]
    pub fn proxy(&self) -> Option<&ProxyServer> {
        let opener = &self.engine.host().opener;
        opener.router.proxy(&opener.endpoint).map(|proxy| &**proxy)
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

    /// Stops or resumes reading, as a client does while its application takes no events. For tests.
    #[doc(hidden)]
    pub fn hold(&mut self, held: bool) {
        self.engine.hold(held);
    }

    /// Writes again after a stall. The transport may accept bytes again since the sink was last
    /// polled.
    pub(crate) fn look_again_if_stalled(&mut self) {
        if self.engine.session().is_stalled() {
            let _ = self.engine.write();
        }
    }

    /// Takes the next event, if one is waiting.
    #[inline(always)] // the event then moves once
    fn take_event(&mut self) -> Option<ClientEvent> {
        self.engine.take_event()
    }

    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        if !self.engine.session().has_events() {
            ready!(self.poll_until(cx, Half::Stream, Session::has_events));
        }
        if self.engine.is_look_due() {
            self.look_at_clock(cx);
        }
        Poll::Ready(self.take_event())
    }

    async fn until(&mut self, done: impl Fn(&Session) -> bool + Copy) {
        poll_fn(|cx| self.poll_until(cx, Half::Sink, done)).await;
    }

    /// Drives the connection until `done`, or until the connection is over.
    pub(crate) fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
        done: impl Fn(&Session) -> bool,
    ) -> Poll<()> {
        // The provider and `Dial` log in the client's span, too.
        let span = self.engine.session_mut().span();
        let _entered = span.enter();
        self.engine.begin();
        self.wakers.register(half, cx.waker());
        let mut made_progress = false;
        for _ in 0..ROUNDS {
            made_progress |= self.engine.carry_out_orders();
            if done(self.engine.session()) || self.engine.session().is_over() {
                self.wakers.wake_other(half, made_progress);
                return Poll::Ready(());
            }
            if self.engine.look() == Progress::Made {
                made_progress = true;
                continue;
            }
            match self.engine.due() {
                None => {
                    self.arm_timer();
                    self.wakers.wake_other(half, made_progress);
                    return Poll::Pending;
                }
                Some(now) if coop::has_budget_remaining() => self.engine.fire(now),
                Some(_) => self.catch_up(),
            }
            made_progress = true;
        }
        self.wakers.wake_other(half, made_progress);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Called between events that already wait, so that a slow application does not delay a
    /// deadline.
    fn look_at_clock(&mut self, cx: &mut Context<'_>) {
        if self.engine.check_suspend() || self.engine.due().is_some() {
            self.wakers.register(Half::Stream, cx.waker());
            self.catch_up();
        }
    }

    /// Reads what has arrived, then fires the deadline if it is still due. If a task's budget is
    /// spent, tokio reports every socket as pending. But the peer's pong may have arrived, and our
    /// ping has to leave. Both are bounded, so they run without a budget.
    fn catch_up(&mut self) {
        Tokio::without_budget(|| self.engine.catch_up());
    }

    /// Arranges that the client is woken at the next deadline.
    fn arm_timer(&mut self) {
        let host = self.engine.host();
        let timer = self.timer.get_or_insert_default();
        timer.arm(host.waker(), host.clock(), self.engine.session().deadline());
    }
}

/// A request whose caller waits. If its future is dropped, the request is forgotten.
struct Asking<'a> {
    client: &'a mut Client,
    request: RequestId,
}

impl Asking<'_> {
    async fn answer(self) -> Result<Message, NoAnswer> {
        let request = self.request;
        self.client.until(|session| session.is_request_over(request)).await;
        let answer = self.client.engine.session_mut().take_answer(request);
        // The wait ends only with an end.
        answer.unwrap_or(Err(NoAnswer::of_maybe_sent(RequestErrorKind::Closed)))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.client.engine.session_mut().forget_request(self.request);
    }
}

/// Yields the same events as [`Client::next`].
impl Stream for Client {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.get_mut().poll_event(cx)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.engine.host().opener.endpoint)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
