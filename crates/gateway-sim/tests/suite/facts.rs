//! What is known of storms, found again by simulation.

use gateway_sim::{NamedScenario, Outcome, ScenarioBuilder};

use crate::{run, small};

/// A mass drop at this N/C in seconds, with the settings of the first measurements: timeout 10 s.
fn drop_at(load_s: u64) -> ScenarioBuilder {
    let mut builder = small(NamedScenario::Drop, 2_000);
    builder.set("server.accept.service", format!("{}us", load_s * 1_000_000 / 2_000));
    builder.configure("connect_timeout", "10s");
    old_defaults(&mut builder);
    builder
}

/// The defaults with which the first measurements were made.
fn old_defaults(builder: &mut ScenarioBuilder) {
    builder
        .configure("reconnect.jitter", "decorrelated")
        .configure("reconnect.initial_delay", "1s")
        .configure("reconnect.max_delay", "30s")
        .configure("reconnect.spread", "0ms")
        .configure("connect_timeout_max", "10s");
}

fn t99_s(outcome: &Outcome) -> Option<u64> {
    outcome.recovery.t99_ms.map(|millis| millis / 1_000)
}

#[test]
fn a_fleet_over_the_edge_never_recovers_and_nearly_all_work_is_wasted() {
    let outcome = run(&drop_at(80));
    assert!(!outcome.is_recovered && outcome.server.wasted_share > 0.9, "{:?}", outcome.server);
    assert!(run(&drop_at(30)).is_recovered);
}

#[test]
fn with_a_queue_shorter_than_the_timeout_every_fleet_recovers() {
    let mut builder = drop_at(80);
    builder.set("server.accept.queue", "9900ms");
    let outcome = run(&builder);
    assert!(t99_s(&outcome).is_some_and(|t99| t99 < 180), "{:?}", outcome.recovery);
    builder.set("server.accept.queue", "11s");
    assert!(!run(&builder).is_recovered);
}

#[test]
fn with_the_newest_first_or_free_dead_work_every_fleet_recovers() {
    for (field, value) in [("server.accept.order", "lifo"), ("server.dead_work", "0")] {
        let mut builder = drop_at(80);
        builder.set(field, value);
        let outcome = run(&builder);
        assert!(t99_s(&outcome).is_some_and(|t99| t99 < 180), "{field}: {:?}", outcome.recovery);
    }
}

#[test]
fn a_second_drop_finds_the_atom_of_the_clamped_formula() {
    let mut builder = small(NamedScenario::SecondDrop, 4_000);
    old_defaults(&mut builder);
    let outcome = run(&builder);
    let worst = outcome.waves.last().unwrap().worst_100ms;
    // Exactly the longest delay after the drop at 140 s.
    assert!(
        (0.40..0.50).contains(&worst.share) && (170_000..170_100).contains(&worst.at_ms),
        "{worst:?}"
    );
    builder.configure("reconnect.jitter", "decorrelated-smooth");
    let outcome = run(&builder);
    let worst = outcome.waves.last().unwrap().worst_100ms;
    assert!(worst.share < 0.05, "{worst:?}");
}

#[test]
fn a_server_that_accepts_and_drops_sees_few_attempts() {
    let mut builder = small(NamedScenario::AcceptThenDrop, 1_000);
    old_defaults(&mut builder);
    let outcome = run(&builder);
    // The first two minutes are those of the growing delay.
    let opens: u64 = outcome.curve.opens[121..].iter().sum();
    let a_minute = opens as f64 / 1_000.0 / 8.0;
    assert!((2.2..2.5).contains(&a_minute), "{a_minute}");
}

#[test]
fn a_client_that_forgets_its_attempts_when_a_socket_opens_hammers_such_a_server() {
    let mut builder = small(NamedScenario::AcceptThenDrop, 1_000);
    old_defaults(&mut builder);
    builder.set("groups.0.resets", "open");
    let a_minute = run(&builder).totals.attempts_per_client_minute;
    // Each delay is a first one: 2 s on average.
    assert!((28.0..30.5).contains(&a_minute), "{a_minute}");
}

#[test]
fn a_server_that_pays_double_for_clients_that_have_left_wastes_twice_as_much() {
    let wasted = |cost: f64| {
        let mut builder = drop_at(80);
        builder.set("server.dead_work", cost).set("horizon", "40s");
        let server = run(&builder).server;
        server.wasted_us / server.dead_accepts
    };
    // Some clients leave while the server works on them.
    let (full, double) = (wasted(1.0), wasted(2.0));
    assert!(double.abs_diff(2 * full) < full / 100, "{full} {double}");
}

#[test]
fn a_delay_of_zero_loses_no_client() {
    for latency in ["0ms", "1ms"] {
        let mut builder = small(NamedScenario::Flapping, 500);
        builder
            .set("network.latency", latency)
            .configure("reconnect.jitter", "full")
            .configure("reconnect.initial_delay", "1ms")
            .configure("reconnect.max_delay", "40ms");
        let outcome = run(&builder);
        assert!(outcome.is_recovered, "{latency}: {:?}", outcome.recovery);
    }
}

/// Every delay rounds to zero. Time goes on all the same.
#[test]
fn a_backoff_of_one_millisecond_does_not_stop_the_clock() {
    let mut builder = small(NamedScenario::Refused, 5);
    builder
        .set("horizon", "2s")
        .set("faults.0.to", "2s")
        .configure("reconnect.jitter", "full")
        .configure("reconnect.initial_delay", "1ms")
        .configure("reconnect.max_delay", "1ms");
    let outcome = run(&builder);
    assert_eq!(outcome.totals.opens, 5 * 2_000);
}
