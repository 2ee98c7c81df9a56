//! The model: which steps are possible, the state after each, and the laws.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::Connection;
use gateway_testkit::Fixed;
use stateright::{Model, Property};

use crate::configurations::Configuration;
use crate::drills;
use crate::environment::Environment;
use crate::law::Law;
use crate::sights::Sights;
use crate::speech::{Asks, Speech};
use crate::state::State;
use crate::step::{NAP, Saying, Step, What, When};

/// A connection of one configuration with its environment.
#[derive(Debug)]
pub struct World {
    pub(crate) configuration: Configuration,
    pub(crate) sights: Sights,
}

impl World {
    /// The world of a configuration.
    #[must_use]
    pub fn new(configuration: Configuration) -> Self {
        Self { configuration, sights: Sights::default() }
    }

    /// What the dialect asks for in this step.
    pub(crate) fn asks(&self, step: Step) -> Asks {
        self.configuration.speech.get(step.says).copied().unwrap_or_default()
    }

    /// How late an event may be.
    pub(crate) const fn stall(&self) -> Duration {
        self.configuration.stall
    }

    /// The possible steps of the user and the machine, each at any of the times.
    fn offer_told(&self, state: &State, mut offer: impl FnMut(What)) {
        let environment = &state.environment;
        offer(What::Tick);
        offer(What::Connect);
        offer(What::Close);
        for &extra in self.configuration.extras {
            let is_asked = match extra {
                What::Reserve(_) => state.connection.is_reserving(),
                _ => environment.allows(extra, state.connection.state()),
            };
            if !extra.is_at_once() && is_asked {
                offer(extra);
            }
        }
        for (age, line) in environment.lines.iter().enumerate() {
            for message in line.in_flight.iter() {
                offer(What::Hear(age, Saying(message)));
                offer(What::HearFirst(age, Saying(message)));
            }
        }
    }

    /// The possible steps of the network that the connection does not see.
    fn offer_unseen(&self, state: &State, mut offer: impl FnMut(What)) {
        let has_room = state.environment.in_flight() < self.configuration.in_flight;
        for (age, line) in state.environment.lines.iter().enumerate() {
            for &message in self.configuration.messages {
                if has_room && line.may_say(message) {
                    offer(What::Say(age, Saying(message)));
                }
            }
            for message in line.in_flight.iter() {
                offer(What::Lose(age, Saying(message)));
            }
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let settings = Arc::clone(&self.configuration.settings);
        let speech = Speech::of(self.configuration.speech);
        let connection = Connection::with_dialect(settings, Fixed::HALF, speech);
        let environment =
            Environment { is_reading: true, is_writing: true, ..Environment::default() };
        vec![State::new(connection, environment, self.configuration.horizon)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.fault.is_some() {
            return;
        }
        let at_once = |what| Step { when: When::Now, what, says: 0 };
        self.offer_unseen(state, |what| steps.push(at_once(what)));
        steps.push(at_once(What::Send));
        for &extra in self.configuration.extras {
            if extra.is_at_once() && state.environment.allows(extra, state.connection.state()) {
                steps.push(at_once(extra));
            }
        }
        let times =
            When::ALL.into_iter().filter(|when| when.instant(state, self.stall()).is_some());
        for when in times {
            self.offer_told(state, |what| {
                let choices = if what.may_call() { self.configuration.speech.len() } else { 1 };
                steps.extend((0..choices).map(|says| Step { when, what, says }));
            });
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        match step.what {
            What::Say(age, Saying(message)) => next.environment.lines.get_mut(age)?.say(message),
            What::Lose(age, Saying(message)) | What::Hear(age, Saying(message)) => {
                next.environment.lines.get_mut(age)?.in_flight.remove(message);
            }
            What::Sleep => next.slept = next.slept.saturating_add(NAP),
            What::HearFirst(..)
            | What::Wake
            | What::Connect
            | What::Close
            | What::Send
            | What::Online
            | What::Pause
            | What::Resume
            | What::Block
            | What::Flush
            | What::Hold(..)
            | What::Progress
            | What::Hand(_)
            | What::WriteBehind(_)
            | What::Reconnect
            | What::Reserve(_)
            | What::Drained
            | What::Tick => {}
        }
        next.environment.settle();
        let now = step.when.instant(state, self.stall())?;
        let Some(event) = step.what.event(state, now) else { return Some(next) };
        next.connection.dialect_mut().asks = self.asks(step);
        match next.tell(now, event) {
            Ok(actions) => self.sights.take(state.environment.ping, &event, &actions),
            Err(fault) => next.fault = Some(fault),
        }
        Some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.environment.unanswered <= self.configuration.pings
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            kept::<{ Law::OneSocket as usize }>(Law::OneSocket),
            kept::<{ Law::CloseWins as usize }>(Law::CloseWins),
            kept::<{ Law::OneClose as usize }>(Law::OneClose),
            kept::<{ Law::Abort as usize }>(Law::Abort),
            kept::<{ Law::Total as usize }>(Law::Total),
            kept::<{ Law::NoDeadEnd as usize }>(Law::NoDeadEnd),
            kept::<{ Law::TickMovesOn as usize }>(Law::TickMovesOn),
            kept::<{ Law::ClosedStays as usize }>(Law::ClosedStays),
            kept::<{ Law::Checker as usize }>(Law::Checker),
            drilled(Law::EarlyTick, |_, state| drills::early_tick(state).is_ok()),
            drilled(Law::ClosingEnds, |_, state| drills::closing_ends(state).is_ok()),
            drilled(Law::Recovers, |_, state| drills::recovers(state).is_ok()),
        ]
    }
}

/// A law that is checked on each step.
fn kept<const LAW: usize>(law: Law) -> Property<World> {
    Property::always(law.words(), |_, state: &State| {
        state.fault.as_ref().is_none_or(|fault| fault.law as usize != LAW)
    })
}

/// A law that is tried in each state, unless a step has already broken it.
fn drilled(law: Law, condition: fn(&World, &State) -> bool) -> Property<World> {
    Property::always(law.words(), condition)
}
