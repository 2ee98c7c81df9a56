//! The engine: everything that a driver does except wait. It owns the session and the socket.

mod host;
mod leave;
mod socket;
mod suspend;

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use gateway_core::{
    CloseFrame, ConnectionState, Credentials, Instant, Network, SendRejection, SocketId,
    Statistics, Verdict,
};

pub use self::host::{ByteStream, Dialled, Host};
pub use self::leave::Left;
use self::leave::{Drops, Report};
use self::socket::WRITE;
use self::suspend::Suspends;
use crate::event::ClientEvent;
use crate::handshake::ResponseHeaders;
use crate::message::Message;
use crate::open_failure::OpenFailure;
use crate::outcome::{Accepted, SendError};
use crate::provider::{Asking, AttemptPlan, Private};
use crate::requests::{Repeat, RequestErrorKind, RequestId};
use crate::session::{OnReadyError, Order, Position, Session, Space, Unread};
use crate::status::Status;

/// Whether a look at the socket has changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // no third case is possible
#[must_use = "if nothing was done, wait before you look again"]
pub enum Progress {
    /// Something was done: look again before you wait.
    Made,
    /// Nothing to do until the socket is ready, the deadline is due, or the application makes a
    /// request.
    Blocked,
}

/// The deadline is checked after this many events, even if more events are waiting. Each check
/// reads the clock, which takes about 25 ns.
const EVENTS_BETWEEN_LOOKS: u32 = 8;

/// A due deadline waits for at most this many reads. The bytes that have arrived are processed
/// first, but a peer that never stops sending cannot delay a timer for long.
const READS_BEFORE_TICK: u32 = 16;

/// A session and its sockets. A driver calls the engine until there is [nothing to
/// do](Progress::Blocked). It then waits for a socket, the [`deadline`](Session::deadline) or the
/// application.
///
/// ```text
///   loop {
///       engine.carry_out_orders();
///       if what the application waits for has come { return it }
///       if engine.look() == Made { continue }             // sockets
///       if the deadline is due { engine.fire(now); continue }
///       wait for a socket, or for the deadline
///   }
/// ```
pub struct Engine<H: Host> {
    session: Session,
    host: H,
    io: Io<H>,
    begin: Begin,
    /// Of the socket that opened last.
    subprotocol: Option<String>,
    response_headers: ResponseHeaders,
    /// Events yielded since [`is_look_due`](Self::is_look_due) last returned true.
    yielded: u32,
    /// Reads since a deadline was found due.
    overdue_reads: u32,
    /// Whether the last look found nothing more to read, so that a due deadline may fire.
    has_read_all: bool,
    suspends: Suspends,
    drops: Drops<H>,
}

/// The socket, in its current stage. `rest` came in one read with the answer to the upgrade, and is
/// read first.
enum Io<H: Host> {
    None,
    /// The provider is asked.
    Asking {
        id: SocketId,
        asking: Box<Asking>,
    },
    /// The request is there, and the order to open the socket follows.
    Asked {
        id: SocketId,
        plan: Box<AttemptPlan>,
    },
    Dialing {
        id: SocketId,
        dialing: H::Dialing,
        private: Option<Box<Private>>,
    },
    Upgrading {
        id: SocketId,
        upgrading: Box<Upgrading<H::Stream>>,
    },
    Open {
        id: SocketId,
        stream: H::Stream,
        rest: Vec<u8>,
    },
}

/// A socket whose upgrade is under way.
struct Upgrading<S> {
    dialled: Dialled<S>,
    /// How many bytes of the request are written.
    written: usize,
    private: Option<Box<Private>>,
}

impl<H: Host> Io<H> {
    fn id(&self) -> Option<SocketId> {
        match self {
            Self::None => None,
            Self::Asking { id, .. }
            | Self::Asked { id, .. }
            | Self::Dialing { id, .. }
            | Self::Upgrading { id, .. }
            | Self::Open { id, .. } => Some(*id),
        }
    }

    /// Whether a stream may be in it.
    const fn may_hold_stream(&self) -> bool {
        match self {
            Self::None | Self::Asking { .. } | Self::Asked { .. } => false,
            Self::Dialing { .. } | Self::Upgrading { .. } | Self::Open { .. } => true,
        }
    }

    /// Prepares the socket so that its drop resets the connection, if it can.
    fn abort(&mut self) {
        match self {
            // No byte of ours has reached a stream.
            Self::None | Self::Asking { .. } | Self::Asked { .. } | Self::Dialing { .. } => {}
            Self::Upgrading { upgrading, .. } => upgrading.dialled.stream.abort(),
            Self::Open { stream, .. } => stream.abort(),
        }
    }
}

/// Whether the application has called `connect` or `close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    AtFirstLook,
    Begun,
}

impl<H: Host> Engine<H> {
    /// Creates an engine that connects when it is first driven.
    #[must_use]
    pub fn new(session: Session, host: H) -> Self {
        Self {
            session,
            host,
            io: Io::None,
            begin: Begin::AtFirstLook,
            subprotocol: None,
            response_headers: ResponseHeaders::default(),
            yielded: 0,
            overdue_reads: 0,
            has_read_all: false,
            suspends: Suspends::default(),
            drops: Drops::Here,
        }
    }

    /// Returns the session, to inspect it.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the session, for requests that need no IO.
    #[must_use]
    pub const fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.session.state()
    }

    /// Returns the host.
    #[must_use]
    pub const fn host(&self) -> &H {
        &self.host
    }

    /// Returns the host.
    #[must_use]
    pub const fn host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    /// Returns the subprotocol that the server chose on the socket that opened last.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the header fields of the server's last answer 101. There are none before the first.
    #[must_use]
    pub const fn response_headers(&self) -> &ResponseHeaders {
        &self.response_headers
    }

    /// Returns the connection's statistics so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.session.statistics(self.now())
    }

    /// Returns a snapshot of the connection.
    #[must_use]
    pub fn status(&self) -> Status {
        self.session.status(self.now())
    }

    /// The time, or zero before the engine has begun: to look at a client must not start the host's
    /// clock.
    fn now(&self) -> Instant {
        match self.begin {
            Begin::AtFirstLook => Instant::ZERO,
            Begin::Begun => self.host.now(),
        }
    }

    // Requests of the application.

    /// Connects, unless [`connect`](Self::connect) or [`close`](Self::close) was already called.
    pub fn begin(&mut self) {
        if self.begin == Begin::AtFirstLook {
            self.connect();
        }
    }

    /// Connects at once if the engine has not started, if it is waiting to retry, or if it is
    /// closing or CLOSED. Otherwise this does nothing. A socket that is closing is dropped, without
    /// waiting for the peer's Close frame.
    pub fn connect(&mut self) {
        self.request_connect();
        self.write_probe();
    }

    /// The same as [`connect`](Self::connect), but leaves all IO to the next
    /// [`look`](Self::look). For a driver whose requests come from other tasks.
    pub fn request_connect(&mut self) {
        self.begin = Begin::Begun;
        self.register_for_suspends();
        let now = self.host.now();
        self.report_wall_clock(now);
        self.session.connect(now);
    }

    /// Replaces the socket on purpose: see
    /// [`ReconnectRequested`](gateway_core::Event::ReconnectRequested).
    pub fn reconnect(&mut self) {
        self.request_reconnect();
        self.write_probe();
    }

    /// The same as [`reconnect`](Self::reconnect), but leaves all IO to the next
    /// [`look`](Self::look). For a driver whose requests come from other tasks.
    pub fn request_reconnect(&mut self) {
        self.begin = Begin::Begun;
        self.register_for_suspends();
        let now = self.host.now();
        self.report_wall_clock(now);
        self.session.reconnect(now);
    }

    /// Opens a new socket, as [`reconnect`](Self::reconnect) does, also if the connection is closing.
    /// It leaves all IO to the next [`look`](Self::look).
    pub fn request_restart(&mut self) {
        match self.state() {
            ConnectionState::Closing => self.request_connect(),
            ConnectionState::Disconnected
            | ConnectionState::Connecting
            | ConnectionState::Connected
            | ConnectionState::Authenticated
            | ConnectionState::Closed => self.request_reconnect(),
        }
    }

    /// Sets a message that is sent on every ready: see [`Session::set_on_ready`].
    ///
    /// # Errors
    /// There are too many of them, or they are too long.
    pub fn set_on_ready(&mut self, key: &str, message: Message) -> Result<(), OnReadyError> {
        self.tell_time();
        self.session.set_on_ready(key, message)
    }

    /// Removes such a message. Returns whether there was one.
    pub fn remove_on_ready(&mut self, key: &str) -> bool {
        self.session.remove_on_ready(key)
    }

    /// Starts to close the connection.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        self.begin = Begin::Begun;
        self.session.close(self.host.now(), frame);
    }

    /// Appends a message to the write buffer, and returns its number. This does not write: call
    /// [`write_sent`](Self::write_sent) next.
    ///
    /// # Errors
    /// Returns the message if the connection does not accept it now.
    pub fn send(&mut self, message: Message) -> Result<Accepted, SendError> {
        self.tell_time();
        self.session.send(message)
    }

    /// The same as [`send`](Self::send), but leaves the message to the caller.
    ///
    /// # Errors
    /// Returns the reason if the connection does not accept the message now.
    #[inline]
    pub fn accept(&mut self, message: &Message) -> Result<Accepted, SendRejection> {
        self.tell_time();
        self.session.accept(message)
    }

    /// Accepts the message of a permit: see [`Session::accept_reserved`].
    ///
    /// # Errors
    /// Returns the reason if the connection does not accept it now.
    pub fn accept_reserved(
        &mut self,
        message: &Message,
        space: Space,
    ) -> Result<Accepted, SendRejection> {
        self.tell_time();
        self.session.accept_reserved(message, space)
    }

    /// Releases what a permit reserved: see [`Session::release`].
    pub fn release(&mut self, space: Space) {
        self.tell_time(); // what waited for the space may leave
        self.session.release(space);
    }

    /// Tells the session the time, if it needs that to accept a message. Call this before you look
    /// whether the session [is full](Session::is_full), unless you have just driven the engine.
    #[inline]
    pub fn tell_time(&mut self) {
        if self.session.needs_time() {
            // Also before the engine has begun: what is sent now may expire before it begins.
            self.session.set_time(self.host.now());
        }
    }

    /// Makes a request: see [`Session::request`]. This does no IO.
    ///
    /// # Errors
    /// Nothing was sent, and nothing will be.
    pub fn request(
        &mut self,
        message: &Message,
        timeout: Duration,
        repeat: Repeat,
    ) -> Result<RequestId, RequestErrorKind> {
        self.session.request(self.host.now(), message, timeout, repeat)
    }

    /// Starts to close the connection once everything has left, but at most in `within`; see
    /// [`Session::drain`].
    pub fn drain(&mut self, frame: CloseFrame<'_>, within: Duration) {
        if self.session.queued_messages() > 0 || self.session.unanswered_requests() > 0 {
            self.begin();
        }
        self.begin = Begin::Begun;
        let now = self.host.now();
        self.session.drain(now, frame, now.saturating_add(within));
    }

    /// Writes the messages that were sent, with corking: while messages that were already read are
    /// waiting for the application, the bytes stay in the buffer. They are written together with
    /// the application's answers, or once they are 16 KiB.
    ///
    /// Returns `Some` if the transport accepts no more bytes for now. The engine has then started a
    /// wait. Drive it until [`Session::is_send_over`] returns true, then call
    /// [`end_wait`](Self::end_wait).
    pub fn write_sent(&mut self) -> Option<Position> {
        let is_corked = self.session.has_messages();
        if !is_corked || self.session.is_much_pending() {
            let _ = self.write();
        }
        if is_corked || self.session.is_stalled() {
            return None;
        }
        self.session.end_wait();
        self.wait_for_flush()
    }

    /// Starts or continues a wait until [`Session::poll_space`] is ready.
    pub fn wait_for_space(&mut self) {
        self.session.wait_for_space(self.host.now());
    }

    /// Starts or continues a wait until [`Session::poll_flushed`] is ready for the returned
    /// position. Returns `None` if there is nothing to wait for.
    pub fn wait_for_flush(&mut self) -> Option<Position> {
        self.session.position()?; // avoids a needless read of the clock
        self.session.wait_for_flush(self.host.now())
    }

    /// Ends the current wait, if there is one.
    pub fn end_wait(&mut self) {
        self.session.end_wait();
    }

    /// Reports that the running login [was accepted](gateway_core::Event::LoginAccepted).
    pub fn login_accepted(&mut self) {
        self.session.login_accepted(self.host.now());
    }

    /// Reports that the running login [was refused](gateway_core::Event::LoginRejected), or that an
    /// accepted login is no longer valid. `verdict` decides what follows.
    pub fn login_rejected(&mut self, verdict: Verdict) {
        self.session.login_rejected(self.host.now(), verdict);
    }

    /// Reports a hint from the operating system: the network is back, or gone.
    pub fn network_changed(&mut self, network: Network) {
        self.session.network_changed(self.host.now(), network);
    }

    /// Sets whether the application has stopped taking messages (`true`), or takes them again.
    pub const fn hold(&mut self, held: bool) {
        self.session.hold(held);
    }

    /// Returns the next event for the application, if one is waiting.
    #[inline]
    pub fn take_event(&mut self) -> Option<ClientEvent> {
        self.session.next_event()
    }

    /// Counts an event that the application is about to take. Returns true with every eighth call,
    /// and after a read that found the deadline due. Then check the deadline with
    /// [`due`](Self::due), and [catch up](Self::catch_up) if it is due.
    #[inline]
    pub fn is_look_due(&mut self) -> bool {
        self.yielded += 1;
        if self.yielded >= EVENTS_BETWEEN_LOOKS || self.overdue_reads > 0 {
            self.yielded = 0;
        }
        self.yielded == 0
    }

    /// Returns the time if the deadline is due.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let deadline = self.session.deadline()?;
        Some(self.host.now()).filter(|now| *now >= deadline)
    }

    /// Settles all messages as if their socket were lost, and returns the events that the
    /// application has not taken. Call this if the driver ends while the connection is not CLOSED,
    /// and drop the engine then.
    ///
    /// `has_panicked` says whether a call of the engine has panicked. Messages in the bytes that a
    /// write may have offered then are [`MaybeSent`](crate::Fate::MaybeSent).
    pub fn abandon(&mut self, has_panicked: bool) -> Unread {
        let unread = self.session.abandon(if has_panicked { WRITE } else { 0 });
        if !has_panicked {
            self.session.measure_end(); // the recorder may be what has panicked
        }
        unread
    }

    // Steps of the driver's loop.

    /// Opens and drops sockets as the core has ordered. Returns whether there was an order. If a
    /// socket that was left is yet to be [dropped](Self::take_left), the rest waits.
    pub fn carry_out_orders(&mut self) -> bool {
        let mut any = self.report_dropped();
        if let Some((id, end)) = self.session.take_end() {
            self.host.ended(id, end);
        }
        while !self.has_left()
            && let Some(order) = self.session.next_order()
        {
            any = true;
            match order {
                Order::Ask { id, attempt } => {
                    self.session.log_server(None); // of the attempt before
                    self.io = Io::Asking { id, asking: Box::new(self.host.ask(id, attempt)) };
                }
                Order::Open { id, credentials } => self.dial(id, credentials),
                Order::Drop { id, farewell } => {
                    if farewell {
                        H::without_budget(|| self.say_farewell());
                    }
                    self.drop_socket(id);
                }
                Order::Abort { id } => {
                    if self.io.id() == Some(id) {
                        self.io.abort();
                    }
                    self.drop_socket(id);
                }
            }
        }
        any
    }

    fn drop_socket(&mut self, id: SocketId) {
        if self.io.id() == Some(id) {
            self.leave(Report::Dropped(id));
        } else {
            self.session.dropped(id);
        }
    }

    /// Makes one step on the socket. While the socket is opening, this is a step of the opening.
    /// After that it writes what is pending, about 128 KiB at most, then reads once.
    pub fn look(&mut self) -> Progress {
        self.has_read_all = false;
        self.session.measure_if_old(|| self.host.now());
        if self.check_suspend() {
            return Progress::Made;
        }
        match &self.io {
            Io::None | Io::Asked { .. } => Progress::Blocked,
            Io::Asking { .. } => self.look_at_asking(),
            Io::Dialing { .. } => self.look_at_dialing(),
            Io::Upgrading { .. } => self.look_at_upgrade(),
            Io::Open { id, .. } => {
                let id = *id;
                let wrote = self.write_some(WRITE);
                if self.session.socket() != Some(id) {
                    // The write failed and ended the socket. The engine leaves the socket before
                    // any read.
                    return Progress::Made;
                }
                match self.read() {
                    Progress::Made => Progress::Made,
                    Progress::Blocked => {
                        self.has_read_all = true;
                        wrote
                    }
                }
            }
        }
    }

    /// Fires the deadline if it is due, although the last look [made](Progress::Made) progress. Call
    /// this after such a look if other tasks or threads may send meanwhile. If they send without a
    /// pause, every look finds bytes to write, and the driver never gets to its check of the
    /// deadline.
    ///
    /// This does nothing if the look has read bytes: what has arrived is processed before a deadline
    /// fires, and reads have a limit of their own. It reads the clock with every eighth call. Do not
    /// call it while a runtime's budget makes sockets appear to wait.
    pub fn fire_if_busy(&mut self) {
        if self.has_read_all
            && self.is_look_due()
            && let Some(now) = self.due()
        {
            self.fire(now);
        }
    }

    /// Fires the deadline, and writes what follows at once. The application may read a ping's
    /// notice much later, and the ping must not wait for that.
    pub fn fire(&mut self, now: Instant) {
        self.fail_if_refused();
        if self.has_left() {
            return; // the failure is reported before the deadline fires
        }
        self.report_wall_clock(now);
        match &self.io {
            Io::Asking { asking, .. } => {
                self.session.tick_saying(now, &asking.delay().unwrap_or_default());
            }
            Io::None
            | Io::Asked { .. }
            | Io::Dialing { .. }
            | Io::Upgrading { .. }
            | Io::Open { .. } => self.session.tick(now),
        }
        self.overdue_reads = 0;
        let _ = self.carry_out_orders();
        let _ = self.write_some(WRITE);
    }

    /// Handles a due deadline while events wait for the application: reads what has arrived, then
    /// fires the deadline if it is still due. So a slow application does not delay a deadline.
    pub fn catch_up(&mut self) {
        for _ in 0..READS_BEFORE_TICK {
            let _ = self.carry_out_orders();
            if self.look() == Progress::Blocked {
                break;
            }
        }
        if let Some(now) = self.due() {
            self.fire(now);
        }
        let _ = self.write(); // answers to the last read
    }

    fn look_at_asking(&mut self) -> Progress {
        let Io::Asking { id, asking } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        match asking.poll(self.session.config().login()) {
            Poll::Pending => return Progress::Blocked,
            Poll::Ready(Ok(plan)) => {
                self.io = Io::Asked { id, plan: Box::new(plan) };
                self.session.provider_answered(self.host.now(), id);
            }
            Poll::Ready(Err(error)) => {
                self.io = Io::None;
                self.session.provider_failed(self.host.now(), id, &error);
            }
        }
        Progress::Made
    }

    /// Starts to open a socket, by the provider's request if there is one.
    fn dial(&mut self, id: SocketId, credentials: Credentials) {
        let plan = match std::mem::replace(&mut self.io, Io::None) {
            Io::Asked { id: asked, plan } if asked == id => Some(plan),
            _ => None,
        };
        let (endpoint, server) = self.session.endpoint_of(id, plan.as_deref());
        self.session.log_server(server);
        let private = plan.map(|plan| Box::new(plan.private));
        let dialing = self.host.dial(id, credentials, endpoint);
        self.io = Io::Dialing { id, dialing, private };
    }

    fn look_at_dialing(&mut self) -> Progress {
        let Io::Dialing { id, dialing, private } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        match self.host.poll_dialing(dialing) {
            Poll::Pending => Progress::Blocked,
            Poll::Ready(Ok(dialled)) => {
                let upgrading = Upgrading { dialled, written: 0, private: private.take() };
                self.io = Io::Upgrading { id, upgrading: Box::new(upgrading) };
                Progress::Made
            }
            Poll::Ready(Err(failure)) => self.fail_to_open(id, failure),
        }
    }

    /// If the body of a refusal does not come in time, the attempt fails without it.
    fn fail_if_refused(&mut self) {
        if let Io::Upgrading { id, upgrading } = &self.io
            && upgrading.dialled.handshake.is_refused()
        {
            let (id, refusal) = (*id, upgrading.dialled.handshake.ended());
            let _ = self.fail_to_open(id, refusal);
        }
    }

    fn fail_to_open(&mut self, id: SocketId, failure: OpenFailure) -> Progress {
        self.leave(Report::Failed(id, failure));
        Progress::Made
    }
}

impl<H: Host> fmt::Debug for Engine<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
