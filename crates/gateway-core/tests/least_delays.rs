//! What users report of servers that ask for a least delay, each as one short story on the core alone.

mod common;

use common::stories::{WALL, fail_to_open, http, seconds};
use gateway_core::{
    Action, Because, Config, Event, Instant, Network, Notice, OpenError, RetryAfter, RetryCause,
    Rule, UnixMillis, Verdict,
};
use gateway_testkit::{Rig, delay, opened};

/// A server that is busy for a minute was asked at zero. With draws half-way the spread is 6 s.
fn told_to_wait_a_minute() -> Rig {
    let mut rig = Rig::new(Config::builder().heartbeat_interval(seconds(10)).build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, http(503, Some(RetryAfter::Seconds(60))));
    rig
}

fn online(rig: &mut Rig) -> Vec<Action> {
    rig.on(Event::NetworkChanged(Network::Online))
}

#[test]
fn a_network_that_comes_back_does_not_undercut_a_retry_after() {
    let mut rig = told_to_wait_a_minute();
    let due = rig.connection.next_deadline();

    let hinted = online(&mut rig);

    assert!(hinted.is_empty(), "{hinted:?}");
    assert_eq!(rig.connection.next_deadline(), due);
}

#[test]
fn a_network_that_comes_back_cuts_what_the_backoff_adds_to_a_least_delay() {
    let rule = Rule::new(503, 503, Verdict::RetryNoSoonerThan(seconds(2))).unwrap();
    let slow = Config::builder().initial_delay(seconds(20)).rule(rule).build().unwrap();
    let mut rig = Rig::new(slow);
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, http(503, None));

    let hinted = online(&mut rig);
    let waited = rig.run_for(seconds(3));

    // 2 s, and half of the least spread of 1 s.
    assert_eq!(rig.now, Instant::from_millis(3_000));
    assert_eq!(delay(&hinted), Some(core::time::Duration::from_millis(2_500)));
    assert!(hinted.iter().any(|action| matches!(
        action,
        Action::Notify(Notice::RetryScheduled {
            cause: RetryCause::Online,
            because: Because::Hint,
            ..
        })
    )));
    assert!(opened(&waited).is_some());
}

#[test]
fn a_suspend_shortens_a_least_delay_by_the_time_that_was_slept() {
    let mut rig = told_to_wait_a_minute(); // until 66 s

    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 40_000)));

    assert_eq!(delay(&woken), Some(seconds(26)));
    let early = rig.run_for(seconds(25));
    let due = rig.run_for(seconds(1));
    assert!(opened(&early).is_none() && opened(&due).is_some());
}

#[test]
fn a_suspend_that_outlasts_a_least_delay_leaves_a_retry_within_a_second() {
    let mut rig = told_to_wait_a_minute();

    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));

    assert_eq!(delay(&woken), Some(core::time::Duration::from_millis(500)));
}

#[test]
fn a_second_suspend_within_30_s_shortens_the_wait_too_and_retries_when_they_are_over() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, http(503, Some(RetryAfter::Seconds(300))));

    let first = rig.on(Event::WallClock(UnixMillis(WALL + 100_000)));
    rig.run_for(seconds(10));
    let second = rig.on(Event::WallClock(UnixMillis(WALL + 110_000 + 7_200_000)));

    assert_eq!(delay(&first), Some(seconds(230))); // of 330 s
    assert_eq!(delay(&second), Some(core::time::Duration::from_millis(20_500))); // spread over a second
    let early = rig.run_for(seconds(20));
    let due = rig.run_for(seconds(1));
    assert!(opened(&early).is_none() && opened(&due).is_some());
}

#[test]
fn a_delay_that_the_strategy_alone_has_drawn_is_cut_by_a_hint() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, OpenError::Refused);

    assert!(opened(&online(&mut rig)).is_some());
}

#[test]
fn clocks_that_are_set_back_or_ahead_by_less_than_the_threshold_are_no_suspend() {
    let mut rig = Rig::ready(Config::default());
    let day = 86_400_000;
    let mut probes = Vec::new();

    for (after, ahead) in [
        (0_u32, 0_i64),
        (40, -3_600_000), // set back
        (40, -3_600_000 + 29_000),
        (40, day), // one probe
        (1, 0),
        (40, day), // back, and ahead again: one probe
    ] {
        for _ in 0..after {
            let id = rig.socket();
            rig.on(Event::BytesReceived(id));
            rig.run_for(seconds(1));
        }
        let millis = rig.now.as_nanos() / 1_000_000;
        let wall = UnixMillis((WALL + millis).saturating_add_signed(ahead));
        let actions = rig.on(Event::WallClock(wall));
        probes.push(gateway_testkit::pings(&actions));
    }

    assert_eq!(probes, [0, 0, 0, 1, 0, 1]);
}

#[test]
fn a_network_that_comes_back_without_effect_may_come_back_again() {
    let mut rig = told_to_wait_a_minute();
    rig.run_for(seconds(55));
    assert!(online(&mut rig).is_empty(), "the least delay is kept");
    rig.run_for(seconds(11)); // the next attempt, at 66 s
    fail_to_open(&mut rig, OpenError::Unreachable);

    let useful = online(&mut rig);

    assert!(opened(&useful).is_some(), "{useful:?}");
}
