//! What the search has seen, so that no law passes vacuously.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_core::{Action, Actions, CloseCode, DisconnectCause, Event, Notice};

use crate::environment::Ping;

/// A kind of news, and which: `("disconnected", "pong_timeout")`.
pub(crate) type Sight = (&'static str, &'static str);

/// How often each was seen, over all steps of the search.
#[derive(Debug, Default)]
pub(crate) struct Sights(Mutex<BTreeMap<Sight, u64>>);

impl Sights {
    /// Counts what an event and its actions show. `ping` is where the newest ping was before the event.
    pub(crate) fn take(&self, ping: Ping, event: &Event<'_>, actions: &Actions) {
        if let Some(sight) = of_event(ping, event) {
            self.count(sight);
        }
        for action in actions {
            for sight in of_action(ping, action).into_iter().flatten() {
                self.count(sight);
            }
        }
    }

    fn count(&self, sight: Sight) {
        *self.book().entry(sight).or_default() += 1;
    }

    /// Those of `expected` that were never seen: kinds of news, each with a list of words.
    pub(crate) fn missing(&self, expected: &[Sight]) -> Vec<Sight> {
        let book = self.book();
        let each = |&(kind, words): &Sight| words.split(' ').map(move |which| (kind, which));
        expected.iter().flat_map(each).filter(|sight| !book.contains_key(sight)).collect()
    }

    fn book(&self) -> MutexGuard<'_, BTreeMap<Sight, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner) // counters are whole at any time
    }
}

impl fmt::Display for Sights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ((kind, which), times)) in self.book().iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{kind} {which} {times}")?;
        }
        Ok(())
    }
}

fn of_event(ping: Ping, event: &Event<'_>) -> Option<Sight> {
    match (event, ping) {
        (Event::PingHeld(..), _) => Some(("ping", "held")),
        (Event::WriteProgressed(_), _) => Some(("ping", "progressed")),
        (Event::PingHanded(..), Ping::Held) => Some(("ping", "handed_over")),
        (Event::PingHanded(..), _) => Some(("ping", "written_at_once")),
        _ => None,
    }
}

fn of_action(ping: Ping, action: &Action) -> [Option<Sight>; 2] {
    match action {
        Action::AbortSocket(_) => [Some(("order", "abort_socket")), None],
        Action::Notify(notice) => {
            let is_held = ping == Ping::Held;
            let while_held = match notice {
                Notice::PongReceived { .. } => Some(("held", "pong_received")),
                Notice::ClockJumped { .. } => Some(("held", "clock_jumped")),
                _ => None,
            };
            let besides = while_held.filter(|_| is_held).or_else(|| of_refusal(notice));
            [of_notice(notice), besides]
        }
        _ => [None, None],
    }
}

/// How the wait of a refused login ended: 1012 softens the verdict.
fn of_refusal(notice: &Notice) -> Option<Sight> {
    let Notice::Disconnected { cause: DisconnectCause::LoginRefused(code), .. } = notice else {
        return None;
    };
    Some(match code {
        Some(CloseCode::SERVICE_RESTART) => ("refused", "softened"),
        Some(_) => ("refused", "not_softened"),
        None => ("refused", "without_a_close"),
    })
}

fn of_notice(notice: &Notice) -> Option<Sight> {
    match notice {
        Notice::Disconnected { cause, .. } => Some(("disconnected", cause.name())),
        Notice::GaveUp { cause } => Some(("gave_up", cause.name())),
        Notice::Stale { what, .. } => Some(("stale", what.name())),
        Notice::RetryScheduled { because, .. } => Some(("retry", because.name())),
        Notice::SendRejected(why) => Some(("rejected", why.name())),
        Notice::ClockJumped { .. } => Some(("notice", "clock_jumped")),
        Notice::Ready { .. } => Some(("notice", "ready")),
        Notice::PongReceived { .. } => Some(("notice", "pong_received")),
        Notice::EffectIgnored { .. } => Some(("notice", "effect_ignored")),
        _ => None,
    }
}
