//! What users report of uploads over slow links and of peers that do not read, each as one short story on the core alone.

mod common;

use common::stories::{PONG, WALL, cause, json, receive, seconds};
use gateway_core::{
    Action, Backlog, Config, DisconnectCause, Event, Frame, Instant, Notice, UnixMillis,
};
use gateway_testkit::{Rig, pings};

/// The default slowest link carries so much in ten seconds.
const TEN_SECONDS: u64 = 10 * (32 << 10);

fn held(rig: &mut Rig, bytes: u64) {
    let id = rig.socket();
    rig.on(Event::PingHeld(id, Backlog { bytes, idle: seconds(0) }));
}

fn progressed(rig: &mut Rig) {
    let id = rig.socket();
    rig.on(Event::WriteProgressed(id));
}

fn handed(rig: &mut Rig, unproven: u64) {
    let id = rig.socket();
    rig.on(Event::PingHanded(id, unproven));
}

#[test]
fn the_first_ping_leaves_one_interval_after_ready_and_is_a_ping_frame() {
    let mut rig = Rig::ready(Config::default());

    let before = rig.run_for(seconds(29));
    let first = rig.run_for(seconds(1));

    assert_eq!((pings(&before), pings(&first)), (0, 1));
    let ping = gateway_core::Outgoing::WebSocketPing(1);
    assert!(first.contains(&Action::Send(rig.socket(), ping)), "{first:?}");
}

#[test]
fn an_upload_that_the_link_carries_in_time_is_not_death() {
    let mut rig = Rig::asked(Config::default());
    held(&mut rig, TEN_SECONDS);
    for _ in 0..12 {
        let quiet = rig.run_for(seconds(1));
        assert_eq!(cause(&quiet), None);
        progressed(&mut rig);
    }
    handed(&mut rig, TEN_SECONDS + (64 << 10));

    let quiet = rig.run_for(seconds(14)); // timeout and allowance: 15 s
    let id = rig.socket();
    rig.on(Event::FrameReceived(id, Frame::Pong(b"1")));
    let after = rig.run_for(seconds(3));

    assert_eq!((cause(&quiet), cause(&after)), (None, None));
    assert_eq!(rig.connection.next_deadline(), Some(Instant::from_millis(60_000)), "the next ping");
}

#[test]
fn a_peer_that_stops_reading_is_dead_after_interval_and_timeout_and_is_aborted() {
    let mut rig = Rig::asked(Config::default());
    let id = rig.socket();
    held(&mut rig, TEN_SECONDS);

    let before = rig.run_for(seconds(34));
    let dead = rig.run_for(seconds(1));

    assert_eq!(cause(&before), None);
    assert_eq!(cause(&dead), Some(DisconnectCause::WriteStall));
    assert_eq!(dead.first(), Some(&Action::AbortSocket(id)));
}

#[test]
fn a_peer_that_takes_one_byte_a_second_is_dead_in_the_end() {
    let mut rig = Rig::asked(Config::default());
    held(&mut rig, TEN_SECONDS);
    let mut lived = 0;

    let dead = loop {
        let done = rig.run_for(seconds(1));
        if cause(&done).is_some() {
            break done;
        }
        lived += 1;
        progressed(&mut rig);
    };

    // timeout + 30 s + what the slowest link needs for the bytes before the ping
    assert_eq!((lived, cause(&dead)), (44, Some(DisconnectCause::WriteStall)));
}

#[test]
fn behind_a_ping_that_is_held_no_other_is_sent() {
    let mut rig = Rig::asked(Config::default());
    held(&mut rig, 100 * TEN_SECONDS);
    let mut done = Vec::new();

    for _ in 0..100 {
        progressed(&mut rig);
        done.extend(rig.run_for(seconds(1)));
    }

    assert_eq!((pings(&done), cause(&done)), (0, None));
}

#[test]
fn a_pong_with_the_servers_own_clock_is_life_and_its_round_trip_is_known_of_one_ping_alone() {
    let mut rig = Rig::ready(json().heartbeat_strict(true).build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    let mut round_trips = Vec::new();

    for minute in 0..60_u64 {
        rig.tick();
        rig.pass(seconds(1));
        let pong = format!(r#"{{"type":"pong","timestamp":{}}}"#, 99_000 * minute);
        for action in receive(&mut rig, &pong) {
            if let Action::Notify(Notice::PongReceived { round_trip, .. }) = action {
                round_trips.push(round_trip);
            }
        }
    }

    assert!(rig.connection.is_ready());
    assert_eq!(round_trips, vec![Some(seconds(1)); 60]);
}

#[test]
fn a_pong_that_names_an_older_ping_answers_that_one_and_those_before_it() {
    let mut rig = Rig::ready(json().build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    let id = rig.socket();
    for _ in 0..3 {
        rig.on(Event::BytesReceived(id)); // alive, without a pong
        rig.run_for(seconds(30));
    }

    let second = WALL + 60_000;
    let named = receive(&mut rig, &format!(r#"{{"type":"pong","timestamp":{second}}}"#));
    let alone = receive(&mut rig, PONG);
    let unasked = receive(&mut rig, PONG);

    let pong = |round_trip| Action::Notify(Notice::PongReceived { socket: id, round_trip });
    assert_eq!(named.first(), Some(&pong(Some(seconds(30)))));
    assert_eq!(alone.first(), Some(&pong(Some(seconds(0)))), "the third is the only one left");
    assert_eq!(unasked, [Action::Deliver]);
}

#[test]
fn a_suspend_while_a_ping_is_held_makes_that_ping_the_probe() {
    let mut rig = Rig::asked(json().heartbeat_timeout(seconds(20)).build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    held(&mut rig, 0);

    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    rig.run_for(seconds(2));
    handed(&mut rig, 0);
    let before = rig.run_for(seconds(4));
    let dead = rig.run_for(seconds(1));

    assert_eq!((pings(&woken), cause(&before)), (0, None));
    assert_eq!(
        cause(&dead),
        Some(DisconnectCause::PongTimeout),
        "five seconds after its hand-over"
    );
}

#[test]
fn a_probe_leaves_while_reading_is_paused_and_is_judged_after_the_resume() {
    let mut rig = Rig::asked(json().heartbeat_timeout(seconds(20)).build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    let id = rig.socket();
    rig.on(Event::ReadingPaused(id));

    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    let paused = rig.run_for(seconds(25));
    rig.on(Event::ReadingResumed(id));
    let before = rig.run_for(seconds(4));
    let dead = rig.run_for(seconds(1));

    assert_eq!((pings(&woken), cause(&paused), cause(&before)), (1, None, None));
    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
}

#[test]
fn strictly_a_pong_that_lags_by_more_than_four_pings_is_life() {
    let config = Config::builder()
        .heartbeat_interval(seconds(5))
        .heartbeat_timeout(seconds(5))
        .heartbeat_strict(true);
    let mut rig = Rig::asked(config.build().unwrap());
    handed(&mut rig, 1_000_000); // judged 28 s later than its timeout
    rig.run_for(seconds(25)); // pings 2 to 6

    let id = rig.socket();
    let lagging = rig.on(Event::FrameReceived(id, Frame::Pong(b"1")));
    let after = rig.run_for(seconds(9));

    let pong = Action::Notify(Notice::PongReceived { socket: id, round_trip: None });
    assert_eq!(lagging.first(), Some(&pong));
    assert_eq!(cause(&after), None);
}

#[test]
fn a_stall_that_is_due_at_the_wake_leaves_a_held_ping_a_probes_time() {
    let mut rig = Rig::asked(json().heartbeat_timeout(seconds(20)).build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    held(&mut rig, 100 * TEN_SECONDS);
    rig.pass(seconds(3_600)); // both clocks ran on in the suspend, and no Tick came

    rig.on(Event::WallClock(UnixMillis(WALL + 8 * 3_600_000)));
    let at_the_wake = rig.on(Event::Tick);
    let before = rig.run_for(seconds(4));
    let dead = rig.run_for(seconds(1));

    assert_eq!((cause(&at_the_wake), cause(&before)), (None, None));
    assert_eq!(cause(&dead), Some(DisconnectCause::WriteStall));
}

#[test]
fn suspends_in_a_row_do_not_put_death_off() {
    let mut rig = Rig::asked(Config::default());
    let mut wall = WALL;
    let mut causes = Vec::new();
    rig.on(Event::WallClock(UnixMillis(wall)));

    while causes.is_empty() && wall < WALL + 5 * 3_600_000 {
        wall += 3_600_000;
        rig.on(Event::WallClock(UnixMillis(wall)));
        handed(&mut rig, u64::MAX); // 5 s, and 30 s for what is unproven
        for _ in 0..31 {
            if !causes.is_empty() {
                break;
            }
            causes.extend(cause(&rig.run_for(seconds(1))));
            wall += 1_000;
        }
    }

    assert_eq!(causes.first(), Some(&DisconnectCause::PongTimeout));
}
