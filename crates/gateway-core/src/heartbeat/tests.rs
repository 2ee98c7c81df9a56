//! The heartbeat alone: spans and instants in, a verdict out.

use super::*;

const TIMING: Timing = Timing {
    interval: Duration::from_secs(30),
    timeout: Duration::from_secs(5),
    strict: false,
    slowest_link: 32 << 10,
};

const STRICT: Timing = Timing { strict: true, ..TIMING };

/// The bytes that the slowest link carries in ten seconds.
const TEN_SECONDS: u64 = 10 * (32 << 10);

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn asked_at_zero() -> Heartbeat {
    let mut heartbeat = Heartbeat::new(at(0));
    assert_eq!(heartbeat.on_tick(at(0), &TIMING), Beat::Ping);
    heartbeat.on_sent(&TIMING, at(0), Some(7));
    heartbeat
}

fn held_at_zero(bytes: u64) -> Heartbeat {
    let mut heartbeat = asked_at_zero();
    heartbeat.on_held(&TIMING, at(0), Backlog { bytes, idle: Duration::ZERO });
    heartbeat
}

fn death(heartbeat: &mut Heartbeat, seconds: u64) -> Option<(Instant, Death)> {
    heartbeat.death(at(seconds), &TIMING, Lane::Free)
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what `death` returns")]
fn silent(seconds: u64) -> Option<(Instant, Death)> {
    Some((at(seconds), Death::Silent))
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what `death` returns")]
fn stalled(seconds: u64) -> Option<(Instant, Death)> {
    Some((at(seconds), Death::Stalled))
}

#[test]
fn silence_for_the_timeout_after_a_ping_is_death_and_a_byte_in_between_is_not() {
    let mut heartbeat = asked_at_zero();
    assert_eq!(death(&mut heartbeat, 4), None);
    assert_eq!(death(&mut heartbeat, 5), silent(5));
    heartbeat.on_bytes(&TIMING);
    assert_eq!(death(&mut heartbeat, 5), None);
    assert_eq!(heartbeat.deadline(Lane::Free), at(30));
}

#[test]
fn in_strict_mode_only_a_pong_is_life() {
    let mut heartbeat = asked_at_zero();
    heartbeat.on_bytes(&STRICT);
    assert_eq!(heartbeat.clone().death(at(5), &STRICT, Lane::Free), silent(5));
    heartbeat.on_pong(at(3), None);
    assert_eq!(heartbeat.death(at(5), &STRICT, Lane::Free), None);
}

#[test]
fn a_stall_makes_one_ping_due_and_no_burst() {
    let mut heartbeat = asked_at_zero();
    heartbeat.on_bytes(&TIMING);
    assert_eq!(death(&mut heartbeat, 300), None);
    assert_eq!(heartbeat.on_tick(at(300), &TIMING), Beat::Ping);
    heartbeat.on_sent(&TIMING, at(300), Some(8));
    assert_eq!(heartbeat.on_tick(at(300), &TIMING), Beat::Rest);
    assert_eq!(heartbeat.deadline(Lane::Free), at(305));
}

#[test]
fn while_reading_is_paused_pings_go_out_and_judgements_wait() {
    let mut heartbeat = asked_at_zero();
    assert_eq!(heartbeat.deadline(Lane::Held), at(30));
    assert_eq!(heartbeat.death(at(30), &TIMING, Lane::Held), None);
    assert_eq!(heartbeat.on_tick(at(30), &TIMING), Beat::Ping);
    heartbeat.on_sent(&TIMING, at(30), Some(8));
    heartbeat.on_resumed(&TIMING, at(50));
    assert_eq!(heartbeat.deadline(Lane::Free), at(55), "the judgement restarts in full");
    assert_eq!(death(&mut heartbeat, 55), silent(55));
}

#[test]
fn what_was_heard_in_a_pause_answers_the_ping_that_is_out() {
    let mut heartbeat = asked_at_zero();
    heartbeat.on_bytes(&TIMING);
    heartbeat.on_resumed(&TIMING, at(20));
    assert_eq!(heartbeat.deadline(Lane::Free), at(30));
}

#[test]
fn a_ping_that_leaves_while_one_is_judged_does_not_put_death_off() {
    let mut heartbeat = asked_at_zero();
    heartbeat.on_resumed(&TIMING, at(28));
    assert_eq!(heartbeat.on_tick(at(30), &TIMING), Beat::Ping);
    heartbeat.on_sent(&TIMING, at(30), Some(8));
    assert_eq!(heartbeat.deadline(Lane::Free), at(33));
    assert_eq!(death(&mut heartbeat, 33), silent(33));
}

#[test]
fn a_ping_is_judged_from_when_it_was_handed_over_with_an_allowance_for_what_is_unproven() {
    for (unproven, allowance) in [
        (0, 0),
        (64 << 10, 0),
        ((64 << 10) + TEN_SECONDS, 10),
        ((64 << 10) + 3 * TEN_SECONDS, 30),
        (u64::MAX, 30),
    ] {
        let mut at_once = asked_at_zero();
        at_once.on_handed(&TIMING, at(0), unproven);
        assert_eq!(at_once.deadline(Lane::Free), at(5 + allowance).min(at(30)), "{unproven}");
        assert_eq!(death(&mut at_once, 5 + allowance), silent(5 + allowance), "{unproven}");

        let mut later = held_at_zero(0);
        later.on_handed(&TIMING, at(20), unproven);
        assert_eq!(death(&mut later, 24 + allowance), None, "{unproven}");
        assert_eq!(death(&mut later, 25 + allowance), silent(25 + allowance), "{unproven}");
    }
}

#[test]
fn a_second_report_of_a_ping_moves_nothing() {
    let mut heartbeat = held_at_zero(0);
    heartbeat.on_handed(&TIMING, at(10), 0);
    for again in [at(11), at(14)] {
        heartbeat.on_handed(&TIMING, again, u64::MAX);
        heartbeat.on_held(&TIMING, again, Backlog { bytes: 0, idle: Duration::ZERO });
        heartbeat.on_progress(again);
    }
    assert_eq!(death(&mut heartbeat, 15), silent(15));
}

#[test]
fn a_ping_that_the_transport_does_not_take_is_death_after_interval_and_timeout() {
    let mut heartbeat = held_at_zero(10 * TEN_SECONDS);
    assert_eq!(death(&mut heartbeat, 34), None);
    assert_eq!(death(&mut heartbeat, 35), stalled(35));
    heartbeat.on_progress(at(20));
    assert_eq!(death(&mut heartbeat, 35), None, "the transport took bytes");
    assert_eq!(death(&mut heartbeat, 55), stalled(55));
}

#[test]
fn a_transport_that_stood_still_before_the_ping_has_only_the_timeout_left() {
    let mut heartbeat = asked_at_zero();
    let mut idle = asked_at_zero();
    idle.on_sent(&TIMING, at(100), None);
    heartbeat.on_held(&TIMING, at(0), Backlog { bytes: 0, idle: Duration::from_secs(9) });
    idle.on_held(&TIMING, at(100), Backlog { bytes: 0, idle: Duration::from_secs(90) });
    assert_eq!(death(&mut heartbeat, 35), stalled(35), "time does not begin before zero");
    // The earlier ping's timeout started at its order.
    assert_eq!(death(&mut idle, 105), silent(5));
    {
        let named = idle.stamped(7);
        idle.on_pong(at(101), named)
    };
    assert_eq!(death(&mut idle, 105), None, "a pong came");
}

#[test]
fn a_transport_that_takes_one_byte_a_second_is_death_when_the_slowest_link_would_be_done() {
    let mut heartbeat = held_at_zero(TEN_SECONDS);
    for second in 0..45 {
        assert_eq!(death(&mut heartbeat, second), None, "{second}");
        heartbeat.on_progress(at(second));
    }
    // timeout + 30 s + the time for the bytes before the ping
    assert_eq!(death(&mut heartbeat, 45), stalled(45));
}

#[test]
fn behind_a_ping_that_is_held_no_other_is_sent() {
    let mut heartbeat = held_at_zero(u64::MAX);
    heartbeat.on_progress(at(29));
    assert_eq!(heartbeat.on_tick(at(30), &TIMING), Beat::Rest);
    assert_eq!(heartbeat.deadline(Lane::Held), at(60));
}

#[test]
fn life_while_a_ping_is_held_begins_its_judgement_again_within_an_interval() {
    let mut heartbeat = held_at_zero(0);
    heartbeat.on_bytes(&TIMING);
    assert_eq!(heartbeat.on_tick(at(30), &TIMING), Beat::Rest);
    assert_eq!(death(&mut heartbeat, 34), None);
    assert_eq!(death(&mut heartbeat, 35), stalled(35), "nothing came since, nothing was taken");

    let mut heartbeat = held_at_zero(0);
    heartbeat.on_bytes(&TIMING);
    assert_eq!(death(&mut heartbeat, 35), None, "judged late, it is still judged from here on");
    assert_eq!(death(&mut heartbeat, 40), stalled(40));
}

#[test]
fn what_came_while_a_ping_was_held_does_not_answer_it() {
    let mut heartbeat = held_at_zero(0);
    heartbeat.on_bytes(&TIMING);
    heartbeat.on_handed(&TIMING, at(10), 0);
    assert_eq!(death(&mut heartbeat, 15), silent(15));
}

#[test]
fn a_pong_for_a_ping_that_was_not_reported_as_handed_over_counts_as_both() {
    let mut heartbeat = held_at_zero(0);
    assert_eq!(
        {
            let named = heartbeat.stamped(7);
            heartbeat.on_pong(at(1), named)
        },
        Some(Duration::from_secs(1))
    );
    assert_eq!(heartbeat.deadline(Lane::Free), at(30));
    heartbeat.on_handed(&TIMING, at(2), 0);
    assert_eq!(heartbeat.deadline(Lane::Free), at(30));
    assert_eq!(heartbeat.on_tick(at(30), &TIMING), Beat::Ping);
}

#[test]
fn a_resume_restarts_the_judgement_of_a_ping_that_is_held() {
    let mut heartbeat = held_at_zero(0);
    heartbeat.on_resumed(&TIMING, at(100));
    assert_eq!(death(&mut heartbeat, 134), None);
    assert_eq!(death(&mut heartbeat, 135), stalled(135));
}

#[test]
fn a_ping_that_is_reported_as_held_late_is_judged_from_what_came_after_its_order() {
    let asked_at_100 = || {
        let mut heartbeat = Heartbeat::new(at(100));
        heartbeat.on_sent(&TIMING, at(100), Some(7));
        heartbeat
    };
    // The transport was idle all that time.
    let backlog = Backlog { bytes: 0, idle: Duration::from_secs(60) };
    let mut resumed = asked_at_100();
    resumed.on_resumed(&TIMING, at(103));
    resumed.on_held(&TIMING, at(104), backlog);
    assert_eq!((death(&mut resumed, 107), death(&mut resumed, 108)), (None, stalled(108)));

    // A sign of life in the pause has cleared the timeout: it restarts with the report.
    let mut heard = asked_at_100();
    heard.on_bytes(&TIMING);
    heard.on_resumed(&TIMING, at(103));
    heard.on_held(&TIMING, at(104), backlog);
    assert_eq!((death(&mut heard, 108), death(&mut heard, 109)), (None, stalled(109)));

    let mut silent = asked_at_100();
    silent.on_held(&TIMING, at(104), backlog);
    assert_eq!((death(&mut silent, 104), death(&mut silent, 105)), (None, stalled(105)));

    // The pong of an older ping is a sign of life, which the newer ping's timeout has not seen yet.
    let mut older_answered = asked_at_100();
    older_answered.on_sent(&TIMING, at(102), Some(8));
    older_answered.on_pong(at(103), Some(1));
    older_answered.on_held(&TIMING, at(104), backlog);
    assert_eq!(older_answered.deadline(Lane::Free), at(107));
}

#[test]
fn an_older_ping_keeps_its_deadline_while_a_newer_one_is_held() {
    let mut heartbeat = asked_at_zero();
    heartbeat.on_handed(&TIMING, at(0), u64::MAX); // its timeout ends at 35
    assert_eq!(heartbeat.on_tick(at(30), &TIMING), Beat::Ping);
    heartbeat.on_sent(&TIMING, at(30), Some(8));
    heartbeat.on_held(&TIMING, at(30), Backlog { bytes: 0, idle: Duration::ZERO });
    assert_eq!(death(&mut heartbeat, 35), silent(35));

    heartbeat.on_handed(&TIMING, at(34), 0);
    assert_eq!(death(&mut heartbeat, 35), silent(35), "nor does its hand-over put death off");

    {
        let named = heartbeat.stamped(7);
        heartbeat.on_pong(at(34), named)
    };
    assert_eq!(death(&mut heartbeat, 39), None, "the older one was answered in time");
}

#[test]
fn a_probe_is_judged_soon_and_an_older_pong_does_not_answer_it() {
    let long = Timing { timeout: Duration::from_secs(20), strict: true, ..TIMING };
    let mut heartbeat = Heartbeat::new(at(0));
    heartbeat.on_sent(&long, at(0), Some(7));
    assert_eq!(heartbeat.probe(&long, at(10)), Probe::Ping);
    heartbeat.on_probe_sent(&long, at(10), Some(8));
    {
        let named = heartbeat.stamped(7);
        heartbeat.on_pong(at(11), named)
    };
    assert_eq!(heartbeat.clone().death(at(15), &long, Lane::Free), silent(15));
    {
        let named = heartbeat.stamped(8);
        heartbeat.on_pong(at(12), named)
    };
    assert_eq!(heartbeat.death(at(15), &long, Lane::Free), None);
}

#[test]
fn a_suspend_while_a_ping_is_held_makes_it_the_probe() {
    let long = Timing { timeout: Duration::from_secs(20), ..TIMING };
    let mut heartbeat = Heartbeat::new(at(0));
    heartbeat.on_sent(&long, at(0), Some(7));
    heartbeat.on_held(&long, at(0), Backlog { bytes: 0, idle: Duration::ZERO });
    heartbeat.on_bytes(&long);
    assert_eq!(heartbeat.probe(&long, at(10)), Probe::Held);
    heartbeat.on_handed(&long, at(12), 0);
    assert_eq!(heartbeat.death(at(17), &long, Lane::Free), silent(17));
}

#[test]
fn a_rate_however_slow_and_bytes_however_many_stay_within_their_bounds() {
    for slowest_link in [0, 1, u32::MAX] {
        let timing = Timing { slowest_link, ..TIMING };
        assert!(timing.allowance_ms(u64::MAX) <= 30_000);
        let mut heartbeat = asked_at_zero();
        heartbeat.on_held(&timing, at(0), Backlog { bytes: u64::MAX, idle: Duration::MAX });
        assert_eq!(heartbeat.death(at(5), &timing, Lane::Free), None);
        assert_eq!(heartbeat.death(at(35), &timing, Lane::Free), stalled(35));
    }
}
