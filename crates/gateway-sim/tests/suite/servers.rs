//! The parts of the model: each named scenario, and each setting of server and network.

use gateway_sim::NamedScenario;

use crate::{run, small};

#[test]
fn every_named_scenario_runs_and_most_fleets_recover() {
    for &named in NamedScenario::ALL {
        let outcome = run(&small(named, 1_000));
        let has_end = !matches!(named, NamedScenario::Refused | NamedScenario::AcceptThenDrop);
        assert_eq!(outcome.is_recovered, has_end, "{named}: {:?}", outcome.recovery);
        let rows = outcome.curve.columns().map(<[u64]>::len).collect::<Vec<_>>();
        assert!(rows.iter().all(|len| *len == rows[0]), "{named}: {rows:?}");
        let states = [&outcome.curve.ready, &outcome.curve.waiting, &outcome.curve.connecting];
        let more = [&outcome.curve.logging_in, &outcome.curve.closed];
        for row in 0..outcome.curve.len() {
            let sum: u64 = states.iter().chain(&more).map(|column| column[row]).sum();
            assert_eq!(sum, 1_000, "{named}: row {row}");
        }
        assert_eq!(outcome.curve.opens.iter().sum::<u64>(), outcome.totals.opens, "{named}");
        assert_eq!(
            outcome.waves.iter().map(|wave| wave.opens).sum::<u64>(),
            outcome.totals.opens,
            "{named}"
        );
    }
}

#[test]
fn a_dropped_syn_is_sent_again_after_1_3_and_7_seconds() {
    let mut builder = small(NamedScenario::Outage, 100);
    builder
        .set("server.accept.service", "1us")
        .set("faults.0.how", "blackholed")
        .set("faults.0.to", "60s")
        .set("start", "cold")
        .configure("connect_timeout", "10s")
        .configure("connect_timeout_max", "10s");
    let outcome = run(&builder);
    // At 0, 1, 3 and 7 s of each attempt.
    let (syns, opens) = (outcome.server.dropped_syns, outcome.totals.opens);
    assert!(syns > 3 * opens && syns <= 4 * opens, "{syns} of {opens}");
    assert!(outcome.is_recovered && outcome.totals.refused == 0);
}

#[test]
fn a_full_queue_refuses_or_drops() {
    for (full, is_refused) in [("refuse", true), ("drop-syn", false)] {
        let mut builder = small(NamedScenario::Drop, 1_000);
        builder.set("server.accept.queue", "2s").set("server.accept.full", full);
        let outcome = run(&builder);
        assert_eq!(outcome.totals.refused > 0, is_refused, "{full}");
        assert_eq!(outcome.server.dropped_syns > 0, !is_refused, "{full}");
        assert!(
            outcome.is_recovered && *outcome.curve.accept_queue.iter().max().unwrap() <= 50,
            "{full}"
        );
    }
}

#[test]
fn clients_that_leave_are_replaced_by_fresh_ones() {
    let mut builder = small(NamedScenario::Drop, 1_000);
    builder.set("groups.0.churn", 10).set("server.accept.service", "5ms").set("horizon", "2m");
    let outcome = run(&builder);
    assert_eq!(outcome.totals.left, 1_200);
    assert!(outcome.is_recovered, "{:?}", outcome.recovery);
}

#[test]
fn a_rate_limit_answers_with_its_status_and_clients_keep_its_retry_after() {
    let mut builder = small(NamedScenario::RateLimited, 1_000);
    builder.set("server.admission.retry_after", "60s");
    let outcome = run(&builder);
    assert!(outcome.server.rejections > 0 && outcome.is_recovered);
    // Nobody who was refused comes back within a minute.
    let early: u64 = outcome.curve.opens[5..60].iter().sum();
    assert_eq!(early, 0);
}

#[test]
fn silent_connections_are_found_by_heartbeats_and_without_them_never() {
    let mut builder = small(NamedScenario::HalfOpen, 500);
    let outcome = run(&builder);
    assert_eq!((outcome.totals.found_dead, outcome.is_recovered), (500, true));
    builder.configure("heartbeat.kind", "off");
    let outcome = run(&builder);
    assert_eq!((outcome.totals.found_dead, outcome.is_recovered), (0, false));
    assert_eq!(outcome.curve.ready.last(), Some(&500), "they believe that they are connected");
}

#[test]
fn a_rolling_restart_moves_the_clients_to_other_nodes() {
    let outcome = run(&small(NamedScenario::RollingRestart, 1_000));
    assert!(outcome.totals.losses >= 1_000 && outcome.is_recovered);
    assert_eq!(outcome.curve.nodes_up.iter().min(), Some(&9));
}

#[test]
fn load_crashes_a_server_that_has_a_limit() {
    let outcome = run(&small(NamedScenario::Crash, 1_000));
    assert!(outcome.server.crashes > 0, "{:?}", outcome.server);
}

#[test]
fn losses_are_noticed_within_the_span_of_detection() {
    let mut builder = small(NamedScenario::Drop, 2_000);
    builder.configure("heartbeat.kind", "off");
    let at_once = run(&builder).waves[0].worst_1s.share;
    builder.set("network.detection", "20s");
    let spread = run(&builder).waves[0].worst_1s.share;
    assert!(spread < at_once / 4.0, "{spread} of {at_once}");
}

/// A node that is up resets what it does not know. So a ping finds the loss long before its detection.
#[test]
fn a_ping_finds_a_loss_before_its_detection_and_the_next_socket_opens_at_once() {
    for latency in ["0ms", "20ms"] {
        let mut builder = small(NamedScenario::Drop, 500);
        builder
            .set("server.accept.capacity", 5_000)
            .remove("server.accept.service")
            .set("network.latency", latency)
            .set("network.detection", "5m");
        let outcome = run(&builder);
        let config = builder.build().unwrap().groups()[0].config.clone();
        assert_eq!(outcome.totals.found_dead, 0, "{latency}: the reset came too late");
        // One ping, and one or two delays.
        let most =
            config.heartbeat_interval() + config.spread() + std::time::Duration::from_secs(15);
        assert!(
            outcome.recovery.t99_ms.is_some_and(|t99| u128::from(t99) < most.as_millis()),
            "{latency}: {:?}, at most {most:?}",
            outcome.recovery
        );
    }
}

/// Each message is sent again 1, 3 and 7 s after it was first sent.
#[test]
fn a_login_that_is_sent_again_does_not_wait_for_the_tries_of_the_connection_request() {
    let mut builder = small(NamedScenario::Outage, 3);
    builder
        .set("start", "cold")
        .set("horizon", "60s")
        .set("faults.0.to", "6500ms")
        .set("faults.0.how", "blackholed")
        .set("server.accept.service", "1us")
        .set("server.login.service", "500ms")
        .set("server.login.queue", 1)
        .set("server.login.full", "drop-syn")
        .configure("connect_timeout", "20s")
        .configure("connect_timeout_max", "20s")
        .configure("reconnect.spread", "0ms");
    let outcome = run(&builder);
    // Three times for each connection request, and once for a login.
    assert_eq!(
        (outcome.totals.opens, outcome.server.dropped_syns),
        (3, 10),
        "{:?}",
        outcome.recovery
    );
    assert!(outcome.recovery.t99_ms.is_some_and(|t99| t99 < 3_000), "{:?}", outcome.recovery);
}

#[test]
fn groups_have_their_own_settings_and_results() {
    let mut builder = small(NamedScenario::Outage, 1_000);
    builder
        .set("groups.0.name", "old")
        .set("groups.0.share", 0.25)
        .set("groups.0.config.reconnect.jitter", "none")
        .set("groups.1.name", "new")
        .set("groups.1.share", 0.75);
    let outcome = run(&builder);
    let [old, new] = &outcome.groups[..] else { panic!("{:?}", outcome.groups) };
    assert_eq!((old.clients, new.clients), (250, 750));
    assert_eq!(old.totals.opens + new.totals.opens, outcome.totals.opens);
    assert_eq!(old.worst_100ms.opens, 250, "without jitter, all come at once");
    assert!(new.worst_100ms.opens < 75);
}
