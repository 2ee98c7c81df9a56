//! The client: drives one session while it is polled. No task, no channel, no policy.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_sink::Sink;
use gateway_core::{
    CloseFrame, ConnectionState, GiveUpCause, Instant, Network, Statistics, Verdict,
};
use gateway_wire::{
    ClientEvent, Endpoint, Engine, Message, MessageId, Progress, SendError, Session, WallClock,
};

use crate::builder::Builder;
use crate::clock::Timer;
use crate::host::Tokio;
use crate::open::Opener;
use crate::wakers::{Half, Wakers};

/// A WebSocket connection that stays up, for as long as it is polled.
///
/// It is a [`Stream`] of what happened and a [`Sink`] of messages; [`next`](Self::next) and
/// [`send`](Self::send) do the same without those traits. It connects when first polled, and then keeps the
/// heartbeat, reconnects, and closes, all inside of these calls. Whoever wants that in the background takes
/// [`spawn`](Self::spawn).
///
/// **Poll it.** A client that nobody polls sends no heartbeat and does not reconnect. On the next poll what
/// has arrived meanwhile is read before any deadline is judged. While events wait to be taken, the timer is looked at with each
/// 32nd: an application that takes a second for each keeps its deadlines half a minute late.
///
/// **Dropping it** aborts the connection; the peer sees 1006. Call [`close`](Self::close) and poll on until
/// `None` for a close handshake.
///
/// **Cancel safety.** Every future here may be dropped at any time: nothing is half done. See each method
/// for what of it may already have happened.
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
    /// Behind a pointer: a client is moved into futures and tasks, which keep room for it more than once.
    engine: Box<Engine<Tokio>>,
    /// Made at the first poll: only then is the runtime known.
    timer: Option<Timer>,
    wakers: Arc<Wakers>,
}

/// After so many rounds without a pause the task yields to others.
const ROUNDS: u32 = 64;

impl Client {
    /// Begins with a `ws://` or `wss://` URL.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    pub(crate) fn new(session: Session, opener: Arc<Opener>, wall: Option<WallClock>) -> Self {
        let wakers = Arc::<Wakers>::default();
        let host = Tokio::new(opener, Waker::from(Arc::clone(&wakers)), wall);
        Self { engine: Box::new(Engine::new(session, host)), timer: None, wakers }
    }

    /// The next event; `None` once the connection is CLOSED and every event was yielded.
    ///
    /// Cancel-safe: an event is yielded or stays where it is.
    #[inline]
    pub async fn next(&mut self) -> Option<ClientEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Sends a message, and returns its number.
    ///
    /// It is written at once, unless input that was already read is waiting to be returned by
    /// [`next`](Self::next): then it is written together with the answers to that, before the next read or once they are 16 KiB. So a
    /// plain loop of `next` and `send` makes few system calls, and one `send` without any further poll still
    /// arrives. While the write buffer is full this waits, and goes on reading and keeping the heartbeat
    /// meanwhile.
    ///
    /// A message that was taken has exactly one outcome: it is sent, unless a [`ClientEvent::Outcome`] says
    /// otherwise.
    ///
    /// Cancel-safe: dropped while the buffer is full, the message is not taken; dropped later, it is taken and
    /// its outcome reported like that of any other.
    ///
    /// # Errors
    /// The message itself where the connection is not ready, or is closing. That may be known before the news of it
    /// is yielded: do not take it for the end. Also where the write buffer is full and so is the backlog of what came
    /// in: take events with [`next`](Self::next), for two sides that both wait to write would wait for ever.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        if self.is_write_blocked() {
            self.until(|session| !session.is_write_blocked() || session.is_reading_stopped()).await;
        }
        let id = self.engine.send(message.into())?;
        if self.engine.write_sent() && !self.engine.session().is_flushed() {
            // The transport takes no more for now: see it written, as promised, but not past its socket's end.
            self.flush().await;
        }
        Ok(id)
    }

    /// Writes and flushes all that was sent, and says whether it is: false where the backlog of what came in is full, so that
    /// nothing is read, and the peer may wait for just that: take events, and flush again. True at once where there is no
    /// socket: what became of the messages is told by [`ClientEvent::Outcome`].
    ///
    /// Cancel-safe.
    pub async fn flush(&mut self) -> bool {
        self.until(|session| session.is_flushed() || session.is_reading_stopped()).await;
        self.engine.session().is_flushed()
    }

    /// Starts to close the connection. Poll on until `None`: that is within the close timeout.
    ///
    /// Wins in every state, at once; a reconnect that was due is not made.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        self.engine.close(frame);
        self.wakers.wake_all();
    }

    /// Connects again after CLOSED, or at once where a retry was waited for.
    pub fn connect(&mut self) {
        self.engine.connect();
        self.wakers.wake_all();
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was accepted.
    pub fn login_accepted(&mut self) {
        self.engine.login_accepted();
    }

    /// Says that a login with [`Login::External`](gateway_core::Login::External) was refused, and what follows.
    pub fn login_rejected(&mut self, verdict: Verdict) {
        self.engine.login_rejected(verdict);
    }

    /// Passes on a hint of the operating system: a waiting client tries at once when the network is back.
    pub fn network_changed(&mut self, network: Network) {
        self.engine.network_changed(network);
        self.wakers.wake_all();
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.engine.state()
    }

    /// Whether messages are taken.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.engine.session().is_ready()
    }

    /// Why the connection was given up, if it was.
    #[must_use]
    pub const fn gave_up(&self) -> Option<GiveUpCause> {
        self.engine.session().gave_up()
    }

    /// The subprotocol that the server chose on the socket that opened last.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.engine.subprotocol()
    }

    /// Where it connects to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.engine.host().opener.endpoint
    }

    /// What the connection has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.engine.statistics()
    }

    /// Stops or resumes reading: the application has no room for messages. The timers go on.
    pub(crate) fn hold(&mut self, held: bool) {
        self.engine.hold(held);
    }

    /// Takes a message into the write buffer; the next drive writes it.
    pub(crate) fn cork(&mut self, message: Message) -> Result<MessageId, SendError> {
        self.engine.send(message)
    }

    pub(crate) const fn backlog_limit(&self) -> usize {
        self.engine.session().limits().backlog
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.engine.session().is_write_blocked()
    }

    /// Drives everything until the write buffer's state has changed or, with `room` for it, an event waits. Without it, until a
    /// message waits, unless the client is `held` because one does.
    pub(crate) async fn drive(&mut self, room: bool, held: bool) {
        let blocked = self.engine.session().is_write_blocked();
        self.until(|session| {
            session.is_write_blocked() != blocked
                || (room && session.has_events())
                || (!room && !held && session.has_messages())
        })
        .await;
    }

    pub(crate) fn has_messages(&self) -> bool {
        self.engine.session().has_messages()
    }

    /// The next event, if one waits.
    pub(crate) fn take_event(&mut self) -> Option<ClientEvent> {
        self.engine.take_event()
    }

    pub(crate) fn has_events(&self) -> bool {
        self.engine.session().has_events()
    }

    pub(crate) fn waiting_events(&self) -> usize {
        self.engine.session().waiting_events()
    }

    /// Whether nothing is left to drive; events may still wait.
    pub(crate) fn is_driven_out(&self) -> bool {
        self.engine.session().is_over()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.engine.session().is_over() && !self.engine.session().has_events()
    }

    #[inline]
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        if self.engine.session().has_events() {
            if self.engine.is_look_due() {
                self.look_at_timer(cx);
            }
        } else {
            ready!(self.poll_until(cx, Half::Stream, Session::has_events));
        }
        Poll::Ready(self.take_event())
    }

    async fn until(&mut self, done: impl Fn(&Session) -> bool + Copy) {
        poll_fn(|cx| self.poll_until(cx, Half::Sink, done)).await;
    }

    /// Drives everything until `done`, or until the connection is over.
    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        half: Half,
        done: impl Fn(&Session) -> bool,
    ) -> Poll<()> {
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
            let Poll::Ready(now) = self.poll_due() else {
                self.wakers.wake_other(half, made_progress);
                return Poll::Pending;
            };
            self.engine.fire(now);
            made_progress = true;
        }
        self.wakers.wake_other(half, made_progress);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Between events that are already waiting: what is due is not late because the application is slow.
    fn look_at_timer(&mut self, cx: &mut Context<'_>) {
        self.wakers.register(Half::Stream, cx.waker());
        if self.engine.check_suspend() | self.poll_due().is_ready() {
            self.engine.catch_up();
        }
    }

    /// Ready with the time when the deadline is reached.
    fn poll_due(&mut self) -> Poll<Instant> {
        let clock = self.engine.host().clock();
        let timer = self.timer.get_or_insert_with(|| Timer::new(clock));
        let mut cx = Context::from_waker(self.engine.host().waker());
        timer.poll_due(&mut cx, clock, self.engine.session().deadline())
    }
}

/// Yields what [`Client::next`] does.
impl Stream for Client {
    type Item = ClientEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        self.get_mut().poll_event(cx)
    }
}

/// `feed` batches; `poll_flush`, and so `SinkExt::send`, really flushes; `poll_close` closes with 1000 and waits
/// for CLOSED. Reading goes on only as far as there is room for what comes in: poll the stream as well.
impl Sink<Message> for Client {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let client = self.get_mut();
        if client.is_write_blocked() {
            ready!(client.poll_until(cx, Half::Sink, |session| !session.is_write_blocked()));
        }
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        self.get_mut().engine.send(message).map(|_| ())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        ready!(self.get_mut().poll_until(cx, Half::Sink, Session::is_flushed));
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let client = self.get_mut();
        match client.state() {
            // Asked for: to ask again would wake this very task, at each poll.
            ConnectionState::Closing | ConnectionState::Closed => {}
            ConnectionState::Disconnected
            | ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated => client.close(CloseFrame::NORMAL),
        }
        ready!(client.poll_until(cx, Half::Sink, Session::is_over));
        Poll::Ready(Ok(()))
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
