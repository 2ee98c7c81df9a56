//! The machine: its states, what each of them holds, and its deadline.
//!
//! All transitions are in `transitions.rs`.

use alloc::boxed::Box;
use core::time::Duration;

use crate::action::{Because, Credentials, GiveUpCause, RetryCause};
use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::login::Login;
use crate::policy::Verdict;
use crate::retry::Retry;
use crate::state::{ConnectionState, SocketId};
use crate::time::{Compact, Instant, Shift, UnixMillis};

/// The state of a connection and what it remembers beyond a state, without generator, configuration
/// and statistics. A model checker can compare and hash it, and shift all its instants by one span:
/// see [`rebased`](Self::rebased).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    pub(crate) state: State,
    pub(crate) memory: Memory,
}

/// Data that outlives a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    /// The latest `now` that was passed: time does not run backwards here.
    pub(crate) now: Instant,
    pub(crate) retry: Retry,
    pub(crate) last_socket: u64,
    /// The last report of the wall clock, and the instant of the report.
    pub(crate) wall_clock: Option<(Compact, UnixMillis)>,
    /// When the machine last acted on a suspend.
    pub(crate) jump_at: Option<Compact>,
    /// When the machine last acted on Online.
    pub(crate) online_at: Option<Compact>,
    /// When the last reconnect on purpose opened its socket; before that, when it began its attempt or
    /// is to begin it.
    pub(crate) reconnect_at: Option<Compact>,
    /// When the connection became ready. While it is not ready: when it stopped being ready, or
    /// started afresh.
    pub(crate) since: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// DISCONNECTED, no connect request yet.
    Idle,
    /// DISCONNECTED until the next attempt.
    Waiting(Waiting),
    /// CONNECTING, the provider is asked.
    Asking(Asking),
    /// CONNECTING, the socket is opening.
    Connecting(Connecting),
    /// CONNECTED, logging in.
    LoggingIn(LoggingIn),
    /// CONNECTED, login refused: waits for the peer's Close.
    Refused(Refused),
    /// AUTHENTICATED, or CONNECTED if no login is configured.
    Ready(Ready),
    /// CLOSING.
    Closing(Closing),
    /// CLOSED.
    Closed(Closed),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    pub(crate) retry_at: Instant,
    /// The end of a least delay: no hint retries before this.
    pub(crate) not_before: Option<Compact>,
    pub(crate) credentials: Credentials,
    pub(crate) reason: Reason,
    pub(crate) turn: Turn,
}

/// Whether the attempt must wait for the shared budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    /// There is no shared budget.
    Own,
    /// The driver reserves an open. Why there is a retry, and what determined its time, is reported
    /// when the open is known.
    Asked { cause: RetryCause, because: Because },
    /// An open is reserved for `retry_at`.
    Reserved,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asking {
    pub(crate) socket: SocketId,
    pub(crate) credentials: Credentials,
    pub(crate) give_up_at: Instant,
    pub(crate) reason: Reason,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// A reconnect on purpose. The next one opens its socket at least `initial_delay` after this one.
    Purpose,
    /// Anything else.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Connecting {
    pub(crate) socket: SocketId,
    pub(crate) credentials: Credentials,
    pub(crate) give_up_at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LoggingIn {
    pub(crate) socket: SocketId,
    pub(crate) credentials: Credentials,
    pub(crate) give_up_at: Instant,
    pub(crate) flow: Flow,
    /// What the dialect has set. `None` if it has set nothing.
    pub(crate) terms: Option<Box<Terms>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Refused {
    pub(crate) socket: SocketId,
    pub(crate) verdict: Verdict,
    pub(crate) leave_at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ready {
    pub(crate) socket: SocketId,
    /// `None` if the heartbeat is off.
    pub(crate) heartbeat: Option<Heartbeat>,
    /// `None` if there is neither a data timeout nor an expectation of the dialect. With an expectation
    /// alone, it only notes when the last message came.
    pub(crate) data: Option<DataWatch>,
    /// When the next step of the renewal is due. `None` if the connection is not renewed.
    pub(crate) renew_at: Option<Compact>,
    pub(crate) renewal: Renewal,
    pub(crate) flow: Flow,
    /// What the dialect has set. `None` if it has set nothing.
    pub(crate) terms: Option<Box<Terms>>,
}

/// What a dialect has set on a socket. Boxed, because most connections have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Terms {
    pub(crate) heartbeat: Option<Pace>,
    pub(crate) expected: Option<Expected>,
    /// Whether an ignored effect was reported.
    pub(crate) is_ignored_reported: bool,
}

/// The interval and timeout of a heartbeat that a dialect has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

/// The span within which the dialect expects something from the server. A byte that is no message
/// only sets `heard_at`, and a message that of the data watch. The Tick at `judge_at` evaluates both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Expected {
    pub(crate) within: Duration,
    pub(crate) watch: DataWatch,
}

/// How far the renewal of a ready connection has come. Its instant is not in here, because that would
/// take eight bytes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Renewal {
    /// `renew_after` has not passed.
    Later,
    /// The driver drains its write buffer. The renewal does not wait longer than until `renew_at`.
    Draining,
}

/// A watch for silence: the data timeout, or that of a dialect. A message only sets `heard_at`. The
/// Tick at `judge_at` evaluates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DataWatch {
    pub(crate) heard_at: Compact,
    pub(crate) judge_at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Closing {
    pub(crate) socket: SocketId,
    pub(crate) abort_at: Instant,
    /// Still counts unanswered pings, but sends none.
    pub(crate) heartbeat: Option<Heartbeat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Closed {
    Asked,
    GaveUp(GiveUpCause),
}

/// Whether bytes move on an open socket, in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    pub(crate) reading: Lane,
    pub(crate) writing: Lane,
}

impl Flow {
    pub(crate) const FREE: Self = Self { reading: Lane::Free, writing: Lane::Free };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Free,
    Held,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Idle,
            memory: Memory {
                now: Instant::ZERO,
                retry: Retry::new(),
                last_socket: 0,
                wall_clock: None,
                jump_at: None,
                online_at: None,
                reconnect_at: None,
                since: Instant::ZERO,
            },
        }
    }

    /// The instant at which a Tick is due. It is derived from the state, and never stored.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.state.deadline()
    }

    /// The socket that the provider is asked for, that is opening, or that is open.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        match &self.state {
            State::Idle | State::Waiting(_) | State::Closed(_) => None,
            State::Asking(Asking { socket, .. })
            | State::Connecting(Connecting { socket, .. })
            | State::LoggingIn(LoggingIn { socket, .. })
            | State::Refused(Refused { socket, .. })
            | State::Ready(Ready { socket, .. })
            | State::Closing(Closing { socket, .. }) => Some(*socket),
        }
    }

    /// Whether the connection is ready: it accepts application messages.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// The state as the application sees it.
    #[must_use]
    pub const fn name(&self, config: &Config) -> ConnectionState {
        match &self.state {
            State::Idle | State::Waiting(_) => ConnectionState::Disconnected,
            State::Asking(_) | State::Connecting(_) => ConnectionState::Connecting,
            State::LoggingIn(_) | State::Refused(_) => ConnectionState::Connected,
            State::Ready(_) => Ready::name(config),
            State::Closing(_) => ConnectionState::Closing,
            State::Closed(_) => ConnectionState::Closed,
        }
    }

    /// Returns a copy of this machine that is moved in time. The copy's current time is `now`, and
    /// the id of its last socket is 1. A model checker compares such copies: two machines that
    /// differ only in their times and ids have equal copies.
    ///
    /// All instants in the machine move by the same span. An instant that would be before zero
    /// becomes zero. If `now` is too small, machines that behave differently may therefore have
    /// equal copies. Counted from zero, `now` must exceed each of these spans:
    ///
    /// - `stable_after`, the longest delay, and the heartbeat's interval;
    /// - the longest time that a ping may be held;
    /// - the 30 s between two hints;
    /// - `initial_delay`.
    #[must_use]
    pub fn rebased(&self, now: Instant) -> Self {
        let mut machine = self.clone();
        let shift = Shift { from: self.memory.now, to: now };
        machine.memory.rebase(shift);
        machine.state.rebase(shift);
        machine
    }
}

impl Ready {
    pub(crate) const fn name(config: &Config) -> ConnectionState {
        match config.login {
            Login::None => ConnectionState::Connected,
            Login::Message { .. } | Login::External { .. } | Login::Dialect { .. } => {
                ConnectionState::Authenticated
            }
        }
    }

    #[inline]
    fn deadline(&self) -> Option<Instant> {
        let beat_at =
            self.heartbeat.as_ref().map(|heartbeat| heartbeat.deadline(self.flow.reading));
        if self.data.is_none() && self.renew_at.is_none() {
            return beat_at; // most connections have neither
        }
        self.deadline_with_watches(beat_at)
    }

    #[inline(never)] // rare, and it would make the path of an early Tick longer
    fn deadline_with_watches(&self, beat_at: Option<Instant>) -> Option<Instant> {
        let [judge_at, silent_at] = match self.flow.reading {
            Lane::Held => [None; 2], // the data may have arrived, but is not read
            Lane::Free => {
                let expected = self.terms.as_ref().and_then(|terms| terms.expected);
                let expected = expected.map(|expected| expected.watch.judge_at);
                [self.data.map(|watch| watch.judge_at), expected]
            }
        };
        let renew_at = self.renew_at.map(Compact::instant);
        [beat_at, judge_at, silent_at, renew_at].into_iter().flatten().min()
    }
}

impl Waiting {
    /// `None` until the driver has reserved an open.
    const fn deadline(&self) -> Option<Instant> {
        match self.turn {
            Turn::Own | Turn::Reserved => Some(self.retry_at),
            Turn::Asked { .. } => None,
        }
    }
}

impl DataWatch {
    /// Starts now, and fires after `span`.
    pub(crate) fn start(now: Instant, span: Duration) -> Self {
        Self { heard_at: Compact::at(now), judge_at: now.saturating_add(span) }
    }

    /// When the watch fired, if it has. What was heard since moves it on.
    pub(crate) fn missed_at(&mut self, now: Instant, span: Duration) -> Option<Instant> {
        if now >= self.judge_at {
            self.judge_at = self.heard_at.instant().saturating_add(span);
        }
        (now >= self.judge_at).then_some(self.judge_at)
    }

    fn rebase(&mut self, shift: Shift, reading: Lane) {
        match reading {
            Lane::Free => {
                self.heard_at = Compact::at(shift.moved(self.heard_at.instant()));
                shift.apply(&mut self.judge_at);
            }
            // While the application does not read, the timeout does not fire, and the resume
            // restarts it.
            Lane::Held => {
                *self = Self { heard_at: Compact::at(Instant::ZERO), judge_at: Instant::ZERO };
            }
        }
    }
}

impl Memory {
    /// The time of an event that comes with `now`: time does not run backwards here.
    #[inline]
    pub(crate) fn told(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// The wall clock's time now, if a driver has ever reported it.
    pub(crate) fn wall_clock_now(&self) -> Option<UnixMillis> {
        let (at, wall) = self.wall_clock?;
        Some(wall.saturating_add(self.now.saturating_duration_since(at.instant())))
    }

    fn rebase(&mut self, shift: Shift) {
        self.last_socket = self.last_socket.min(FIRST_SOCKET.number());
        shift.apply(&mut self.now);
        shift.apply(&mut self.since);
        let told = self.wall_clock.as_mut().map(|(at, _)| at);
        let hints = [&mut self.jump_at, &mut self.online_at, &mut self.reconnect_at];
        for at in told.into_iter().chain(hints.into_iter().flatten()) {
            *at = Compact::at(shift.moved(at.instant()));
        }
    }
}

/// The id of a rebased machine's last socket.
const FIRST_SOCKET: SocketId = SocketId::new(1);

impl State {
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Idle | Self::Closed(_) => None,
            Self::Waiting(waiting) => waiting.deadline(),
            Self::Asking(asking) => Some(asking.give_up_at),
            Self::Connecting(connecting) => Some(connecting.give_up_at),
            Self::LoggingIn(logging_in) => Some(logging_in.give_up_at),
            Self::Refused(refused) => Some(refused.leave_at),
            Self::Ready(ready) => ready.deadline(),
            Self::Closing(closing) => Some(closing.abort_at),
        }
    }

    /// A state's socket is always the last one that was opened.
    fn rebase(&mut self, shift: Shift) {
        match self {
            Self::Idle | Self::Closed(_) => {}
            Self::Waiting(waiting) => {
                shift.apply(&mut waiting.retry_at);
                if let Some(at) = &mut waiting.not_before {
                    *at = Compact::at(shift.moved(at.instant()));
                }
            }
            Self::Asking(asking) => {
                asking.socket = FIRST_SOCKET;
                shift.apply(&mut asking.give_up_at);
            }
            Self::Connecting(connecting) => {
                connecting.socket = FIRST_SOCKET;
                shift.apply(&mut connecting.give_up_at);
            }
            Self::LoggingIn(logging_in) => {
                logging_in.socket = FIRST_SOCKET;
                let terms = logging_in.terms.as_mut();
                if let Some(expected) = terms.and_then(|terms| terms.expected.as_mut()) {
                    // It restarts when the connection is ready.
                    expected.watch = DataWatch::start(Instant::ZERO, Duration::ZERO);
                }
                shift.apply(&mut logging_in.give_up_at);
            }
            Self::Refused(refused) => {
                refused.socket = FIRST_SOCKET;
                shift.apply(&mut refused.leave_at);
            }
            Self::Ready(ready) => {
                ready.socket = FIRST_SOCKET;
                if let Some(heartbeat) = &mut ready.heartbeat {
                    heartbeat.rebase(shift, ready.flow.reading);
                }
                if let Some(watch) = &mut ready.data {
                    watch.rebase(shift, ready.flow.reading);
                }
                let terms = ready.terms.as_mut();
                if let Some(expected) = terms.and_then(|terms| terms.expected.as_mut()) {
                    expected.watch.rebase(shift, ready.flow.reading);
                }
                if let Some(at) = &mut ready.renew_at {
                    *at = Compact::at(shift.moved(at.instant()));
                }
            }
            Self::Closing(closing) => {
                closing.socket = FIRST_SOCKET;
                shift.apply(&mut closing.abort_at);
                if let Some(heartbeat) = &mut closing.heartbeat {
                    heartbeat.rebase_closing(shift);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::close::CloseFrame;
    use crate::config::HeartbeatKind;
    use crate::connection::Connection;
    use crate::event::{Event, Failure, Frame};

    const HORIZON: Instant = Instant::from_millis(60_000);

    const fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn quiet() -> Arc<Config> {
        Arc::new(Config::builder().heartbeat(HeartbeatKind::Off).build().unwrap())
    }

    fn open(connection: &mut Connection, now: Instant) -> SocketId {
        let _ = connection.handle(now, Event::ConnectRequested);
        let socket = connection.socket().unwrap();
        let _ = connection.handle(now, Event::SocketOpened(socket));
        socket
    }

    #[test]
    fn the_same_life_at_another_time_on_another_socket_compares_equal() {
        let mut early = Connection::from_seed(quiet(), 7);
        let mut late = Connection::from_seed(quiet(), 7);
        open(&mut early, at(0));
        let first = open(&mut late, at(0));
        let _ = late.handle(at(100), Event::CloseRequested(CloseFrame::NORMAL));
        let _ = late.handle(at(100), Event::SocketFailed(first, Failure::Eof));
        open(&mut late, at(500));
        let _ = early.handle(at(60), Event::Tick);
        let _ = late.handle(at(560), Event::Tick);

        assert_ne!(early.machine(), late.machine());
        assert_eq!(early.machine().rebased(HORIZON), late.machine().rebased(HORIZON));
    }

    #[test]
    fn a_connection_that_is_stable_and_one_that_is_not_yet_differ() {
        let mut connection = Connection::from_seed(quiet(), 7);
        open(&mut connection, at(0));
        let _ = connection.handle(at(1), Event::Tick);
        let young = connection.machine().rebased(HORIZON);
        let _ = connection.handle(at(20), Event::Tick);

        assert_ne!(young, connection.machine().rebased(HORIZON));
    }

    /// A connection whose ping was handed over at `handed_at`, then something else happened.
    fn handed(handed_at: Instant, then: impl Fn(&mut Connection, SocketId)) -> Machine {
        let mut connection = Connection::from_seed(Arc::new(Config::default()), 7);
        let socket = open(&mut connection, at(0));
        let _ = connection.handle(at(30), Event::Tick);
        let _ = connection.handle(handed_at, Event::PingHanded(socket, 0));
        then(&mut connection, socket);
        connection.machine().rebased(HORIZON)
    }

    #[test]
    fn a_judgement_that_a_resume_restarts_is_not_told_apart_while_reading_is_paused() {
        let ready = |connection: &mut Connection, _: SocketId| {
            let _ = connection.handle(at(33), Event::Tick);
        };
        let paused = |connection: &mut Connection, socket: SocketId| {
            let _ = connection.handle(at(33), Event::ReadingPaused(socket));
        };

        assert_ne!(handed(at(31), ready), handed(at(32), ready));
        assert_eq!(handed(at(31), paused), handed(at(32), paused));
    }

    #[test]
    fn a_judgement_is_not_told_apart_in_closing() {
        let closing = |connection: &mut Connection, _: SocketId| {
            let _ = connection.handle(at(33), Event::CloseRequested(CloseFrame::NORMAL));
        };

        assert_eq!(handed(at(31), closing), handed(at(32), closing));
    }

    #[test]
    fn a_sign_of_life_is_told_apart_only_while_a_ping_is_judged() {
        let silent = |connection: &mut Connection, _: SocketId| {
            let _ = connection.handle(at(32), Event::Tick); // nothing is due
        };
        let heard = |connection: &mut Connection, socket: SocketId| {
            let _ = connection.handle(at(32), Event::BytesReceived(socket));
        };
        let before_the_first_ping = |event: &dyn Fn(SocketId) -> Event<'static>| {
            let mut connection = Connection::from_seed(Arc::new(Config::default()), 7);
            let socket = open(&mut connection, at(0));
            let _ = connection.handle(at(1), event(socket));
            connection.machine().rebased(HORIZON)
        };

        assert_ne!(handed(at(31), silent), handed(at(31), heard));
        assert_eq!(
            before_the_first_ping(&|_| Event::Tick),
            before_the_first_ping(&Event::BytesReceived)
        );
    }

    #[test]
    fn in_closing_a_ping_that_is_out_is_told_apart_from_none() {
        let closing = |connection: &mut Connection| {
            let _ = connection.handle(at(33), Event::CloseRequested(CloseFrame::NORMAL));
        };
        let out = handed(at(31), |connection, _| closing(connection));
        let answered = handed(at(31), |connection, socket| {
            let _ = connection.handle(at(33), Event::FrameReceived(socket, Frame::Pong(b"1")));
            closing(connection);
        });

        assert_ne!(out, answered);
    }
}
