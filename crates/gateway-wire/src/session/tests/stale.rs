//! Calls twice, late or out of order, one by one. `tests/misuse.rs` draws them at random.

use super::*;

fn stale(session: &Session) -> u64 {
    session.statistics(at(9)).stale_events
}

#[test]
fn a_second_opened_keeps_what_was_taken_and_its_outcome() {
    let (mut session, id) = open(calm(), Limits::default());
    session.send(Message::text("one")).unwrap();
    let pending = session.pending().to_vec();

    session.opened(at(1), id);

    assert_eq!((session.pending(), stale(&session)), (&pending[..], 1));
    session.failed(at(2), id, Failure::Reset, "");
    session.dropped(id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
}

#[test]
fn a_socket_in_use_is_not_dropped_and_goes_on_taking_messages() {
    let (mut session, id) = open(calm(), Limits::default());

    session.dropped(id);

    assert_eq!(stale(&session), 1);
    session.send(Message::text("one")).unwrap();
    write_all(&mut session, id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Sent { socket: id })]);
}

#[test]
fn more_written_than_was_pending_is_not_sent_and_not_safe_to_send_again() {
    let (mut session, id) = open(calm(), Limits::default());
    session.send(Message::text("one")).unwrap();

    session.written(id, session.pending().len() + 1);
    session.flushed(id);

    assert_eq!(stale(&session), 1);
    session.failed(at(1), id, Failure::Reset, "");
    session.dropped(id);
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::MaybeSent { socket: id })]);
}

#[test]
fn a_socket_whose_order_was_not_taken_or_whose_predecessor_is_not_dropped_does_not_open() {
    let (mut session, old) = open(calm(), Limits::default());
    session.send(Message::text("one")).unwrap();
    session.failed(at(1), old, Failure::Reset, "");
    session.connect(at(1));
    let new = session.socket().unwrap();

    session.opened(at(1), new);
    assert_eq!((session.state(), stale(&session)), (ConnectionState::Connecting, 1));
    assert_eq!(session.next_order(), Some(Order::Drop { id: old, farewell: false }));
    assert!(matches!(session.next_order(), Some(Order::Open { .. })));
    session.opened(at(1), new);
    assert_eq!((session.state(), stale(&session)), (ConnectionState::Connecting, 2));

    session.dropped(old);
    session.opened(at(1), new);

    assert!(session.is_ready());
    assert_eq!(outcomes(&mut session), [(1, 1, Fate::Rejected)]);
}

#[test]
fn a_repeated_update_of_the_flow_does_not_put_off_the_judgement_of_a_ping() {
    let (mut session, id) = open(Config::builder(), Limits::default());
    write_all(&mut session, id);
    let deadline = session.deadline();

    session.update_flow(at(3));

    assert_eq!((session.deadline(), stale(&session)), (deadline, 1));
}
