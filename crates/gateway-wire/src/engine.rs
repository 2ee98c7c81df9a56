//! The engine: all that a driver does with its session and its sockets, short of waiting.

mod socket;
mod suspend;

use std::fmt;
use std::io;
use std::task::{Poll, Waker};

use gateway_core::{
    CloseFrame, ConnectionState, Credentials, Instant, Network, Secret, SocketId, Statistics,
    UnixMillis, Verdict,
};

use self::suspend::Suspends;
use crate::event::ClientEvent;
use crate::handshake::Handshake;
use crate::message::Message;
use crate::open_failure::OpenFailure;
use crate::outcome::{MessageId, SendError};
use crate::session::{Order, Position, Session, SocketEnd};

/// A byte stream that never waits: what cannot be done now fails with [`io::ErrorKind::WouldBlock`], and whoever drives
/// the engine is woken when it can.
pub trait ByteStream {
    /// Reads once, and hands what came to `take`: nothing at the end of the stream. The buffer is the stream's own choice;
    /// [`with_read_buffer`](crate::with_read_buffer) lends one that costs an idle connection nothing.
    ///
    /// # Errors
    /// Nothing has come yet, or nothing will any more.
    fn read<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> io::Result<T>;

    /// Writes some of `bytes`, which are not empty. Zero means that the stream is dead: one that takes none now says so by
    /// [`io::ErrorKind::WouldBlock`]. (rustls' `Stream` is none as it stands: it returns zero where its buffer is full.)
    ///
    /// # Errors
    /// Nothing can be written now, or ever.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Passes on what a buffer of the stream's own still holds.
    ///
    /// # Errors
    /// Not all of it can be passed on now, or ever.
    fn flush(&mut self) -> io::Result<()>;

    /// Whether the stream's own buffer has passed on bytes since the last call. The engine asks
    /// during a flush that has to wait, as one over TLS may. While the answer is yes, the peer is
    /// not treated as dead, and no `send` fails as stalled. The default is for a stream without a
    /// buffer.
    fn take_progress(&mut self) -> bool {
        false
    }

    /// Ends this direction of the stream, as far as that needs no waiting.
    fn shutdown(&mut self);

    /// Makes the drop that follows reset the connection, so that the peer receives nothing that the kernel still holds.
    /// A TCP socket sets `SO_LINGER` to zero here. The default is a plain drop.
    fn abort(&mut self) {}

    /// Whether a write that fails has passed on nothing of what it was offered: so it is with a bare socket, and not with
    /// a stream that buffers, as TLS does.
    fn fails_whole(&self) -> bool;
}

/// What a driver is: attempts to open byte streams, and two clocks. Nothing here waits.
pub trait Host {
    /// An attempt under way. Dropping it leaves nothing open.
    type Dialing;
    /// An open byte stream. Dropping it closes it.
    type Stream: ByteStream;

    /// Monotonic time.
    fn now(&self) -> Instant;

    /// The wall clock.
    fn wall(&self) -> UnixMillis;

    /// The waker of the task or thread that drives the engine. With it, the engine registers with the [`SuspendWatch`](crate::SuspendWatch) of the
    /// process, and a suspend is noticed within seconds of the wake. `None`, the default, is for a host with clocks of its
    /// own, such as a simulation: there a suspend is noticed when a deadline fires.
    fn suspend_waker(&self) -> Option<Waker> {
        None
    }

    /// Begins an attempt: credentials, DNS, TCP, TLS.
    fn dial(&mut self, id: SocketId, credentials: Credentials) -> Self::Dialing;

    /// An attempt, or its socket, ended so. Called before the socket is dropped, and before the next attempt begins. A host that
    /// chooses among addresses tries another one next; the default does nothing. See [`AddressBook`](crate::AddressBook).
    fn ended(&mut self, _id: SocketId, _end: SocketEnd) {}

    /// Runs `act`, which writes the last bytes to a socket that is dropped next. A runtime that
    /// limits a task's IO has to lift the limit here, or these bytes are lost. The default just
    /// runs `act`.
    fn without_budget(act: impl FnOnce()) {
        act();
    }

    /// Looks at an attempt.
    fn poll_dialing(
        &mut self,
        dialing: &mut Self::Dialing,
    ) -> Poll<Result<Dialled<Self::Stream>, OpenFailure>>;
}

/// A byte stream that is open, and the opening handshake that is to be made on it.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // a driver makes it
pub struct Dialled<S> {
    /// The stream.
    pub stream: S,
    /// The handshake, not begun.
    pub handshake: Handshake,
    /// The login of this attempt, where it is not the configuration's.
    pub login: Option<Secret>,
}

/// What one look has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // there is no third
#[must_use = "where nothing was made, it is time to wait"]
pub enum Progress {
    /// Something: look again.
    Made,
    /// Nothing until a socket, the deadline or the application brings something.
    Blocked,
}

/// So many events are yielded before the deadline is looked at, even where more are waiting. One look costs a read of the clock,
/// some 25 ns.
const EVENTS_BETWEEN_LOOKS: u32 = 8;

/// So many reads are made past a due deadline before it fires: what has arrived is handed over first, but a peer that never
/// stops sending starves no timer.
const READS_BEFORE_TICK: u32 = 16;

/// A session with its sockets. A driver asks it for what to do next until there is [nothing](Progress::Blocked), and
/// then waits, in its runtime's way, for a socket, the [`deadline`](Session::deadline) or the application.
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
    subprotocol: Option<String>,
    /// Events yielded since [`is_look_due`](Self::is_look_due) last said so.
    yielded: u32,
    /// Reads made since a deadline was found due.
    overdue_reads: u32,
    suspends: Suspends,
}

/// The socket, as far as it is. The `rest` of an open one came in one read with the answer to the upgrade,
/// and is read first.
enum Io<H: Host> {
    None,
    Dialing { id: SocketId, dialing: H::Dialing },
    Upgrading { id: SocketId, dialled: Box<Dialled<H::Stream>>, written: usize },
    Open { id: SocketId, stream: H::Stream, rest: Vec<u8> },
}

impl<H: Host> Io<H> {
    fn id(&self) -> Option<SocketId> {
        match self {
            Self::None => None,
            Self::Dialing { id, .. } | Self::Upgrading { id, .. } | Self::Open { id, .. } => {
                Some(*id)
            }
        }
    }

    /// Drops the socket. A stream resets its connection if it can.
    fn abort(&mut self) {
        match self {
            Self::None | Self::Dialing { .. } => {} // no byte of ours was handed to a stream
            Self::Upgrading { dialled, .. } => dialled.stream.abort(),
            Self::Open { stream, .. } => stream.abort(),
        }
        *self = Self::None;
    }
}

/// Whether the application has said what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    AtFirstLook,
    Begun,
}

impl<H: Host> Engine<H> {
    /// An engine that connects when it is first driven.
    #[must_use]
    pub fn new(session: Session, host: H) -> Self {
        Self {
            session,
            host,
            io: Io::None,
            begin: Begin::AtFirstLook,
            subprotocol: None,
            yielded: 0,
            overdue_reads: 0,
            suspends: Suspends::default(),
        }
    }

    /// How it stands.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.session.state()
    }

    /// The driver's own part.
    #[must_use]
    pub const fn host(&self) -> &H {
        &self.host
    }

    /// The driver's own part.
    #[must_use]
    pub const fn host_mut(&mut self) -> &mut H {
        &mut self.host
    }

    /// The subprotocol that the server chose on the socket that opened last.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// What the connection has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let now = match self.begin {
            Begin::AtFirstLook => Instant::ZERO,
            Begin::Begun => self.host.now(),
        };
        self.session.statistics(now)
    }

    // What the application wants.

    /// Asks for the connection, unless the application has already said what it wants.
    pub fn begin(&mut self) {
        if self.begin == Begin::AtFirstLook {
            self.connect();
        }
    }

    /// Connects again after CLOSED, or at once where a retry was waited for.
    pub fn connect(&mut self) {
        self.begin = Begin::Begun;
        self.register_for_suspends();
        let now = self.host.now();
        self.report_wall_clock(now);
        self.session.connect(now);
        self.write_probe();
    }

    /// Starts to close the connection.
    pub fn close(&mut self, frame: CloseFrame<'_>) {
        self.begin = Begin::Begun;
        self.session.close(self.host.now(), frame);
    }

    /// Takes a message into the outgoing buffer.
    ///
    /// # Errors
    /// The message itself, where the connection does not take it now.
    pub fn send(&mut self, message: Message) -> Result<MessageId, SendError> {
        self.session.send(message)
    }

    /// Writes what was sent. While input that was already read waits to be taken it is not written at once, but together
    /// with the answers to that, or once there is enough of it to be worth a write.
    ///
    /// `Some` where the transport takes no more for now: a wait until [`Session::is_send_over`] has begun, which the driver
    /// [ends](Self::end_wait).
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

    /// Begins or continues a wait until [`Session::poll_space`] is ready.
    pub fn wait_for_space(&mut self) {
        self.session.wait_for_space(self.host.now());
    }

    /// Begins or continues a wait until [`Session::poll_flushed`] is ready. `None` where there is nothing to wait for.
    pub fn wait_for_flush(&mut self) -> Option<Position> {
        self.session.position()?; // the clock is not read for nothing
        self.session.wait_for_flush(self.host.now())
    }

    /// Ends a wait.
    pub fn end_wait(&mut self) {
        self.session.end_wait();
    }

    /// The embedder's own login was accepted.
    pub fn login_accepted(&mut self) {
        self.session.login_accepted(self.host.now());
    }

    /// The embedder's own login was refused.
    pub fn login_rejected(&mut self, verdict: Verdict) {
        self.session.login_rejected(self.host.now(), verdict);
    }

    /// A hint from the operating system.
    pub fn network_changed(&mut self, network: Network) {
        self.session.network_changed(self.host.now(), network);
    }

    /// The application cannot take messages now, or can again.
    pub const fn hold(&mut self, held: bool) {
        self.session.hold(held);
    }

    /// The next event for the application.
    #[inline]
    pub fn take_event(&mut self) -> Option<ClientEvent> {
        self.session.next_event()
    }

    /// Counts an event that is about to be taken: whether it is time to look at the deadline, and to
    /// [catch up](Self::catch_up) if it is due. So it is with every eighth event, and where a read has found it due.
    #[inline]
    pub fn is_look_due(&mut self) -> bool {
        self.yielded += 1;
        if self.yielded >= EVENTS_BETWEEN_LOOKS || self.overdue_reads > 0 {
            self.yielded = 0;
        }
        self.yielded == 0
    }

    /// The time, where the deadline is due.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let deadline = self.session.deadline()?;
        Some(self.host.now()).filter(|now| *now >= deadline)
    }

    // What a driver does next.

    /// Opens and drops sockets, as the core has ordered. Says whether there was anything to do.
    pub fn carry_out_orders(&mut self) -> bool {
        let mut any = false;
        if let Some((id, end)) = self.session.take_end() {
            self.host.ended(id, end);
        }
        while let Some(order) = self.session.next_order() {
            any = true;
            match order {
                Order::Open { id, credentials } => {
                    self.io = Io::Dialing { id, dialing: self.host.dial(id, credentials) };
                }
                Order::Drop { id, farewell } => {
                    if farewell {
                        H::without_budget(|| self.say_farewell());
                    }
                    if self.io.id() == Some(id) {
                        self.io = Io::None;
                    }
                    self.session.dropped(id);
                }
                Order::Abort { id } => {
                    if self.io.id() == Some(id) {
                        self.io.abort();
                    }
                    self.session.dropped(id);
                }
            }
        }
        any
    }

    /// One look at the socket: at its opening, or first at what is to be written, then at what can be read.
    pub fn look(&mut self) -> Progress {
        if self.check_suspend() {
            return Progress::Made;
        }
        match &self.io {
            Io::None => Progress::Blocked,
            Io::Dialing { .. } => self.look_at_dialing(),
            Io::Upgrading { .. } => self.look_at_upgrade(),
            Io::Open { id, .. } => {
                let id = *id;
                let wrote = self.write();
                if self.session.socket() != Some(id) {
                    return Progress::Made; // a write that failed has ended it: it is left before it is read again
                }
                match self.read() {
                    Progress::Made => Progress::Made,
                    Progress::Blocked => wrote,
                }
            }
        }
    }

    /// The deadline is due. What follows is written at once: the application may take its time with the news of a ping.
    pub fn fire(&mut self, now: Instant) {
        self.fail_if_refused();
        self.report_wall_clock(now);
        self.session.tick(now);
        self.overdue_reads = 0;
        let _ = self.carry_out_orders();
        let _ = self.write();
    }

    /// The deadline is due while events wait to be taken: reads what has arrived, then fires what is still due. What is due
    /// is not late because the application is slow.
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
        let _ = self.write(); // answers to what was read last
    }

    fn look_at_dialing(&mut self) -> Progress {
        let Io::Dialing { id, dialing } = &mut self.io else { return Progress::Blocked };
        let id = *id;
        match self.host.poll_dialing(dialing) {
            Poll::Pending => Progress::Blocked,
            Poll::Ready(Ok(dialled)) => {
                self.io = Io::Upgrading { id, dialled: Box::new(dialled), written: 0 };
                Progress::Made
            }
            Poll::Ready(Err(failure)) => self.fail_to_open(id, &failure),
        }
    }

    /// A refusal whose body does not come in time is a refusal all the same.
    fn fail_if_refused(&mut self) {
        if let Io::Upgrading { id, dialled, .. } = &self.io
            && dialled.handshake.is_refused()
        {
            let (id, refusal) = (*id, dialled.handshake.ended());
            let _ = self.fail_to_open(id, &refusal);
        }
    }

    fn fail_to_open(&mut self, id: SocketId, failure: &OpenFailure) -> Progress {
        self.io = Io::None;
        self.session.open_failed(self.host.now(), id, failure);
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
