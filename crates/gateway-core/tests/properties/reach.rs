//! Random histories reach every event, notice and cause. A new one that they do not reach is named here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use gateway_core::{
    Action, Config, DisconnectCause, Event, Notice, Observed, Observer, SendRejection, SocketId,
    every,
};
use gateway_testkit::history::{Plan, run_observed};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::strategies;

/// The names of the events, notices and causes that were seen.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeSet<String>>>);

impl Observer for Seen {
    fn begin(&mut self, _: &Config, _: u64) {}

    fn observe(&mut self, observed: &Observed<'_>) {
        let mut seen = self.0.lock().unwrap();
        seen.insert(event(&observed.event));
        for action in observed.actions {
            if let Action::Notify(of_action) = action {
                seen.extend(notice(of_action));
            }
        }
    }
}

fn event(event: &Event<'_>) -> String {
    format!("event {}", event.kind().name())
}

/// The name of the notice, and the names of the causes in it.
fn notice(notice: &Notice) -> Vec<String> {
    let shown = format!("{notice:?}");
    let variant = shown.split([' ', '(']).next().unwrap_or_default();
    let mut words = vec![format!("notice {variant}")];
    match *notice {
        Notice::Disconnected { cause, .. } => {
            words.push(format!("disconnected {}", cause.name()));
            match cause {
                DisconnectCause::Lost(failure) | DisconnectCause::ProtocolError(failure) => {
                    words.push(format!("failure {}", failure.name()));
                }
                DisconnectCause::OpenFailed(error) => words.push(format!("error {}", error.name())),
                _ => {}
            }
        }
        Notice::RetryScheduled { cause, because, .. } => {
            words.push(format!("retry for {}", cause.name()));
            words.push(format!("retry by {}", because.name()));
        }
        Notice::GaveUp { cause } => words.push(format!("gave up {}", cause.name())),
        Notice::SendRejected(why) => words.push(format!("rejected {}", why.name())),
        _ => {}
    }
    words
}

fn plans() -> impl Iterator<Item = Plan> {
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::prop_oneof![
        strategies::plan(),
        strategies::punctual_plan(),
        strategies::coarse_plan(),
        strategies::refused_plan(),
        strategies::asking_plan(),
        strategies::spoken_plan(),
    ];
    (0..1_500).map(move |_| strategy.new_tree(&mut runner).expect("a plan").current())
}

#[test]
fn random_histories_reach_every_event_notice_and_cause() {
    let seen = Seen::default();
    for plan in plans() {
        run_observed(&plan, seen.clone()).unwrap_or_else(|violation| panic!("{violation}"));
    }
    let seen = seen.0.lock().unwrap();
    let mut expected: BTreeSet<String> =
        every::events(SocketId::new(1)).iter().map(event).collect();
    expected.extend(every::notices().iter().flat_map(notice));
    let causes = every::disconnect_causes();
    expected.extend(causes.iter().map(|cause| format!("disconnected {}", cause.name())));
    expected.extend(every::failures().iter().map(|why| format!("failure {}", why.name())));
    expected.extend(every::open_errors().iter().map(|why| format!("error {}", why.name())));
    let retries = every::retry_causes();
    expected.extend(retries.iter().map(|cause| format!("retry for {}", cause.name())));
    expected.extend(every::reasons().iter().map(|why| format!("retry by {}", why.name())));
    expected.extend(every::give_up_causes().iter().map(|why| format!("gave up {}", why.name())));
    for why in every::send_rejections() {
        // Only drivers give the other reasons.
        if let SendRejection::NotReady | SendRejection::Closed | SendRejection::WriteBlocked = why {
            expected.insert(format!("rejected {}", why.name()));
        }
    }
    let missing: Vec<_> = expected.difference(&seen).collect();
    assert!(
        missing.is_empty(),
        "draw what leads to {missing:?} in the testkit's history and in tests/properties/strategies.rs"
    );
}
