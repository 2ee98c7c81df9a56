//! A session's rules without IO: orders, the farewell, the flow, the outcomes.

mod log;
mod stale;
mod unread;

use std::time::Duration;

use gateway_core::{
    CloseCode, ConfigBuilder, DisconnectCause, Failure, HeartbeatKind, JsonDialect, Login,
};

use super::*;
use crate::outcome::Fate;

fn calm() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Off)
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn session(config: ConfigBuilder) -> Session {
    Session::new(Arc::new(config.build().unwrap()), 7, Box::new(JsonDialect))
}

/// An open session with nothing left to do, and its socket.
fn open(config: ConfigBuilder, limits: Limits) -> (Session, SocketId) {
    let mut session = session(config).with_limits(limits).with_sent_reported(true);
    session.connect(at(0));
    let id = opens(&mut session);
    session.opened(at(0), id);
    while session.next_event().is_some() {}
    (session, id)
}

/// The one order that is waiting, to open.
fn opens(session: &mut Session) -> SocketId {
    let Some(Order::Open { id, .. }) = session.next_order() else { panic!("no open") };
    assert_eq!(session.next_order(), None);
    id
}

/// A server's frame, unmasked; payloads of at most 125 bytes.
fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn close_of(code: u16) -> Vec<u8> {
    frame(0x88, code.to_be_bytes())
}

fn events(session: &mut Session) -> Vec<ClientEvent> {
    std::iter::from_fn(|| session.next_event()).collect()
}

fn outcomes(session: &mut Session) -> Vec<(u64, u64, Fate)> {
    let outcome = |event: ClientEvent| match event {
        ClientEvent::Outcome(outcome) => {
            Some((outcome.first.number(), outcome.last.number(), outcome.fate))
        }
        _ => None,
    };
    events(session).into_iter().filter_map(outcome).collect()
}

fn write_all(session: &mut Session, id: SocketId) {
    session.written(id, session.pending().len());
    session.flushed(id);
}

#[test]
fn a_socket_that_was_closed_by_its_peer_is_dropped_with_a_farewell() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &close_of(1012));
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert_eq!(session.pending()[0], 0x88, "the answer waits to be written");
}

#[test]
fn a_socket_that_is_lost_is_dropped_without_one_and_one_of_a_dead_peer_is_aborted() {
    let (mut session, id) = open(calm(), Limits::default());
    session.send(Message::text("corked")).unwrap();
    session.failed(at(1), id, Failure::Reset, "reset");
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: false }));

    let (mut session, id) = open(Config::builder(), Limits::default());
    session.tick(at(30)); // a ping
    session.tick(at(35));
    assert_eq!(session.next_order(), Some(Order::Abort { id }));
}

#[test]
fn a_ping_behind_bytes_that_the_transport_does_not_take_is_judged_from_its_hand_over() {
    let (mut session, id) = open(Config::builder(), Limits::default());
    session.send(Message::binary(vec![0; 200_000])).unwrap();
    session.write_ended(at(29), id, false); // bytes begin to wait
    session.tick(at(30));
    session.write_ended(at(31), id, false);
    assert_eq!(session.deadline(), Some(at(60)), "the next ping's turn");
    session.tick(at(60));
    session.written(id, 100_000);
    session.write_ended(at(60), id, true);
    session.tick(at(65));
    assert!(session.is_ready(), "the transport took bytes");

    write_all(&mut session, id);
    session.write_ended(at(70), id, true);
    // (200,016 flushed - 65,536) / 32,768 a second, in whole milliseconds
    let allowance = Duration::from_millis(4_104);
    assert_eq!(session.deadline(), Some(at(75).saturating_add(allowance)));
}

#[test]
fn a_breach_of_the_peers_is_told_in_the_farewell() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &frame(0x81, [0xff]));
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert_eq!(session.pending()[0], 0x88);
    assert_eq!(session.pending().len(), 2 + 4 + 2, "one Close, masked, with a code");
}

#[test]
fn what_follows_the_frame_that_ended_the_socket_is_nobodys() {
    let (mut session, id) = open(calm(), Limits::default());
    let bytes = [frame(0x81, "before"), close_of(1012), frame(0x81, "after"), vec![0xff; 9]];
    session.received(at(1), id, &bytes.concat());
    let messages = events(&mut session).into_iter().filter_map(|event| match event {
        ClientEvent::Message(message) => Some(message),
        _ => None,
    });
    assert!(messages.eq([Message::text("before")]));
}

#[test]
fn the_drop_of_the_old_socket_comes_before_the_opening_of_the_new() {
    let (mut session, old) = open(calm(), Limits::default());
    session.close(at(1), CloseFrame::NORMAL);
    session.connect(at(1));
    assert_eq!(session.next_order(), Some(Order::Drop { id: old, farewell: true }));
    session.dropped(old);
    let new = opens(&mut session);
    assert!(new > old);
    session.opened(at(2), new);
    assert!(session.is_ready());
}

#[test]
fn what_an_old_socket_reports_touches_no_newer_one() {
    let (mut session, old) = open(calm(), Limits::default());
    session.failed(at(1), old, Failure::Eof, "");
    session.next_order();
    session.dropped(old);
    session.connect(at(1));
    let new = opens(&mut session);
    session.opened(at(2), new);
    session.send(Message::text("waits")).unwrap();
    let pending = session.pending().len();

    session.received(at(3), old, &close_of(1000));
    session.written(old, pending);
    session.flushed(old);
    session.failed(at(3), old, Failure::Reset, "");
    session.dropped(old);

    assert!(session.is_ready());
    assert_eq!((session.pending().len(), session.next_order()), (pending, None));
}

#[test]
fn an_open_that_comes_after_its_time_is_dropped_again() {
    let mut session = session(calm());
    session.connect(at(0));
    let late = opens(&mut session);
    session.tick(at(10));
    assert_eq!(session.next_order(), Some(Order::Drop { id: late, farewell: false }));
    session.dropped(late);
    session.opened(at(11), late);
    assert_eq!(session.next_order(), Some(Order::Drop { id: late, farewell: false }));
    assert!(session.pending().is_empty() && !session.is_ready());
}

#[test]
fn the_outcomes_follow_what_was_flushed_and_written() {
    let (mut session, id) = open(calm(), Limits::default());
    session.send(Message::text("one")).unwrap();
    write_all(&mut session, id);
    for text in ["two", "three", "four"] {
        session.send(Message::text(text)).unwrap();
    }
    // All of "two" and the first byte of "three"; nothing flushed.
    session.written(id, 6 + 3 + 1);
    session.failed(at(1), id, Failure::Reset, "");
    session.dropped(id);

    let socket = id;
    assert_eq!(
        outcomes(&mut session),
        [(1, 1, Fate::Sent { socket }), (2, 3, Fate::MaybeSent { socket }), (4, 4, Fate::Rejected)]
    );
}

#[test]
fn frames_of_our_own_are_no_messages_and_have_no_outcome() {
    let (mut session, id) = open(Config::builder(), Limits::default());
    session.received(at(1), id, &frame(0x89, "ping"));
    write_all(&mut session, id);
    assert_eq!(outcomes(&mut session), []);
}

#[test]
fn numbers_go_on_over_sockets() {
    let (mut session, id) = open(calm(), Limits::default());
    assert_eq!(session.send(Message::text("x")).unwrap().number(), 1);
    session.failed(at(1), id, Failure::Eof, "");
    session.dropped(id);
    assert!(session.send(Message::text("x")).is_err());
    session.next_order();
    session.connect(at(1));
    let new = opens(&mut session);
    session.opened(at(1), new);
    assert_eq!(session.send(Message::text("x")).unwrap().number(), 2);
}

#[test]
fn above_high_water_nothing_is_taken_until_all_is_flushed() {
    let limits = Limits { high_water: 100, ..Limits::default() };
    let (mut session, id) = open(calm(), limits);
    session.send(Message::binary(vec![0; 94])).unwrap();
    assert!(!session.is_write_blocked(), "exactly at the mark");
    session.send(Message::binary(vec![0; 1])).unwrap();
    assert!(session.is_write_blocked());
    let error = session.send(Message::text("no room")).unwrap_err();
    assert_eq!(error.rejection(), SendRejection::WriteBlocked);
    assert_eq!(error.into_message(), Message::text("no room"));

    session.written(id, 101);
    session.flushed(id);
    assert!(session.is_write_blocked(), "some is left");
    write_all(&mut session, id);
    assert!(!session.is_write_blocked());
    session.send(Message::text("room")).unwrap();
}

#[test]
fn a_held_application_stops_the_reading_and_no_ping() {
    let (mut session, _) = open(Config::builder(), Limits::default());
    session.tick(at(30)); // a ping
    assert!(!session.is_flow_changed());
    session.hold(true);
    assert!(session.is_flow_changed() && !session.wants_input());
    session.update_flow(at(32));
    assert!(!session.is_flow_changed());
    assert_eq!(session.deadline(), Some(at(60)), "the next ping; the judgement waits");

    session.hold(false);
    assert!(session.is_flow_changed());
    session.update_flow(at(50));
    assert_eq!(session.deadline(), Some(at(55)), "the judgement restarts in full");
}

#[test]
fn a_new_socket_is_told_of_a_hold_that_outlived_the_old_one() {
    let (mut session, old) = open(calm(), Limits::default());
    session.hold(true);
    session.update_flow(at(1));
    session.failed(at(1), old, Failure::Eof, "");
    session.next_order();
    session.dropped(old);
    assert!(!session.is_flow_changed(), "no socket, no flow");

    session.connect(at(1));
    let new = opens(&mut session);
    session.opened(at(2), new);
    assert!(session.is_flow_changed());
}

#[test]
fn answers_to_pings_that_are_not_taken_stop_the_reading_until_some_are() {
    let limits = Limits { owed: 1_000, ..Limits::default() };
    let (mut session, id) = open(calm().answer_pings(true), limits);
    for ping in [frame(0x89, [0; 100]), frame(0x81, r#"{"type":"ping","timestamp":1}"#)] {
        let mut count = 0;
        while session.wants_input() {
            session.received(at(1), id, &ping);
            count += 1;
            assert!(count < 100, "bounded by nothing");
        }
        assert!(session.pending().len() < 1_200);
        let too_many = session.pending().len() - 1_000;
        session.written(id, too_many - 1);
        assert!(!session.wants_input(), "one byte too many is left");
        session.written(id, 1);
        assert!(session.wants_input());
        write_all(&mut session, id);
    }
}

#[test]
fn messages_that_wait_stop_the_reading_however_small_they_are() {
    for payload in [0, 100] {
        let limits = Limits { backlog: 10_000, ..Limits::default() };
        let (mut session, id) = open(calm(), limits);
        let mut count = 0;
        while session.wants_input() {
            session.received(at(1), id, &frame(0x82, vec![0; payload]));
            count += 1;
            assert!(count < 1_000, "bounded by nothing");
        }
        session.next_event();
        assert!(session.wants_input());
        while session.next_event().is_some() {}
        assert_eq!(session.backlog, 0);
    }
}

#[test]
fn a_part_of_a_frame_is_life() {
    let (mut session, id) = open(Config::builder(), Limits::default());
    session.received(at(4), id, &frame(0x81, "a long message")[..3]);
    session.tick(at(5));
    assert!(session.is_ready());
    session.received(at(6), id, &frame(0x81, "a long message")[3..]);
    assert!(matches!(events(&mut session)[..], [ClientEvent::Message(_)]));
}

#[test]
fn an_attempts_own_login_goes_before_the_configurations_and_not_beyond_its_attempt() {
    let login = Login::Message {
        send: Secret::new("configured"),
        accepted: None,
        refused: None,
        timeout: Duration::from_secs(10),
    };
    let mut session = session(calm().login(login));
    session.connect(at(0));
    for (given, length) in [(Some(Secret::new("own")), 3), (None, "configured".len())] {
        let id = opens(&mut session);
        session.set_login(given);
        session.opened(at(1), id);
        assert_eq!(session.pending().len(), 6 + length);
        session.failed(at(1), id, Failure::Eof, "");
        session.next_order();
        session.dropped(id);
        session.connect(at(1));
    }
}

#[test]
fn the_end_of_a_close_waits_for_the_drop() {
    let (mut session, id) = open(calm(), Limits::default());
    session.close(at(1), CloseFrame::NORMAL);
    session.received(at(1), id, &close_of(1000));
    assert_eq!(session.state(), ConnectionState::Closed);
    assert!(!session.is_over());
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert!(!session.is_over(), "the socket is still there");
    session.dropped(id);
    assert!(session.is_over());
}

#[test]
fn a_disconnection_says_what_the_peers_close_said() {
    let (mut session, id) = open(calm(), Limits::default());
    let body = [&4000_u16.to_be_bytes()[..], b"maintenance"].concat();
    session.received(at(1), id, &frame(0x88, body));
    let code = CloseCode::new(4000).unwrap();
    let expected = ClientEvent::Disconnected {
        socket: id,
        cause: DisconnectCause::CloseReceived(Some(code)),
        detail: "maintenance".into(),
    };
    assert!(events(&mut session).contains(&expected));
}

#[test]
fn outcomes_that_carry_on_are_one_event_however_many_messages_are_sent() {
    let (mut session, id) = open(calm(), Limits::default());
    write_all(&mut session, id);
    while session.next_event().is_some() {}

    for _ in 0..10_000 {
        session.send(Message::text("x")).unwrap();
        write_all(&mut session, id);
    }

    let events: Vec<_> = std::iter::from_fn(|| session.next_event()).collect();
    assert!(matches!(&events[..], [ClientEvent::Outcome(all)] if all.count() == 10_000));
}

#[test]
fn answers_that_the_peer_does_not_read_stop_the_reading_and_no_deadline() {
    let (mut session, id) = open(Config::builder(), Limits::default());
    let ping = [&[0x89, 125][..], &[0; 125]].concat();

    while session.wants_input() {
        session.received(at(1), id, &ping);
    }

    assert!(!session.is_flow_changed());
    assert!(session.deadline().is_some(), "a peer that floods and does not read may be dead");
}

#[test]
fn debug_shows_neither_the_login_nor_a_payload() {
    let login = Login::Message {
        send: "hunter2".into(),
        accepted: None,
        refused: None,
        timeout: Login::TIMEOUT,
    };
    let (mut session, id) = open(calm().login(login), Limits::default());
    session.received(at(1), id, &frame(0x81, "private"));

    let shown = format!("{session:?}");

    assert!(!shown.contains("hunter2") && !shown.contains("private"), "{shown}");
}

#[test]
fn a_login_is_read_though_the_application_is_held() {
    let login = Login::Message {
        send: "hello".into(),
        accepted: None,
        refused: None,
        timeout: Login::TIMEOUT,
    };
    let (mut session, id) = open(calm().login(login), Limits::default());

    session.hold(true);

    assert!(session.wants_input() && !session.is_flow_changed(), "its answer has a deadline");
    session.received(at(1), id, &frame(0x81, "welcome"));
    assert!(session.is_ready() && !session.wants_input());
}

#[test]
fn a_breach_of_the_protocol_waits_until_what_came_before_it_is_taken_and_answered() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &[frame(0x81, "question"), frame(0x85, "")].concat());
    assert!(session.is_flow_changed() && !session.wants_input() && !session.is_breach_due());
    session.update_flow(at(1));

    let Some(ClientEvent::Message(question)) = session.next_event() else { panic!("no message") };
    session.send(question).unwrap();
    session.received(at(2), id, &frame(0x81, "nobody's"));
    assert!(session.is_breach_due() && !session.wants_input() && !session.has_events());
    write_all(&mut session, id);
    session.fail_breached(at(2));

    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert_eq!(session.pending()[0], 0x88, "1002 waits to be written");
    assert!(events(&mut session).iter().any(|event| matches!(
        event,
        ClientEvent::Disconnected { cause: DisconnectCause::ProtocolError(Failure::Protocol), .. }
    )));
    session.fail_breached(at(2));
    assert_eq!(session.next_order(), None, "once");
}

#[test]
fn a_close_that_breaks_the_protocol_behind_a_message_takes_no_answer_that_could_not_be_written() {
    let (mut session, id) = open(calm(), Limits::default());

    session.received(at(1), id, &[frame(0x81, "question"), close_of(1005)].concat());

    let error = session.send(Message::text("answer")).unwrap_err();
    assert_eq!(error.rejection(), SendRejection::NotReady);
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert_eq!(session.pending()[0], 0x88, "1002 is all that waits to be written");
    assert!(matches!(
        events(&mut session)[..],
        [
            ClientEvent::Message(_),
            ClientEvent::Disconnected { cause: DisconnectCause::ProtocolError(_), .. },
            ..
        ]
    ));
}

#[test]
fn a_breach_with_nothing_before_it_is_told_at_once() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &[frame(0x85, ""), frame(0x81, "nobody's")].concat());
    assert!(!session.is_breach_due());
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
}

#[test]
fn whole_messages_of_one_read_go_around_the_codec_and_share_a_copy() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &frame(0x82, "one").repeat(2));

    let places: Vec<usize> = events(&mut session)
        .iter()
        .map(|event| match event {
            ClientEvent::Message(message) => message.as_bytes().as_ptr().addr(),
            other => panic!("{other:?}"),
        })
        .collect();

    assert_eq!(places, [places[0], places[0] + 5]);
}
