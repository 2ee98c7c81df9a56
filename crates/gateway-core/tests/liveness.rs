//! What users of long-lived connections report of dead peers, heartbeats, sleep and stalls, each as one short story on the core alone.

mod common;

use core::time::Duration;

use common::stories::{
    PONG, WALL, because, cause, fail_to_open, json, receive, seconds, with_login,
};
use gateway_core::{
    Action, Because, CloseFrame, Config, ConnectionState, DisconnectCause, Event, Frame,
    HeartbeatKind, Instant, Message, Network, Notice, OpenError, Outgoing, RetryCause, UnixMillis,
};
use gateway_testkit::{Rig, opened, pings};

// ---- Connect, liveness, sleep ----

#[test]
fn every_attempt_has_a_connect_deadline_not_the_first_alone() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);

    for _ in 0..4 {
        let late = rig.run_for(seconds(10));
        assert_eq!(cause(&late), Some(DisconnectCause::ConnectTimeout));
        rig.tick();
    }
}

#[test]
fn a_login_that_is_never_answered_is_parted_with_and_retried() {
    let mut rig = Rig::new(with_login());
    rig.on(Event::ConnectRequested);
    rig.open();

    let before = rig.run_for(seconds(9));
    let late = rig.run_for(seconds(1));

    assert_eq!(pings(&before), 0, "no ping before the login is done");
    assert_eq!(cause(&late), Some(DisconnectCause::LoginTimeout));
    assert_eq!(rig.connection.state(), ConnectionState::Disconnected);
}

#[test]
fn sends_never_defer_the_ping() {
    let mut rig = Rig::asked(json().build().unwrap());
    receive(&mut rig, PONG);
    let mut done = Vec::new();

    for _ in 0..36 {
        rig.on(Event::SendRequested(Message::Text("busy")));
        done.extend(rig.run_for(seconds(1)));
    }

    assert_eq!(pings(&done), 1);
    assert_eq!(cause(&done), Some(DisconnectCause::PongTimeout));
}

#[test]
fn a_pong_that_comes_after_our_close_is_still_the_heartbeats() {
    let mut rig = Rig::asked(json().build().unwrap());
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));

    let pong = receive(&mut rig, PONG);
    let data = receive(&mut rig, "the rest");

    assert!(!pong.contains(&Action::Deliver), "{pong:?}");
    assert_eq!(data, [Action::Deliver]);
}

#[test]
fn a_websocket_pong_that_comes_after_our_close_is_still_the_heartbeats() {
    let config = Config::builder().heartbeat(HeartbeatKind::Ping).build().unwrap();
    let mut rig = Rig::asked(config);
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    let socket = rig.socket();
    rig.pass(seconds(1));

    let pong = rig.on(Event::FrameReceived(socket, Frame::Pong(b"1")));
    let unasked = rig.on(Event::FrameReceived(socket, Frame::Pong(b"1")));

    let round_trip = Some(seconds(1));
    assert_eq!(pong, [Action::Notify(Notice::PongReceived { socket, round_trip })]);
    assert!(unasked.is_empty(), "{unasked:?}");
}

fn pongs(rig: &mut Rig, payloads: &[&str]) -> Vec<Option<Option<Duration>>> {
    let socket = rig.socket();
    let heard = |payload: &&str| {
        let actions = rig.on(Event::FrameReceived(socket, Frame::Pong(payload.as_bytes())));
        actions.iter().find_map(|action| match action {
            Action::Notify(Notice::PongReceived { round_trip, .. }) => Some(*round_trip),
            _ => None,
        })
    };
    payloads.iter().map(heard).collect()
}

#[test]
fn a_websocket_pong_answers_only_with_the_pings_data_to_the_letter() {
    let config = Config::builder().heartbeat(HeartbeatKind::Ping).heartbeat_strict(true);
    let mut rig = Rig::asked(config.build().unwrap());

    let heard = pongs(&mut rig, &["", "+1", "01", "1 ", "0", "2", "x", "1", "1"]);

    let instant = Some(Some(Duration::ZERO));
    assert_eq!(heard, [None, None, None, None, None, None, None, instant, None]);
}

#[test]
fn a_websocket_pong_answers_the_pings_before_its_own_as_well_and_once() {
    let config = Config::builder().heartbeat(HeartbeatKind::Ping).build().unwrap();
    let mut rig = Rig::asked(config);
    let socket = rig.socket();
    for _ in 0..2 {
        rig.on(Event::BytesReceived(socket)); // alive, and answers no ping
        rig.run_for(seconds(30));
    }

    let heard = pongs(&mut rig, &["2", "2", "1", "3", "3"]);

    let (older, newest) = (Some(Some(seconds(30))), Some(Some(Duration::ZERO)));
    assert_eq!(heard, [older, None, None, newest, None]);
}

#[test]
fn strictly_an_old_websocket_pong_does_not_answer_the_probe_after_a_suspend() {
    let config = Config::builder().heartbeat(HeartbeatKind::Ping).heartbeat_strict(true);
    let mut rig = Rig::asked(config.build().unwrap()); // ping 1 is out
    rig.on(Event::WallClock(UnixMillis(WALL)));
    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    assert_eq!(pings(&woken), 1, "ping 2 probes");

    let heard = pongs(&mut rig, &["1"]); // from before the sleep, out of a buffer
    let late = rig.run_for(seconds(5));

    assert_eq!(heard, [Some(Some(Duration::ZERO))]);
    assert_eq!(cause(&late), Some(DisconnectCause::PongTimeout));
}

#[test]
fn a_peers_own_ping_after_our_close_is_neither_answered_nor_delivered() {
    let config = json().answer_pings(true).build().unwrap();
    let mut rig = Rig::asked(config);
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));

    let ping = receive(&mut rig, r#"{"type":"ping","timestamp":5}"#);

    assert!(ping.is_empty(), "{ping:?}");
}

#[test]
fn a_reader_that_pauses_all_the_time_and_hears_nothing_still_pings_on_time() {
    let mut rig = Rig::asked(json().build().unwrap());
    let socket = rig.socket();
    let mut sent = 0;

    for _ in 0..120 {
        sent += pings(&rig.run_for(seconds(1)));
        rig.on(Event::ReadingPaused(socket));
        rig.on(Event::ReadingResumed(socket));
    }
    let silent = rig.run_for(seconds(5));

    assert_eq!(sent, 4, "one each interval of 30 s");
    assert_eq!(cause(&silent), Some(DisconnectCause::PongTimeout), "{silent:?}");
}

#[test]
fn a_ping_that_comes_due_while_one_is_judged_does_not_put_death_off() {
    let mut rig = Rig::asked(json().build().unwrap());
    let socket = rig.socket();
    rig.on(Event::ReadingPaused(socket));
    rig.pass(seconds(28));
    rig.on(Event::ReadingResumed(socket)); // judged at 33 s, the next ping still due at 30 s

    let before = rig.run_for(seconds(4));
    let at = rig.run_for(seconds(1));

    assert_eq!((pings(&before), cause(&before)), (1, None));
    assert_eq!(cause(&at), Some(DisconnectCause::PongTimeout));
}

#[test]
fn an_application_that_pauses_all_the_time_postpones_no_ping() {
    let mut rig = Rig::asked(json().build().unwrap());
    receive(&mut rig, PONG);
    let mut done = Vec::new();

    for _ in 0..120 {
        let socket = rig.socket();
        rig.on(Event::ReadingPaused(socket));
        rig.on(Event::ReadingResumed(socket));
        done.extend(rig.run_for(seconds(1)));
        receive(&mut rig, PONG);
    }

    assert_eq!(pings(&done), 4);
}

#[test]
fn a_dead_peer_is_aborted_without_a_close_frame() {
    let mut rig = Rig::asked(json().build().unwrap());
    let id = rig.socket();

    let dead = rig.run_for(seconds(5));

    assert_eq!(dead.first(), Some(&Action::AbortSocket(id)));
    assert!(!dead.iter().any(|action| matches!(action, Action::Send(..))));
}

#[test]
fn bulk_data_before_the_pong_is_life() {
    let mut rig = Rig::asked(json().build().unwrap());
    let id = rig.socket();

    for _ in 0..20 {
        rig.run_for(seconds(4));
        rig.on(Event::BytesReceived(id)); // a part of one long message
    }

    assert!(rig.connection.is_ready());
}

#[test]
fn in_strict_mode_a_peer_that_only_talks_is_dead() {
    let mut rig = Rig::asked(json().heartbeat_strict(true).build().unwrap());

    rig.run_for(seconds(4));
    receive(&mut rig, "data");
    let dead = rig.run_for(seconds(1));

    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
}

#[test]
fn a_stall_of_our_own_is_followed_by_one_ping_and_kills_nobody() {
    let mut rig = Rig::asked(json().build().unwrap());
    receive(&mut rig, PONG);
    rig.run_for(seconds(6));

    rig.pass(seconds(600)); // no Tick came in all this time
    let ticked = rig.on(Event::Tick);
    let again = rig.on(Event::Tick);

    assert_eq!((pings(&ticked), cause(&ticked)), (1, None));
    assert!(again.is_empty());
}

#[test]
fn a_pong_handed_over_before_its_tick_means_alive_however_late_it_is() {
    let mut rig = Rig::asked(json().build().unwrap());

    rig.pass(seconds(20)); // the ping was to be answered by 5 s
    receive(&mut rig, PONG);
    let ticked = rig.on(Event::Tick);

    assert_eq!(cause(&ticked), None);
}

#[test]
fn a_peer_that_answered_before_a_pause_is_alive_after_it() {
    let mut rig = Rig::asked(json().build().unwrap());
    let id = rig.socket();
    receive(&mut rig, PONG);

    rig.on(Event::ReadingPaused(id));
    rig.pass(seconds(3));
    rig.on(Event::ReadingResumed(id));
    let quiet = rig.run_for(seconds(26));

    assert_eq!(cause(&quiet), None);
    assert_eq!(pings(&rig.run_for(seconds(1))), 1, "the next ping is due when it was");
}

#[test]
fn while_reading_is_paused_nobody_is_dead_and_then_the_deadlines_start_in_full() {
    let mut rig = Rig::asked(json().build().unwrap());
    let id = rig.socket();

    rig.on(Event::ReadingPaused(id));
    let paused = rig.run_for(seconds(3_600));
    rig.on(Event::ReadingResumed(id));
    let before = rig.run_for(Duration::from_millis(4_999));
    let dead = rig.run_for(Duration::from_millis(1));

    assert_eq!((pings(&paused), cause(&paused)), (120, None), "one each interval of 30 s");
    assert_eq!(cause(&before), None);
    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
}

#[test]
fn a_feed_that_has_dried_up_is_noticed_though_pongs_come() {
    let mut rig = Rig::asked(json().data_timeout(Some(seconds(60))).build().unwrap());
    receive(&mut rig, PONG);
    rig.run_for(seconds(20));
    receive(&mut rig, "data");
    rig.run_for(seconds(10));
    receive(&mut rig, PONG);

    rig.run_for(seconds(30));
    receive(&mut rig, PONG);
    let before = rig.run_for(seconds(19));
    let dry = rig.run_for(seconds(1));

    assert_eq!(cause(&before), None);
    assert_eq!(cause(&dry), Some(DisconnectCause::DataTimeout));
}

#[test]
fn on_a_tick_past_several_deadlines_the_earliest_is_judged() {
    for (timeout, expected) in [
        (seconds(32), DisconnectCause::DataTimeout),
        (seconds(35), DisconnectCause::DataTimeout),
        (seconds(50), DisconnectCause::PongTimeout),
    ] {
        // Asked at 30 s, the peer is dead at 35 s.
        let mut rig = Rig::asked(json().data_timeout(Some(timeout)).build().unwrap());

        rig.pass(seconds(100));
        let late = rig.on(Event::Tick);

        assert_eq!(cause(&late), Some(expected), "{timeout:?}");
        assert_eq!(pings(&late), 0, "a socket that is left is not pinged");
    }
}

#[test]
fn suspend_probes_the_open_socket_and_kills_it_within_five_seconds() {
    let mut rig = Rig::asked(json().build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    receive(&mut rig, PONG);
    rig.run_for(seconds(10));

    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    let dead = rig.run_for(seconds(5));

    assert_eq!(pings(&woken), 1);
    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
}

#[test]
fn suspend_does_not_kill_a_socket_that_answers_the_probe() {
    let mut rig = Rig::asked(json().build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    receive(&mut rig, PONG);
    rig.run_for(seconds(10));

    rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    rig.run_for(seconds(4));
    receive(&mut rig, PONG);
    let after = rig.run_for(seconds(10));

    assert_eq!(cause(&after), None);
}

#[test]
fn suspend_while_waiting_retries_within_a_second() {
    let mut rig = Rig::new(Config::builder().initial_delay(seconds(20)).build().unwrap());
    rig.on(Event::WallClock(UnixMillis(WALL)));
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, OpenError::Unreachable);

    let woken = rig.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    let opens = rig.run_for(seconds(1));

    assert_eq!(because(&woken), Some(Because::Hint));
    assert!(opened(&opens).is_some());
}

#[test]
fn a_clock_that_steps_back_freezes_the_timers_until_it_has_caught_up() {
    let mut rig = Rig::asked(json().build().unwrap());
    receive(&mut rig, PONG);
    rig.run_for(seconds(20));
    let due = rig.connection.next_deadline();

    rig.now = Instant::ZERO;
    let back = rig.on(Event::Tick);
    let caught_up = rig.run_for(seconds(60));

    assert!(back.is_empty());
    assert_eq!(due, Some(Instant::from_millis(60_000)));
    assert_eq!(pings(&caught_up), 1);
}

#[test]
fn offline_removes_no_deadline() {
    let mut rig = Rig::asked(json().build().unwrap());
    let due = rig.connection.next_deadline();

    let told = rig.on(Event::NetworkChanged(Network::Offline));
    let dead = rig.run_for(seconds(5));
    let waiting = rig.connection.next_deadline();
    rig.on(Event::NetworkChanged(Network::Offline));

    assert!(told.is_empty() && due.is_some() && waiting.is_some());
    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
    assert_eq!(rig.connection.next_deadline(), waiting);
}

#[test]
fn online_while_waiting_opens_now_and_at_most_once_in_thirty_seconds() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, OpenError::Unreachable);

    let first = rig.on(Event::NetworkChanged(Network::Online));
    fail_to_open(&mut rig, OpenError::Unreachable);
    let second = rig.on(Event::NetworkChanged(Network::Online));

    assert!(opened(&first).is_some());
    assert!(first.iter().any(|action| matches!(
        action,
        Action::Notify(Notice::RetryScheduled { cause: RetryCause::Online, attempt: 1, .. })
    )));
    assert!(second.is_empty());
}

// ---- Heartbeats ----

#[test]
fn a_pong_is_consumed_while_one_is_awaited_and_delivered_when_none_is() {
    let mut rig = Rig::asked(json().build().unwrap());

    let awaited = receive(&mut rig, PONG);
    let unasked = receive(&mut rig, PONG);

    assert!(!awaited.contains(&Action::Deliver));
    assert_eq!(unasked, [Action::Deliver]);
}

#[test]
fn a_pong_leaves_nothing_to_wake_up_for_until_the_next_ping() {
    let mut rig = Rig::asked(json().build().unwrap());
    rig.pass(seconds(1));

    let answered = receive(&mut rig, PONG);

    assert_eq!(answered.last(), Some(&Action::ScheduleTimer(Instant::from_millis(60_000))));
}

#[test]
fn the_round_trip_is_that_of_the_ping_that_the_pong_echoes() {
    let mut rig = Rig::new(Config::builder().heartbeat(HeartbeatKind::Ping).build().unwrap());
    rig.on(Event::ConnectRequested);
    rig.open();
    let id = rig.socket();
    rig.run_for(seconds(31)); // ping 1 left at 30 s
    rig.on(Event::BytesReceived(id)); // alive, but ping 1 stays unanswered
    rig.run_for(seconds(30)); // ping 2 left at 60 s

    let first = rig.on(Event::FrameReceived(id, Frame::Pong(b"1")));
    let second = rig.on(Event::FrameReceived(id, Frame::Pong(b"2")));

    let round_trip = |actions: &[Action]| match actions {
        [Action::Notify(Notice::PongReceived { round_trip, .. }), ..] => *round_trip,
        _ => panic!("no pong: {actions:?}"),
    };
    assert_eq!(round_trip(&first), Some(seconds(31)));
    assert_eq!(round_trip(&second), Some(seconds(1)));
}

#[test]
fn the_first_ping_of_a_fleet_with_phase_waits_for_its_share_of_the_interval() {
    let mut rig = Rig::new(Config::builder().heartbeat_phase(true).build().unwrap());
    rig.on(Event::ConnectRequested);

    let ready = rig.open();
    let before = rig.run_for(Duration::from_millis(14_999));
    let at_phase = rig.run_for(Duration::from_millis(1));

    assert_eq!((pings(&ready), pings(&before), pings(&at_phase)), (0, 0, 1));
}

#[test]
fn the_peers_own_ping_is_answered_with_its_timestamp_where_that_is_asked_for() {
    let mut rig = Rig::asked(json().answer_pings(true).build().unwrap());
    let id = rig.socket();

    let answered = receive(&mut rig, r#"{"timestamp":17,"type":"ping"}"#);

    assert_eq!(answered, [Action::Send(id, Outgoing::Pong(Some(UnixMillis(17))))]);
}
