//! A state: the real connection, its environment, and the equality of states.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_core::{Actions, Connection, ConnectionState, Event, HeartbeatKind, Instant, Machine};
use gateway_testkit::{Checker, Fixed};

use crate::environment::Environment;
use crate::law::{Fault, Law};
use crate::speech::Speech;

/// The state at the end of a history.
///
/// Two states are equal if their rebased machines and their environments are equal. The checker, the
/// statistics and the absolute time are of the shortest history to this state.
#[derive(Clone)]
pub struct State {
    pub(crate) connection: Connection<Fixed, Speech>,
    pub(crate) now: Instant,
    /// The number of the last socket.
    pub(crate) last: u64,
    /// How long the machine has slept in all: the wall clock is ahead by this.
    pub(crate) slept: Duration,
    pub(crate) environment: Environment,
    pub(crate) fault: Option<Fault>,
    pub(crate) checker: Checker,
    /// The instant that machines are rebased to.
    pub(crate) horizon: Instant,
}

impl State {
    /// The initial state.
    pub(crate) fn new(
        connection: Connection<Fixed, Speech>,
        environment: Environment,
        horizon: Instant,
    ) -> Self {
        let checker = Checker::new(connection.config().clone());
        let (now, last, slept, fault) = (Instant::ZERO, 0, Duration::ZERO, None);
        Self { connection, now, last, slept, environment, fault, checker, horizon }
    }

    /// Passes an event to the connection, performs its actions, and checks the laws.
    pub(crate) fn tell(&mut self, now: Instant, event: Event<'_>) -> Result<Actions, Fault> {
        let before = self.connection.state();
        if now > self.now {
            self.environment.waited();
        }
        self.now = now;
        self.environment.heard(&event, before, self.last);
        let handled = catch_unwind(AssertUnwindSafe(|| self.connection.handle(now, event)));
        let Ok(actions) = handled else {
            return Err(Law::Total.broken(format!("{event:?} in {before} panics")));
        };
        for action in &actions {
            self.environment.perform(action, &mut self.last)?;
        }
        let (state, deadline) = (self.connection.state(), self.connection.next_deadline());
        self.checker
            .observe(&self.connection.observed(now, event, &actions))
            .map_err(|broken| Law::from(broken.invariant).broken(broken.to_string()))?;
        self.environment.agrees(self.connection.socket(), self.last)?;
        self.environment.settle();
        let is_tick = matches!(event, Event::Tick);
        Law::TickMovesOn.hold(!is_tick || deadline.is_none_or(|at| at > now), || {
            format!("a Tick at {now:?} leaves {deadline:?} in {state}")
        })?;
        let may_leave = matches!(event, Event::ConnectRequested | Event::ReconnectRequested);
        let has_left = before == ConnectionState::Closed && state != ConnectionState::Closed;
        Law::ClosedStays
            .hold(may_leave || !has_left, || format!("{event:?} leads from CLOSED to {state}"))?;
        Law::NoDeadEnd.hold(deadline.is_some() == self.must_end(), || {
            format!("in {state} the deadline is {deadline:?}")
        })?;
        Ok(actions)
    }

    /// Whether this state must change without any further event.
    fn must_end(&self) -> bool {
        match self.connection.state() {
            // The driver answers at once, so a wait for it needs no deadline.
            ConnectionState::Disconnected => {
                self.environment.is_wanted && !self.connection.is_reserving()
            }
            ConnectionState::Connecting | ConnectionState::Closing => true,
            ConnectionState::Connected | ConnectionState::Authenticated => {
                let config = self.connection.config();
                let is_watched = self.environment.is_reading && config.data_timeout().is_some();
                let beats = config.heartbeat_kind() != HeartbeatKind::Off;
                let is_renewed = config.renew_after().is_some();
                beats || is_watched || is_renewed || !self.connection.is_ready()
            }
            ConnectionState::Closed => false,
        }
    }

    fn key(&self) -> (Machine, Duration, &Environment, &Option<Fault>) {
        let machine = self.connection.machine().rebased(self.horizon);
        (machine, self.slept, &self.environment, &self.fault)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("now", &self.now)
            .field("connection", &self.connection)
            .field("environment", &self.environment)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
