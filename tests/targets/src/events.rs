//! A history: settings and events. The tests' checker checks every event.
//!
//! Catches: any invariant of ARCHITECTURE.md that some history of the core breaks, and any panic or
//! overflow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway_core::{
    Action, ConnectionState, DialectCall, DialectCallKind, DisconnectCause, Effect, Event, Instant,
    Notice, Observed, Observer, Outgoing,
};
use gateway_testkit::history::{Plan, World, run_observed};
use serde::{Deserialize, Serialize};

use crate::Sights;

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Input(Plan);

impl crate::Input for Input {
    fn run(self) -> Sights {
        let seen = Seen::default();
        match run_observed(&self.0, seen.clone()) {
            Ok(world) => &sights(&world) | &*seen.sights(),
            Err(violation) => panic!("{violation}"),
        }
    }
}

/// What a history has reached on its way.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Sights>>);

impl Seen {
    fn sights(&self) -> MutexGuard<'_, Sights> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // a set of words is whole at any time
    }
}

impl Observer for Seen {
    fn observe(&mut self, observed: &Observed<'_>) {
        let moves_timer =
            observed.actions.iter().any(|action| matches!(action, Action::ScheduleTimer(_)));
        let sight = match observed.event {
            Event::PingHeld(..) if moves_timer => Some("ping held"),
            Event::PingHanded(..) if moves_timer => Some("ping handed over"),
            Event::Drained(_) if !observed.actions.is_empty() => Some("drained"),
            Event::ReconnectRequested if opens(observed.actions) && !plans(observed.actions) => {
                Some("opened by a reconnect request, with no wait")
            }
            Event::ProviderAnswered(_) if opens(observed.actions) => Some("provider answered"),
            Event::OpenReserved(_) if plans(observed.actions) => Some("open reserved"),
            _ => None,
        };
        self.sights().extend(sight);
        self.sights().extend(observed.spoken.iter().filter_map(farewell));
        for action in observed.actions {
            let sight = match action {
                Action::AbortSocket(_) => "aborted",
                Action::ResumeAt(_) => "resume",
                Action::Send(_, Outgoing::DialectPing(_)) => "dialect ping",
                Action::Notify(Notice::EffectIgnored { .. }) => "effect ignored",
                Action::Notify(Notice::Disconnected { cause, .. }) => match cause {
                    DisconnectCause::PongTimeout => "pong timeout",
                    DisconnectCause::WriteStall => "write stall",
                    DisconnectCause::Dialect => "dialect left",
                    DisconnectCause::Reconnect => "reconnect",
                    DisconnectCause::Renewal => "renewal",
                    DisconnectCause::Provider => "provider failed",
                    DisconnectCause::AttemptTimeout => "attempt timeout",
                    _ => continue,
                },
                _ => continue,
            };
            self.sights().insert(sight);
        }
    }
}

fn farewell(call: &DialectCall) -> Option<&'static str> {
    let sends = call.effects.iter().any(|effect| matches!(effect, Effect::Send(_)));
    (call.call == DialectCallKind::Closing && sends).then_some("farewell")
}

fn opens(actions: &[Action]) -> bool {
    actions.iter().any(|action| matches!(action, Action::OpenSocket { .. }))
}

fn plans(actions: &[Action]) -> bool {
    let is_plan = |action: &Action| matches!(action, Action::Notify(Notice::RetryScheduled { .. }));
    actions.iter().any(is_plan)
}

/// What a history has reached.
pub(crate) fn sights(world: &World) -> Sights {
    let statistics = world.rig.connection.statistics(world.rig.latest);
    let mut sights = Sights::new();
    if statistics.became_ready {
        sights.insert("ready");
    }
    if statistics.reconnects > 0 {
        sights.insert("reconnected");
    }
    if world.rig.connection.state() == ConnectionState::Connecting {
        sights.insert("an attempt at the end");
    }
    if statistics.stale_events > 0 {
        sights.insert("stale");
    }
    if statistics.effects_ignored > 0 {
        sights.insert("effects without effect");
    }
    if statistics.round_trip.last == Some(Duration::from_nanos(u64::MAX)) {
        sights.insert("a round trip as long as time");
    }
    if world.rig.connection.next_deadline() == Some(Instant::from_nanos(u64::MAX)) {
        sights.insert("a deadline at the end of time");
    }
    sights
}
