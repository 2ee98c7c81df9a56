//! The machine proper: the states, what each holds, and the deadline that follows from it.
//!
//! Everything that changes a state stands in `transitions.rs`.

use core::time::Duration;

use crate::action::{Credentials, GiveUpCause};
use crate::config::Config;
use crate::heartbeat::Heartbeat;
use crate::login::Login;
use crate::retry::Retry;
use crate::state::{ConnectionState, SocketId};
use crate::time::{Instant, UnixMillis};

/// State and memory, without generator, configuration and statistics: a value that can be compared,
/// hashed and rebased, as a model checker needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    pub(crate) state: State,
    pub(crate) memory: Memory,
}

/// What outlives a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    /// The latest instant that was told: time does not run backwards here.
    pub(crate) now: Instant,
    pub(crate) retry: Retry,
    pub(crate) last_socket: u64,
    /// The last report of the wall clock, and when it came.
    pub(crate) wall_clock: Option<(Instant, UnixMillis)>,
    /// When a clock jump was last acted on.
    pub(crate) jump_at: Option<Instant>,
    /// When a returning network was last acted on.
    pub(crate) online_at: Option<Instant>,
    /// Since when the connection has not been ready.
    pub(crate) unready_since: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// DISCONNECTED, and nobody has asked for a connection.
    Idle,
    /// DISCONNECTED until the next attempt.
    Waiting(Waiting),
    /// CONNECTING.
    Connecting(Connecting),
    /// CONNECTED, with a login to do.
    LoggingIn(LoggingIn),
    /// AUTHENTICATED, or CONNECTED where no login is configured.
    Ready(Ready),
    /// CLOSING.
    Closing(Closing),
    /// CLOSED.
    Closed(Closed),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waiting {
    pub(crate) retry_at: Instant,
    pub(crate) credentials: Credentials,
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
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ready {
    pub(crate) socket: SocketId,
    pub(crate) since: Instant,
    /// `None` where the heartbeat is off.
    pub(crate) heartbeat: Option<Heartbeat>,
    /// When application data is missed; `None` where it is not watched for.
    pub(crate) data: Option<DataWatch>,
    pub(crate) flow: Flow,
}

/// The watch over application data. A message only stamps; the Tick at `judge_at` judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DataWatch {
    pub(crate) heard_at: Instant,
    pub(crate) judge_at: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Closing {
    pub(crate) socket: SocketId,
    pub(crate) abort_at: Instant,
    /// Knows the pings that are still unanswered; it beats no more.
    pub(crate) heartbeat: Option<Heartbeat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Closed {
    Asked,
    GaveUp(GiveUpCause),
}

/// Whether bytes move on an open socket, each way.
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
                unready_since: Instant::ZERO,
            },
        }
    }

    /// The instant at which a Tick is due: derived from the state, never stored beside it.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Idle | State::Closed(_) => None,
            State::Waiting(waiting) => Some(waiting.retry_at),
            State::Connecting(connecting) => Some(connecting.give_up_at),
            State::LoggingIn(logging_in) => Some(logging_in.give_up_at),
            State::Ready(ready) => ready.deadline(),
            State::Closing(closing) => Some(closing.abort_at),
        }
    }

    /// The socket that is opening or open.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketId> {
        match &self.state {
            State::Idle | State::Waiting(_) | State::Closed(_) => None,
            State::Connecting(Connecting { socket, .. })
            | State::LoggingIn(LoggingIn { socket, .. })
            | State::Ready(Ready { socket, .. })
            | State::Closing(Closing { socket, .. }) => Some(*socket),
        }
    }

    /// Whether application messages are taken.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// The state as the application sees it.
    #[must_use]
    pub const fn name(&self, config: &Config) -> ConnectionState {
        match &self.state {
            State::Idle | State::Waiting(_) => ConnectionState::Disconnected,
            State::Connecting(_) => ConnectionState::Connecting,
            State::LoggingIn(_) => ConnectionState::Connected,
            State::Ready(_) => Ready::name(config),
            State::Closing(_) => ConnectionState::Closing,
            State::Closed(_) => ConnectionState::Closed,
        }
    }

    /// The same machine with all instants moved back so that now is zero: two machines that will behave
    /// alike from here on compare equal, whenever they are.
    #[must_use]
    pub fn rebased(&self) -> Self {
        let mut machine = self.clone();
        let by = machine.memory.now.saturating_duration_since(Instant::ZERO);
        machine.memory.rebase(by);
        machine.state.rebase(by);
        machine
    }
}

impl Ready {
    pub(crate) const fn name(config: &Config) -> ConnectionState {
        match config.login {
            Login::None => ConnectionState::Connected,
            Login::Message { .. } | Login::External { .. } => ConnectionState::Authenticated,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.flow.reading {
            Lane::Held => None,
            Lane::Free => {
                let heartbeat = self.heartbeat.as_ref().and_then(Heartbeat::deadline);
                let data = self.data.map(|watch| watch.judge_at);
                heartbeat.into_iter().chain(data).min()
            }
        }
    }
}

impl Memory {
    /// The wall clock now, as far as it was ever told.
    pub(crate) fn wall_clock_now(&self) -> Option<UnixMillis> {
        let (at, wall) = self.wall_clock?;
        Some(wall.saturating_add(self.now.saturating_duration_since(at)))
    }

    fn rebase(&mut self, by: Duration) {
        self.now = self.now.saturating_sub(by);
        self.unready_since = self.unready_since.saturating_sub(by);
        let told = self.wall_clock.as_mut().map(|(at, _)| at);
        for instant in told.into_iter().chain(&mut self.jump_at).chain(&mut self.online_at) {
            *instant = instant.saturating_sub(by);
        }
    }
}

impl State {
    fn rebase(&mut self, by: Duration) {
        let move_back = |instant: &mut Instant| *instant = instant.saturating_sub(by);
        match self {
            Self::Idle | Self::Closed(_) => {}
            Self::Waiting(waiting) => move_back(&mut waiting.retry_at),
            Self::Connecting(connecting) => move_back(&mut connecting.give_up_at),
            Self::LoggingIn(logging_in) => move_back(&mut logging_in.give_up_at),
            Self::Ready(ready) => {
                move_back(&mut ready.since);
                if let Some(heartbeat) = &mut ready.heartbeat {
                    heartbeat.rebase(by);
                }
                if let Some(watch) = &mut ready.data {
                    move_back(&mut watch.heard_at);
                    move_back(&mut watch.judge_at);
                }
            }
            Self::Closing(closing) => {
                move_back(&mut closing.abort_at);
                if let Some(heartbeat) = &mut closing.heartbeat {
                    heartbeat.rebase(by);
                }
            }
        }
    }
}
