//! The searches, and the smaller fleets that they use.

use gateway_sim::{NamedScenario, ScenarioBuilder, edge, smallest_spread, smallest_timeout_growth};

/// A mass drop of 500 clients with the settings of the first measurements.
fn drop() -> ScenarioBuilder {
    let mut builder = crate::small(NamedScenario::Drop, 500);
    builder
        .configure("reconnect.jitter", "decorrelated")
        .configure("reconnect.initial_delay", "1s")
        .configure("reconnect.max_delay", "30s")
        .configure("reconnect.spread", "0ms")
        .configure("connect_timeout", "10s")
        .configure("connect_timeout_max", "10s")
        .configure("heartbeat.kind", "off");
    builder
}

#[test]
fn a_queue_that_is_given_as_a_span_stays_one_while_the_capacity_changes() {
    let mut builder = drop();
    builder.set("server.accept.queue", "5s");
    let scaled = builder.build().unwrap().scaled(250).unwrap();
    assert!(scaled.to_toml().contains("queue = \"5s\""), "{}", scaled.to_toml());
    // The queue is shorter than the timeout, so every fleet recovers.
    builder.set("server.accept.service", "4ms"); // 5 s are more entries than there are clients
    let found = edge(&builder.build().unwrap()).unwrap();
    assert_eq!(found.stuck_ms, None, "{found:?}");
}

#[test]
fn the_search_for_an_edge_goes_up_to_a_quarter_of_an_hour_and_to_the_own_load() {
    let mut builder = drop();
    builder.set("server.accept.order", "lifo");
    let found = edge(&builder.build().unwrap()).unwrap();
    assert_eq!((found.recovers_ms, found.stuck_ms), (Some(900_000), None), "{found:?}");
    builder.set("server.accept.service", "2s"); // N/C = 1,000 s
    let found = edge(&builder.build().unwrap()).unwrap();
    assert_eq!((found.recovers_ms, found.stuck_ms), (Some(1_000_000), None), "{found:?}");
}

/// The limit lets in what the server can serve. It does so at each capacity that the search tries.
#[test]
fn a_rate_limit_changes_with_the_capacity() {
    let mut builder = drop();
    builder
        .set("server.accept.service", "20ms")
        .set("server.admission.per_second", 40)
        .set("server.admission.burst", 40);
    let found = edge(&builder.build().unwrap()).unwrap();
    // Beyond 400 s, the limit is at its least, which is 1 a second.
    assert!(found.recovers_ms.is_some_and(|recovers| recovers > 300_000), "{found:?}");
}

#[test]
fn a_smaller_fleet_has_fewer_workers_rather_than_slower_ones() {
    let mut builder = drop();
    builder.set("server.accept.workers", 25).set("server.accept.service", "2s");
    let scaled = builder.build().unwrap().scaled(100).unwrap();
    let stage = &scaled.server().accept;
    assert_eq!((stage.workers, stage.service.as_millis()), (5, 2_000));
    let scaled = builder.build().unwrap().scaled(110).unwrap();
    let stage = &scaled.server().accept;
    // 25 · 110 / 500 = 5.5 workers: 5 of them, each a tenth faster.
    assert_eq!((stage.workers, stage.service.as_millis()), (5, 1_818));
    let scaled = builder.build().unwrap().scaled(10).unwrap();
    assert_eq!((scaled.server().accept.workers, scaled.server().accept.service.as_secs()), (1, 4));
}

/// The second drop comes a minute after the recovery from the first, which is measured from its time.
#[test]
fn a_run_does_not_end_before_its_last_fault() {
    let mut builder = drop();
    builder
        .set("server.accept.service", "160ms") // N/C = 80: stuck
        .set("faults.0.share", 0.1)
        .set("faults.1.kind", "drop")
        .set("faults.1.at", "3m")
        .set("measure_from", 0);
    let found = smallest_spread(&builder.build().unwrap()).unwrap();
    assert!(found.seconds.is_some_and(|seconds| seconds > 0), "{found:?}");
}

#[test]
fn settings_are_searched_up_to_the_horizon() {
    let mut builder = drop();
    builder.set("horizon", "2m").set("server.accept.service", "1s"); // N/C = 500 s
    let scenario = builder.build().unwrap();
    let found = smallest_spread(&scenario).unwrap();
    assert_eq!((found.seconds, found.most_s), (None, 120), "{found:?}");
    let found = smallest_timeout_growth(&scenario).unwrap();
    assert_eq!((found.seconds, found.most_s), (None, 120), "{found:?}");
}
