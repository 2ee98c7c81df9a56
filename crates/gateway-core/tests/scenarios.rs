//! What users of long-lived connections report of retries, old sockets, closing and credentials, each as one short story on the core alone.

mod common;

use core::time::Duration;
use std::sync::Arc;

use common::stories::{
    PONG, WALL, because, cause, credentials, fail_to_open, gave_up, http, json, live_for, lose,
    receive, seconds, with_login,
};
use gateway_core::{
    Action, Because, CloseCode, CloseFrame, Config, ConnectionState, Credentials, DisconnectCause,
    Event, Failure, Frame, GiveUpCause, Login, Message, Network, Notice, OpenError, Outgoing,
    RetryAfter, SendRejection, UnixMillis, Verdict,
};
use gateway_testkit::Fixed;
use gateway_testkit::{Rig, attempt, delay, opened, pings};

// ---- Backoff and herds ----

#[test]
fn accept_then_drop_keeps_growing_the_delay() {
    let mut rig = Rig::ready(json().build().unwrap());
    let mut delays = Vec::new();

    for count in 1..=6 {
        let lost = lose(&mut rig);
        assert_eq!(attempt(&lost), Some(count));
        delays.extend(delay(&lost));
        rig.tick();
        rig.open();
    }

    let millis: Vec<_> = delays.iter().map(Duration::as_millis).collect();
    assert_eq!(millis, [2_000, 3_500, 6_500, 12_500, 24_500, 30_000]);
}

#[test]
fn a_login_that_is_refused_after_open_keeps_growing_the_delay() {
    let mut rig = Rig::new(with_login());
    rig.on(Event::ConnectRequested);

    for count in 1..=5 {
        rig.open();
        let refused = rig.on(Event::LoginRejected(Verdict::Retry));
        assert_eq!((attempt(&refused), cause(&refused)), (None, None), "a Close may follow");
        let left = rig.tick();
        assert_eq!(attempt(&left), Some(count));
        assert_eq!(cause(&left), Some(DisconnectCause::LoginRefused(None)));
        rig.tick();
    }
}

#[test]
fn hours_of_health_start_from_the_first_delay_again() {
    let mut rig = Rig::ready(json().build().unwrap());
    for _ in 0..5 {
        lose(&mut rig);
        rig.tick();
        rig.open();
    }

    live_for(&mut rig, seconds(6 * 3_600));
    let lost = lose(&mut rig);

    assert_eq!((attempt(&lost), delay(&lost)), (Some(1), Some(seconds(2))));
}

#[test]
fn a_stay_shorter_than_the_wait_before_it_is_not_stable() {
    let mut rig = Rig::ready(json().build().unwrap());
    for _ in 0..5 {
        lose(&mut rig);
        rig.tick();
        rig.open();
    }

    live_for(&mut rig, seconds(20)); // more than stable_after, less than the last delay of 24.5 s
    let lost = lose(&mut rig);

    assert_eq!(attempt(&lost), Some(6));
}

#[test]
fn a_dead_peer_after_a_stable_stay_starts_from_the_first_delay_as_well() {
    let mut rig = Rig::ready(json().build().unwrap());
    lose(&mut rig);
    rig.tick();
    rig.open();
    receive(&mut rig, PONG);

    let dead = rig.run_for(seconds(35)); // the ping at 30 s is not answered

    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
    assert_eq!(attempt(&dead), Some(1));
}

#[test]
fn attempts_are_spent_and_a_connect_request_starts_a_new_life() {
    let mut rig = Rig::new(Config::builder().max_attempts(Some(2)).build().unwrap());
    rig.on(Event::ConnectRequested);
    for _ in 0..2 {
        fail_to_open(&mut rig, OpenError::Refused);
        rig.tick();
    }

    let last = fail_to_open(&mut rig, OpenError::Refused);
    rig.on(Event::ConnectRequested);
    let again = fail_to_open(&mut rig, OpenError::Refused);

    assert_eq!(gave_up(&last), Some(GiveUpCause::AttemptsSpent));
    assert_eq!(attempt(&again), Some(1));
}

#[test]
fn max_attempts_zero_never_retries() {
    let mut rig = Rig::new(Config::builder().max_attempts(Some(0)).build().unwrap());
    rig.on(Event::ConnectRequested);

    let failed = fail_to_open(&mut rig, OpenError::Dns);

    assert_eq!(gave_up(&failed), Some(GiveUpCause::AttemptsSpent));
    assert_eq!(rig.connection.state(), ConnectionState::Closed);
}

#[test]
fn connect_while_waiting_opens_now_and_keeps_the_count() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, OpenError::Refused);

    let connected = rig.on(Event::ConnectRequested);
    let failed = fail_to_open(&mut rig, OpenError::Refused);

    assert!(opened(&connected).is_some());
    assert_eq!(attempt(&failed), Some(2));
}

// ---- Stale events and timers ----

#[test]
fn late_close_of_an_old_socket_does_not_touch_the_new_one() {
    let mut rig = Rig::ready(json().build().unwrap());
    let old = rig.socket();
    lose(&mut rig);
    rig.tick();
    rig.open();

    for event in [
        Event::SocketFailed(old, Failure::Reset),
        Event::FrameReceived(old, Frame::Close(Some(CloseFrame::NORMAL))),
    ] {
        let told = rig.on(event);
        assert!(matches!(told[..], [Action::Notify(Notice::Stale { .. })]));
    }

    assert!(rig.connection.is_ready());
    assert_eq!(rig.connection.statistics(rig.now).stale_events, 2);
}

#[test]
fn late_pong_of_an_old_socket_does_not_keep_the_new_one_alive() {
    let mut rig = Rig::ready(json().build().unwrap());
    let old = rig.socket();
    lose(&mut rig);
    rig.tick();
    rig.open();

    rig.run_for(seconds(34)); // asked at 30 s
    rig.on(Event::FrameReceived(old, Frame::Text(PONG)));
    let dead = rig.run_for(seconds(1));

    assert_eq!(cause(&dead), Some(DisconnectCause::PongTimeout));
}

#[test]
fn late_open_of_a_socket_that_was_given_up_is_closed_and_nothing_else() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    let old = rig.socket();
    rig.run_for(seconds(10)); // connect_timeout
    rig.tick();

    let late = rig.on(Event::SocketOpened(old));

    assert_eq!(late.last(), Some(&Action::CloseSocket(old)));
    assert_eq!(rig.connection.state(), ConnectionState::Connecting);
}

#[test]
fn the_connect_timer_of_a_socket_that_opened_does_not_close_it_later() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    rig.pass(seconds(9));
    rig.open();
    receive(&mut rig, PONG);

    rig.run_for(seconds(2)); // past the connect deadline

    assert!(rig.connection.is_ready());
}

#[test]
fn heartbeat_of_the_old_socket_is_dropped_with_it() {
    let mut rig = Rig::ready(json().build().unwrap());
    rig.pass(seconds(4));
    lose(&mut rig); // its ping is unanswered, to be judged at 5 s
    let waited = rig.tick();
    rig.open();

    let quiet = rig.run_for(seconds(4));

    assert!(opened(&waited).is_some());
    assert_eq!(cause(&quiet), None);
}

// ---- Close ----

#[test]
fn close_during_backoff_wins_at_once() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, OpenError::Refused);

    rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    let after = rig.run_for(seconds(3_600));
    let online = rig.on(Event::NetworkChanged(Network::Online));

    assert_eq!(rig.connection.state(), ConnectionState::Closed);
    assert!(after.is_empty() && online.is_empty());
}

#[test]
fn close_while_connecting_drops_the_socket_and_its_late_open() {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    let id = rig.socket();

    let closed = rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    let late = rig.on(Event::SocketOpened(id));

    assert_eq!(closed.first(), Some(&Action::CloseSocket(id)));
    assert_eq!(late.last(), Some(&Action::CloseSocket(id)));
    assert_eq!(rig.connection.state(), ConnectionState::Closed);
}

#[test]
fn a_peer_that_does_not_answer_our_close_is_aborted() {
    let mut rig = Rig::ready(json().build().unwrap());
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));

    let id = rig.socket();
    rig.on(Event::FrameReceived(id, Frame::Text("data"))); // it talks on; the deadline stands
    let aborted = rig.run_for(seconds(2));

    assert_eq!(cause(&aborted), Some(DisconnectCause::CloseTimeout));
    assert_eq!(rig.connection.state(), ConnectionState::Closed);
}

#[test]
fn connect_while_closing_does_not_wait_for_the_old_socket() {
    let mut rig = Rig::ready(json().build().unwrap());
    let old = rig.socket();
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));

    let reconnected = rig.on(Event::ConnectRequested);

    assert_eq!(reconnected.first(), Some(&Action::CloseSocket(old)));
    assert!(opened(&reconnected).is_some_and(|id| id > old));
}

#[test]
fn a_second_close_request_sends_no_second_close() {
    let mut rig = Rig::ready(json().build().unwrap());

    let first = rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    let second = rig.on(Event::CloseRequested(CloseFrame::NORMAL));

    assert!(matches!(first.first(), Some(Action::Send(_, Outgoing::RequestedClose))));
    assert!(second.is_empty());
}

#[test]
fn data_that_arrives_while_closing_is_delivered() {
    let mut rig = Rig::ready(json().build().unwrap());
    rig.on(Event::CloseRequested(CloseFrame::NORMAL));

    assert_eq!(receive(&mut rig, "data"), [Action::Deliver]);
}

#[test]
fn a_peer_that_breaks_the_protocol_is_told_so_and_retried() {
    let mut rig = Rig::ready(json().build().unwrap());
    let id = rig.socket();

    let failed = rig.on(Event::SocketFailed(id, Failure::InvalidUtf8));

    let close = Outgoing::Close(CloseCode::INVALID_PAYLOAD);
    assert_eq!(failed[..2], [Action::Send(id, close), Action::CloseSocket(id)]);
    assert_eq!(attempt(&failed), Some(1));
}

// ---- Credentials, codes, statuses ----

/// The server has refused the credentials of the first attempt.
fn unauthorized() -> Rig {
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);
    fail_to_open(&mut rig, http(401, None));
    rig
}

#[test]
fn token_expired_is_refreshed_once() {
    let mut rig = unauthorized();

    let refreshed = rig.tick();
    let refused = fail_to_open(&mut rig, http(401, None));

    assert_eq!(credentials(&refreshed), Some(Credentials::Refresh));
    assert_eq!(gave_up(&refused), Some(GiveUpCause::HttpStatus(401)));
}

#[test]
fn a_refresh_that_no_server_has_judged_is_asked_for_again_and_not_counted_twice() {
    let mut rig = unauthorized();
    rig.tick();

    fail_to_open(&mut rig, OpenError::Refused);
    let again = rig.tick();
    rig.open();
    lose(&mut rig);
    let cached = rig.tick();

    assert_eq!(credentials(&again), Some(Credentials::Refresh));
    assert_eq!(credentials(&cached), Some(Credentials::Cached));
}

#[test]
fn a_refresh_that_a_server_has_judged_is_at_hand_from_then_on() {
    let mut rig = unauthorized();
    let refreshed = rig.tick();

    fail_to_open(&mut rig, http(503, None)); // the server has seen them, and is busy
    let cached = rig.tick();

    assert_eq!(credentials(&refreshed), Some(Credentials::Refresh));
    assert_eq!(credentials(&cached), Some(Credentials::Cached));
}

#[test]
fn an_embedders_own_login_is_made_of_messages_and_the_machines_own_is_not() {
    let external = Login::External { timeout: seconds(10) };
    let mut own = Rig::new(Config::builder().login(external).build().unwrap());
    let mut machines = Rig::new(with_login());
    for rig in [&mut own, &mut machines] {
        rig.on(Event::ConnectRequested);
        rig.open();
    }

    let taken = own.on(Event::SendRequested(Message::Text("who I am")));
    let refused = machines.on(Event::SendRequested(Message::Text("who I am")));

    assert_eq!(taken, [Action::Send(own.socket(), Outgoing::Requested)]);
    assert_eq!(refused, [Action::Notify(Notice::SendRejected(SendRejection::NotReady))]);
}

#[test]
fn a_token_may_expire_again_after_a_stable_stay() {
    let mut rig = unauthorized();
    rig.tick();
    rig.open();
    receive(&mut rig, PONG);
    live_for(&mut rig, seconds(60));
    lose(&mut rig);
    let cached = rig.tick();

    fail_to_open(&mut rig, http(401, None));
    let refreshed = rig.tick();

    assert_eq!(credentials(&cached), Some(Credentials::Cached));
    assert_eq!(credentials(&refreshed), Some(Credentials::Refresh));
}

#[test]
fn retry_after_is_clamped_and_spread() {
    let waits = [Fixed::LEAST, Fixed::HALF, Fixed::MOST].map(|draw| {
        let mut rig = Rig::with(Arc::new(Config::default()), draw);
        rig.on(Event::ConnectRequested);
        let header = Some(RetryAfter::Seconds(86_400));
        let busy = fail_to_open(&mut rig, http(429, header));
        assert_eq!(because(&busy), Some(Because::RetryAfter));
        delay(&busy).unwrap()
    });

    assert_eq!(waits, [seconds(300), seconds(330), Duration::from_millis(359_999)]);
}

#[test]
fn a_retry_after_that_is_a_date_counts_once_the_wall_clock_is_known() {
    let header = Some(RetryAfter::Date(UnixMillis(WALL + 60_000)));
    let mut rig = Rig::new(Config::default());
    rig.on(Event::ConnectRequested);

    let ignored = fail_to_open(&mut rig, http(503, header));
    rig.on(Event::WallClock(UnixMillis(WALL)));
    rig.run_for(seconds(2)); // the first retry
    let heeded = fail_to_open(&mut rig, http(503, header));

    assert_eq!(because(&ignored), Some(Because::Backoff));
    // 58 s are left, and half of a fifth of them on top.
    assert_eq!(delay(&heeded), Some(Duration::from_millis(63_800)));
}

#[test]
fn fatal_codes_are_not_retried_and_unknown_ones_are() {
    for (code, is_fatal) in
        [(1000, true), (1002, true), (1008, true), (1001, false), (1012, false), (4321, false)]
    {
        let mut rig = Rig::ready(json().build().unwrap());
        let id = rig.socket();
        let frame = CloseFrame::new(code, "").unwrap();

        let closed = rig.on(Event::FrameReceived(id, Frame::Close(Some(frame))));

        let expected = is_fatal.then_some(GiveUpCause::CloseCode(code));
        assert_eq!(gave_up(&closed), expected, "{code}");
        assert_eq!(rig.connection.gave_up(), expected, "{code}");
    }
}

#[test]
fn too_many_requests_and_server_errors_retry_and_other_refusals_end() {
    for (status, is_fatal) in [
        (408, false),
        (425, false),
        (429, false),
        (500, false),
        (503, false),
        (404, true),
        (302, true),
    ] {
        let mut rig = Rig::new(Config::default());
        rig.on(Event::ConnectRequested);

        let failed = fail_to_open(&mut rig, http(status, None));

        assert_eq!(gave_up(&failed).is_some(), is_fatal, "{status}");
    }
}

// ---- Messages ----

#[test]
fn a_send_before_the_login_is_done_is_rejected_not_kept() {
    let mut rig = Rig::new(with_login());
    rig.on(Event::ConnectRequested);
    rig.open();

    let early = rig.on(Event::SendRequested(Message::Text("x")));
    let welcomed = receive(&mut rig, r#"{"type":"welcome"}"#);

    assert_eq!(early, [Action::Notify(Notice::SendRejected(SendRejection::NotReady))]);
    assert!(!welcomed.iter().any(|action| matches!(action, Action::Send(_, Outgoing::Requested))));
    assert_eq!(rig.connection.state(), ConnectionState::Authenticated);
}

#[test]
fn a_blocked_transport_rejects_sends_until_it_is_flushed_and_is_pinged_all_the_same() {
    let mut rig = Rig::ready(json().build().unwrap());
    let id = rig.socket();
    receive(&mut rig, PONG);

    rig.on(Event::WriteBlocked(id));
    let blocked = rig.on(Event::SendRequested(Message::Text("x")));
    let beat = rig.run_for(seconds(30));
    rig.on(Event::Flushed(id));
    let flushed = rig.on(Event::SendRequested(Message::Text("x")));

    assert_eq!(blocked, [Action::Notify(Notice::SendRejected(SendRejection::WriteBlocked))]);
    assert_eq!(pings(&beat), 1);
    assert_eq!(flushed, [Action::Send(id, Outgoing::Requested)]);
}
