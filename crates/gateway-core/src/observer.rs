//! Watching a connection from outside: what a journal keeps, a trace shows, and a checker judges.

use crate::action::Action;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::event::Event;
use crate::state::ConnectionState;
use crate::time::Instant;

/// One event, the actions that it yielded, and how the connection stood after it.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // tests make them by hand
pub struct Observed<'a> {
    /// When the event was handed over.
    pub now: Instant,
    /// The event.
    pub event: Event<'a>,
    /// What was to be done, in order.
    pub actions: &'a [Action],
    /// The state after it.
    pub state: ConnectionState,
    /// When the next Tick is due after it.
    pub deadline: Option<Instant>,
}

/// Is told everything that a connection is told, and what it answers.
///
/// A driver calls [`begin`](Self::begin) once, before the first event, and [`observe`](Self::observe) after each. An
/// observer changes nothing: the connection acts as it would without one.
pub trait Observer {
    /// The connection is made with these settings and this seed.
    fn begin(&mut self, config: &Config, seed: u64) {
        let _ = (config, seed);
    }

    /// An event was handled. `dialect` says what a text was to the connection.
    fn observe(&mut self, observed: &Observed<'_>, dialect: &dyn Dialect);
}
