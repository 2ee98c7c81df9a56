//! A session's rules without IO. This file holds the tests of orders, Close frames and outcomes.

mod breach;
mod dialect;
mod flow;
mod log;
#[cfg(feature = "metrics")]
mod metrics;
mod observing;
mod refusal;
mod requests;
mod sending;
mod stale;
mod status;
mod unread;

use std::time::Duration;

use gateway_core::{
    AcceptanceRule, CloseCode, ConfigBuilder, ConnectionState, DisconnectCause, Failure,
    HeartbeatKind, Login, NoDialect, RefusalRule,
};

use super::*;
use crate::outcome::Fate;

fn calm() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Off)
}

/// A login that any text accepts but `{"ok":false}`.
fn login(send: &str) -> Login {
    Login::Message {
        send: Secret::new(send),
        accepted: AcceptanceRule::Any,
        refused: RefusalRule::parse("/ok=false").into_iter().collect(),
        timeout: Login::TIMEOUT,
    }
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn session(config: ConfigBuilder) -> Session {
    Session::new(Arc::new(config.build().unwrap()), 7, Box::new(NoDialect))
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
    assert_eq!(session.send(Message::text("x")).unwrap().id().number(), 1);
    session.failed(at(1), id, Failure::Eof, "");
    session.dropped(id);
    assert!(session.send(Message::text("x")).is_err());
    session.next_order();
    session.connect(at(1));
    let new = opens(&mut session);
    session.opened(at(1), new);
    assert_eq!(session.send(Message::text("x")).unwrap().id().number(), 2);
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
    let mut session = session(calm().login(login("configured")));
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
fn debug_shows_neither_the_login_nor_a_payload() {
    let (mut session, id) = open(calm().login(login("hunter2")), Limits::default());
    session.received(at(1), id, &frame(0x81, "private"));

    let shown = format!("{session:?}");

    assert!(!shown.contains("hunter2") && !shown.contains("private"), "{shown}");
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

#[test]
fn a_ping_whose_head_ends_the_read_is_answered_at_once() {
    let (mut session, id) = open(calm(), Limits::default());
    let read = [frame(0x81, "first"), frame(0x81, "second"), frame(0x89, "")].concat();
    session.received(at(1), id, &read);
    assert_eq!(session.pending().first(), Some(&0x8a));
}
