//! The rule, against edges that the simulation finds.

use std::time::Duration;

use gateway_core::{Backoff, Multiplier, Strategy};
use gateway_sim::rule::{Silent, apply, mean_at_cap};
use gateway_sim::{NamedScenario, ScenarioBuilder, SearchError, edge, smallest_spread};

use crate::small;

fn with(jitter: &str, timeout: &str) -> ScenarioBuilder {
    let mut builder = small(NamedScenario::Drop, 1_000);
    builder
        .configure("reconnect.jitter", jitter)
        .configure("reconnect.initial_delay", "1s")
        .configure("reconnect.max_delay", "30s")
        .configure("connect_timeout", timeout)
        .configure("heartbeat.kind", "off");
    builder
}

#[test]
fn the_mean_delay_at_the_cap_is_that_of_each_formula() {
    for (strategy, millis) in [
        (Strategy::Decorrelated, 25_275),
        (Strategy::DecorrelatedSmooth, 15_500),
        (Strategy::DecorrelatedUnclamped, 45_500),
        (Strategy::AwsDecorrelated, 18_600),
        (Strategy::Full, 15_000),
        (Strategy::Equal, 22_500),
        (Strategy::None, 30_000),
    ] {
        let seconds = Duration::from_secs;
        let multiplier = Multiplier::from_thousandths(2_000).unwrap();
        let backoff = Backoff::new(seconds(1), seconds(30), multiplier, strategy).unwrap();
        let mean = mean_at_cap(&backoff).as_millis();
        let distance = mean.abs_diff(millis);
        let most = if strategy == Strategy::AwsDecorrelated { 60 } else { 1 };
        assert!(distance <= most, "{strategy:?}: {mean}");
    }
}

#[test]
fn simulated_edges_lie_within_five_seconds_of_the_rule() {
    for (jitter, timeout) in
        [("decorrelated", "10s"), ("decorrelated-smooth", "10s"), ("full", "5s"), ("equal", "15s")]
    {
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
    ] {
        let mut builder = with("decorrelated", "10s");
        builder.set(field, value);
        let rule = apply(&builder.build().unwrap());
        assert_eq!((rule.is_stuck, &rule.silent[..]), (None, &[reason][..]));
    }
    let mut builder = with("decorrelated", "10s");
    assert_eq!(apply(&builder.build().unwrap()).is_stuck, Some(false));
    builder.set("server.accept.service", "60ms");
    assert_eq!(apply(&builder.build().unwrap()).is_stuck, Some(true));
}

#[test]
fn a_setting_that_the_core_lacks_is_an_error_of_the_search() {
    let mut builder = with("decorrelated", "10s");
    builder.set("server.accept.service", "60ms").set("horizon", "2m");
    match smallest_spread(&builder.build().unwrap()) {
        Err(SearchError::Scenario(errors)) => {
            assert!(errors.to_string().contains("groups.0.config.reconnect.spread"))
        }
        other => assert!(other.is_ok_and(|search| search.seconds.is_some())),
    }
}
