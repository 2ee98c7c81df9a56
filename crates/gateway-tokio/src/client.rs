//! The client: drives one session while it is polled. No task, no channel, no policy.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use gateway_core::{
    CloseFrame, ConnectionState, GiveUpCause, Network, SendRejection, Statistics, Verdict,
};
use gateway_wire::{
    ClientEvent, Endpoint, Engine, FlushError, Host as _, Message, MessageId, Position, Progress,
    SendError, Session, WallClock,
};
use tokio::task::coop;

use crate::builder::Builder;
use crate::clock::Timer;
use crate::host::Tokio;
use crate::open::Opener;
use crate::wakers::{Half, Wakers};

/// A WebSocket connection that stays up, for as long as it is polled.
///
/// It is a [`Stream`] of what happened and a [`Sink`](futures_sink::Sink) of messages; [`next`](Self::next) and
/// [`send`](Self::send) do the same without those traits. It connects when first polled, and then keeps the
/// heartbeat, reconnects, and closes, all inside of these calls. Whoever wants that in the background takes
/// [`spawn`](Self::spawn).
///
/// **Poll it.** A client that nobody polls sends no heartbeat and does not reconnect. On the next poll what
/// has arrived meanwhile is read before any deadline is judged. While events wait to be taken, the clock is read with every
/// eighth: if your application takes a second for each, the heartbeat is up to eight seconds late.
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
    /// Behind a pointer: a client is moved into futures, and an `async fn` reserves space for an argument twice. With
    /// the engine inline that was one and a half kilobytes each time.
    pub(crate) engine: Box<Engine<Tokio>>,
    /// Made at the first poll: only then is the runtime known.
    timer: Option<Timer>,
    wakers: Arc<Wakers>,
    /// What a [`Sink`](futures_sink::Sink) that is being flushed waits for.
    pub(crate) flushing: Option<Position>,
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
        Self { engine: Box::new(Engine::new(session, host)), timer: None, wakers, flushing: None }
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
    /// arrives.
    ///
    /// While the write buffer is full this waits, and keeps the heartbeat meanwhile. It goes on reading until the backlog of
    /// what came in is full, too.
    ///
    /// A message that was taken has exactly one outcome: it is sent, unless a [`ClientEvent::Outcome`] says
    /// otherwise.
    ///
    /// Cancel-safe: dropped while the buffer is full, the message is not taken; dropped later, it is taken and
    /// its outcome reported like that of any other.
    ///
    /// # Errors
    /// Returns the message while the connection is not ready or is closing. `send` may fail before you receive
    /// `Disconnected`; keep taking events. [`Stalled`](gateway_core::SendRejection::Stalled) where the write buffer is full and
    /// the transport took no byte for [`send_stall`](Builder::send_stall): the peer may wait until you have read what it sent.
    /// Take events with [`next`](Self::next), then send the message again.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.flushing = None; // a flush of the sink begins again, with what is taken here
        if self.is_write_blocked() {
            self.engine.end_wait(); // of a future that was dropped
            self.engine.wait_for_space();
            self.until(|session| session.poll_space().is_ready()).await;
            let space = self.engine.session().poll_space();
            self.engine.end_wait();
            if let Poll::Ready(Err(stalled)) = space {
                return Err(SendError::new(stalled, message.into()));
            }
        }
        let id = self.engine.send(message.into())?;
        if let Some(position) = self.engine.write_sent() {
            self.until(|session| session.is_send_over(position)).await;
            self.engine.end_wait();
        }
        Ok(id)
    }

    /// Takes a message into the write buffer, and returns its number. It never waits, and does not write: the next call of
    /// [`next`](Self::next), [`send`](Self::send) or [`flush`](Self::flush) does, for all that was taken, in one go.
    ///
    /// # Errors
    /// The message itself where the connection is not ready, or is closing, or the write buffer is full.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<MessageId, SendError> {
        self.flushing = None;
        self.engine.send(message.into())
    }

    /// Writes and flushes all messages that were taken before. Returns at once where no socket is open.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`FlushError::Stalled`] where the transport took no byte for [`send_stall`](Builder::send_stall): the peer may wait until you
    /// have read what it sent. Take events, then flush again. [`FlushError::Lost`] where the socket was lost first:
    /// [`ClientEvent::Outcome`] says what became of the messages.
    pub async fn flush(&mut self) -> Result<(), FlushError> {
        self.flushing = None;
        self.engine.end_wait(); // of a future that was dropped
        let Some(position) = self.engine.wait_for_flush() else { return Ok(()) };
        self.until(|session| session.poll_flushed(position).is_ready()).await;
        let flushed = self.engine.session().poll_flushed(position);
        self.engine.end_wait();
        match flushed {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Err(FlushError::Lost), // the connection is over
        }
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

    /// Stops or resumes reading, as a spawned client does while its application takes no events. For tests.
    #[doc(hidden)]
    pub fn hold(&mut self, held: bool) {
        self.engine.hold(held);
    }

    pub(crate) const fn backlog_limit(&self) -> usize {
        self.engine.session().limits().backlog
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.engine.session().is_write_blocked()
    }

    /// A wait that stalled while no one polled the sink is not over if the transport takes bytes by now.
    pub(crate) fn look_again_if_stalled(&mut self) {
        if self.engine.session().is_stalled() {
            let _ = self.engine.write();
        }
    }

    /// Whether a message that waits for space in the write buffer may go on: it is taken then, or refused. Until then the wait is
    /// under way.
    pub(crate) fn poll_space(&mut self) -> Poll<Result<(), SendRejection>> {
        let space = self.engine.session().poll_space();
        match space {
            Poll::Ready(_) => self.engine.end_wait(),
            Poll::Pending => self.engine.wait_for_space(),
        }
        space
    }

    /// Drives everything until, with `room` for it, an event waits, or until a message that waits for space may go on. Without
    /// `room`, until a message waits, unless the client is `held` because one does.
    pub(crate) async fn drive(&mut self, room: bool, held: bool, waits_for_space: bool) {
        self.until(|session| {
            (waits_for_space && session.poll_space().is_ready())
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

    /// Drives everything until `done`, or until the connection is over.
    pub(crate) fn poll_until(
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

    /// Between events that are already waiting: what is due is not late because the application is slow.
    fn look_at_clock(&mut self, cx: &mut Context<'_>) {
        if self.engine.check_suspend() || self.engine.due().is_some() {
            self.wakers.register(Half::Stream, cx.waker());
            self.catch_up();
        }
    }

    /// Reads what has arrived, then fires what is still due. A task whose budget is spent finds every socket pending: the peer's pong
    /// may be there all the same, and our ping has to leave. Both are bounded, so they need no budget.
    fn catch_up(&mut self) {
        Tokio::without_budget(|| self.engine.catch_up());
    }

    /// Has the client woken at the next deadline.
    fn arm_timer(&mut self) {
        let host = self.engine.host();
        let timer = self.timer.get_or_insert_default();
        timer.arm(host.waker(), host.clock(), self.engine.session().deadline());
    }
}

/// Yields what [`Client::next`] does.
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
