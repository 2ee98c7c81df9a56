//! The rule, against edges that the simulation finds.

use gateway_sim::rule::{Silent, apply};
use gateway_sim::{
    NamedScenario, ScenarioBuilder, Simulation, edge, smallest_spread, smallest_timeout_growth,
};

use crate::small;

fn with(jitter: &str, timeout: &str) -> ScenarioBuilder {
    let mut builder = small(NamedScenario::Drop, 500);
    builder
        .configure("reconnect.jitter", jitter)
        .configure("reconnect.initial_delay", "1s")
        .configure("reconnect.max_delay", "30s")
        .configure("reconnect.spread", "0ms")
        .configure("connect_timeout", timeout)
        .configure("connect_timeout_max", timeout)
        .configure("heartbeat.kind", "off");
    builder
}

#[test]
fn the_edge_is_twice_the_timeout_and_the_mean_delay_of_each_formula() {
    for (jitter, millis) in [
        ("decorrelated", 45_275),
        ("decorrelated-smooth", 35_500),
        ("decorrelated-unclamped", 65_500),
        ("aws-decorrelated", 38_600),
        ("full", 35_000),
        ("equal", 42_500),
        ("none", 50_000),
    ] {
        let edge = apply(&with(jitter, "10s").build().unwrap()).edge.as_millis();
        let most = if jitter == "aws-decorrelated" { 60 } else { 1 };
        assert!(edge.abs_diff(millis) <= most, "{jitter}: {edge}");
    }
}

#[test]
fn simulated_edges_lie_within_five_seconds_of_the_rule() {
    for (jitter, timeout) in [("decorrelated", "10s"), ("full", "5s"), ("equal", "15s")] {
        let scenario = with(jitter, timeout).build().unwrap();
        let rule = u64::try_from(apply(&scenario).edge.as_millis()).unwrap();
        let found = edge(&scenario).unwrap();
        let (Some(recovers), Some(stuck)) = (found.recovers_ms, found.stuck_ms) else {
            panic!("{found:?}")
        };
        assert!(stuck > recovers && stuck - recovers <= 500, "{found:?}");
        assert!(
            recovers.abs_diff(rule) <= 5_000,
            "{jitter} {timeout}: {found:?}, by the rule {rule}"
        );
    }
}

#[test]
fn the_rule_says_nothing_where_it_does_not_apply() {
    for (field, value, reason) in [
        ("server.accept.queue", "9s", Silent::ShortQueue),
        ("server.accept.order", "lifo", Silent::Lifo),
        ("server.dead_work", "0.1", Silent::CheapDeadWork),
        ("server.dead_work", "1.5", Silent::DearDeadWork),
    ] {
        let mut builder = with("decorrelated", "10s");
        builder.set(field, value);
        let rule = apply(&builder.build().unwrap());
        assert_eq!((rule.is_stuck, &rule.silent[..]), (None, &[reason][..]));
    }
    let mut builder = with("decorrelated", "10s");
    assert_eq!(apply(&builder.build().unwrap()).is_stuck, Some(false));
    builder.set("server.accept.service", "120ms");
    assert_eq!(apply(&builder.build().unwrap()).is_stuck, Some(true));
}

#[test]
fn the_searches_find_the_smallest_settings_that_help() {
    let mut builder = with("decorrelated", "10s");
    builder.set("server.accept.service", "160ms"); // N/C = 80: it never recovers
    let scenario = builder.build().unwrap();

    let spread = smallest_spread(&scenario).unwrap();
    let growth = smallest_timeout_growth(&scenario).unwrap();

    assert!(spread.seconds.is_some_and(|seconds| (10..=70).contains(&seconds)), "{spread:?}");
    assert!(growth.seconds.is_some_and(|seconds| (20..=90).contains(&seconds)), "{growth:?}");
    for (field, seconds) in
        [("reconnect.spread", spread.seconds), ("connect_timeout_max", growth.seconds)]
    {
        let recovers = |seconds: u64| {
            let mut builder = builder.clone();
            builder.configure(field, format!("{seconds}s"));
            Simulation::new(&builder.build().unwrap()).run().is_recovered
        };
        let seconds = seconds.unwrap();
        assert!(recovers(seconds) && !recovers(seconds - 1), "{field} {seconds}");
    }
    builder.set("server.accept.service", "40ms");
    assert_eq!(smallest_spread(&builder.build().unwrap()).unwrap().seconds, Some(0));
}

#[test]
fn a_spread_of_the_load_less_the_timeout_wastes_nothing() {
    let mut builder = with("decorrelated", "10s");
    builder.set("server.accept.service", "80ms").configure("reconnect.spread", "30s");
    let scenario = builder.build().unwrap();
    assert_eq!(apply(&scenario).silent, [Silent::Spread]);
    let outcome = Simulation::new(&scenario).run();
    assert!(outcome.server.wasted_share < 0.02, "{:?}", outcome.server);
    assert!(outcome.recovery.t99_ms.is_some_and(|t99| t99 < 45_000), "{:?}", outcome.recovery);
}

#[test]
fn a_timeout_that_grows_counts_once_as_it_is_and_once_with_its_bound() {
    let mut builder = with("decorrelated", "10s");
    builder.configure("connect_timeout_max", "60s");
    let scenario = builder.build().unwrap();
    let rule = apply(&scenario);
    let seconds = [rule.timeout, rule.longest_timeout, rule.edge].map(|span| span.as_secs());
    assert_eq!(seconds, [10, 60, 95]);
    let found = edge(&scenario).unwrap().recovers_ms.unwrap();
    assert!(found.abs_diff(95_275) <= 5_000, "{found}");
}

/// Half of the clients are of each kind. The old ones try more often, so the edge is closer to theirs.
#[test]
fn groups_with_other_settings_count_by_how_often_they_try() {
    let mut builder = with("decorrelated", "10s");
    builder
        .set("groups.0.name", "old")
        .set("groups.0.share", 0.5)
        .set("groups.1.name", "new")
        .set("groups.1.share", 0.5)
        .set("groups.1.config.reconnect.jitter", "decorrelated-floored")
        .set("groups.1.config.reconnect.initial_delay", "1s")
        .set("groups.1.config.reconnect.max_delay", "34s")
        .set("groups.1.config.reconnect.spread", "0ms")
        .set("groups.1.config.connect_timeout", "10s")
        .set("groups.1.config.connect_timeout_max", "60s")
        .set("groups.1.config.heartbeat.kind", "off");
    let scenario = builder.build().unwrap();
    let rule = u64::try_from(apply(&scenario).edge.as_millis()).unwrap();
    assert!(rule.abs_diff(60_000) <= 500, "{rule}");
    let found = edge(&scenario).unwrap().recovers_ms.unwrap();
    assert!(found.abs_diff(rule) <= 5_000, "{found}, by the rule {rule}");
}

#[test]
fn only_the_clients_that_are_lost_at_once_count() {
    let mut builder = with("decorrelated", "10s");
    builder.set("server.accept.service", "120ms"); // 60 s for all clients
    let load = |builder: &ScenarioBuilder| {
        let rule = apply(&builder.build().unwrap());
        (rule.load.as_secs(), rule.is_stuck)
    };
    assert_eq!(load(&builder), (60, Some(true)));
    builder.set("faults.0.share", 0.5);
    assert_eq!(load(&builder), (30, Some(false)));
    assert!(Simulation::new(&builder.build().unwrap()).run().is_recovered);
    let mut cold = builder.clone();
    cold.set("start", "cold");
    assert_eq!(load(&cold), (60, Some(true)), "a cold fleet connects as a whole");
    builder.set("faults.1.kind", "outage").set("faults.1.from", "10s").set("faults.1.to", "20s");
    assert_eq!(load(&builder), (60, Some(true)), "an outage loses all connections");
}
