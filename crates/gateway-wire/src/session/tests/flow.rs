//! Full buffers and a paused application stop sending or reading; deadlines keep running.

use super::*;

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
fn answers_that_the_peer_does_not_read_stop_the_reading_and_no_deadline() {
    let (mut session, id) = open(Config::builder(), Limits::default());
    let ping = [&[0x89, 125][..], &[0; 125]].concat();

    let mut count = 0;
    while session.wants_input() {
        session.received(at(1), id, &ping);
        count += 1;
        assert!(count < 10_000, "bounded by nothing");
    }

    assert!(!session.is_flow_changed());
    assert!(session.deadline().is_some(), "a peer that floods and does not read may be dead");
}

#[test]
fn a_login_is_read_though_the_application_is_held() {
    let (mut session, id) = open(calm().login(login("hello")), Limits::default());

    session.hold(true);

    assert!(session.wants_input() && !session.is_flow_changed(), "its answer has a deadline");
    session.received(at(1), id, &frame(0x81, "welcome"));
    assert!(session.is_ready() && !session.wants_input());
}

#[test]
fn an_application_that_is_behind_misses_the_oldest_messages_if_it_says_so() {
    let limits = Limits { backlog: 10_000, ..Limits::default() };
    let (session, id) = open(calm(), limits);
    let mut session = session.with_behind(Behind::DropOldest);
    for number in 0..1_000 {
        assert!(session.wants_input());
        session.received(at(1), id, &frame(0x81, format!("message {number}")));
        assert!(session.backlog <= limits.backlog, "the memory is bounded");
    }

    let events = events(&mut session);

    let Some(ClientEvent::MessagesDropped { count }) = events.first() else { panic!("no mark") };
    assert_eq!((*count, session.dropped_messages()), (1_000 - events.len() as u64 + 1, *count));
    let last = ClientEvent::Message(Message::text("message 999"));
    assert_eq!(events.last(), Some(&last));
    let first = ClientEvent::Message(Message::text(format!("message {count}")));
    assert_eq!(events.get(1), Some(&first), "the oldest were dropped");
}

#[test]
fn the_newest_message_is_never_dropped_and_messages_that_are_lent_do_not_count() {
    let limits = Limits { backlog: 1_000, ..Limits::default() };
    let (session, id) = open(calm(), limits);
    let mut session = session.with_behind(Behind::DropOldest);
    let long = |byte: u8| [&[0x82, 126, 8, 0][..], &[byte; 2_048]].concat();

    session.received(at(1), id, &long(1));
    session.received(at(1), id, &long(2));
    let two = ClientEvent::Message(Message::binary(vec![2; 2_048]));
    let expected = [ClientEvent::MessagesDropped { count: 1 }, two.clone()];
    assert_eq!(events(&mut session), expected, "both are longer than the whole backlog");

    session.received(at(1), id, &long(2));
    assert_eq!(session.lend_event(), Some(two));
    for text in ["three", "four"] {
        session.received(at(1), id, &frame(0x81, text));
    }
    let expected = ["three", "four"].map(|text| ClientEvent::Message(Message::text(text)));
    assert_eq!(events(&mut session), expected);
}
