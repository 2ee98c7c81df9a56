//! The same scenario and seed give the same bytes.

use std::ops::ControlFlow;

use gateway_sim::{NamedScenario, Outcome, ScenarioBuilder, Simulation};

use crate::{run, small};

fn bytes(outcome: &Outcome) -> String {
    serde_json::to_string(outcome).expect("plain data")
}

/// A scenario in which everything that is random takes part.
fn random() -> ScenarioBuilder {
    let mut builder = small(NamedScenario::RollingRestart, 500);
    builder
        .set("horizon", "2m")
        .set("server.balance", "random")
        .set("network.latency", "10ms")
        .set("network.jitter", "30ms")
        .set("network.distribution", "exponential")
        .set("network.loss", 0.05)
        .set("network.detection", "3s")
        .set("faults.1.kind", "drop")
        .set("faults.1.at", "30s")
        .set("faults.1.share", 0.5)
        .set("groups.0.churn", 5);
    builder
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let first = bytes(&run(&random()));
    assert_eq!(first, bytes(&run(&random())));
    let mut other = random();
    other.set("seed", 2);
    assert_ne!(first, bytes(&run(&other)));
}

/// The figures are those of one machine. They must be the same on every other.
#[test]
fn the_outcome_is_the_same_on_every_platform() {
    let outcome = run(&random());
    let totals = outcome.totals;
    let found = (
        outcome.events,
        totals.opens,
        totals.opened,
        totals.losses,
        totals.became_ready,
        totals.left,
    );
    assert_eq!(found, PINNED);
}

const PINNED: (u64, u64, u64, u64, u64, u64) = (5_213, 1_044, 1_043, 459, 1_043, 600);

#[test]
fn clients_that_run_ahead_change_no_byte_of_the_outcome() {
    for named in [
        NamedScenario::Refused,
        NamedScenario::SecondDrop,
        NamedScenario::Flapping,
        NamedScenario::Crash,
    ] {
        for jitter in ["decorrelated", "full"] {
            let mut builder = small(named, 300);
            builder
                .configure("reconnect.jitter", jitter)
                .configure("reconnect.initial_delay", "1ms");
            let scenario = builder.build().unwrap();
            let ahead = Simulation::new(&scenario).run();
            let in_step = Simulation::new(&scenario).in_step().run();
            assert_eq!(bytes(&ahead), bytes(&in_step), "{named} {jitter}");
        }
    }
}

#[test]
fn a_run_that_is_stopped_is_marked_and_agrees_with_a_whole_one_up_to_there() {
    let scenario = small(NamedScenario::Refused, 300).build().unwrap();
    let mut calls = 0;
    let stopped = Simulation::new(&scenario).run_with(&mut |at| {
        calls += 1;
        if at.now_ms >= 90_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let whole = Simulation::new(&scenario).run();

    assert_eq!(
        (stopped.is_partial, stopped.ended_ms, stopped.horizon_ms, calls),
        (true, 90_000, 600_000, 90)
    );
    assert!(!whole.is_partial && whole.ended_ms == whole.horizon_ms);
    for (stopped, whole) in stopped.curve.columns().zip(whole.curve.columns()) {
        assert_eq!(stopped[..90], whole[..90]);
    }
}
