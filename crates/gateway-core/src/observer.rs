//! Observing a connection, for journals, traces and checkers.

use crate::action::Action;
use crate::config::Config;
use crate::dialect::Spoken;
use crate::event::Event;
use crate::login::LoginAnswer;
use crate::sending::SendingFact;
use crate::state::ConnectionState;
use crate::time::Instant;

/// One event, its actions, and the connection's state after it.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // tests construct it
pub struct Observed<'a> {
    /// The time of the event.
    pub now: Instant,
    /// The event.
    pub event: Event<'a>,
    /// The actions, in order.
    pub actions: &'a [Action],
    /// What the dialect asked for during the event.
    pub spoken: &'a Spoken,
    /// What the configuration's rules made of the event's text, if it came during a login.
    pub login: LoginAnswer,
    /// The state after the event.
    pub state: ConnectionState,
    /// When the next Tick is due, after the event.
    pub deadline: Option<Instant>,
}

/// Receives every event of a connection, with the actions that it caused.
///
/// A driver calls [`begin`](Self::begin) once, before the first event, and
/// [`observe`](Self::observe) after each event. A driver with an outbox, a rate limit or requests also
/// calls [`sending`](Self::sending). An observer changes nothing: the connection acts as it would
/// without one.
pub trait Observer {
    /// A connection was created with these settings and this seed.
    fn begin(&mut self, config: &Config, seed: u64) {
        let _ = (config, seed);
    }

    /// The connection handled an event.
    fn observe(&mut self, observed: &Observed<'_>);

    /// The driver did something with a message or a request, at `now`. Facts and events come in the
    /// order in which they happened.
    fn sending(&mut self, now: Instant, fact: &SendingFact) {
        let _ = (now, fact);
    }
}
