//! A peer that breaks the protocol: the session delivers what came before, then fails the socket.

use super::*;

#[test]
fn a_breach_of_the_peers_is_told_in_the_farewell() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &frame(0x81, [0xff]));
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert_eq!(session.pending()[0], 0x88);
    assert_eq!(session.pending().len(), 2 + 4 + 2, "one Close, masked, with a code");
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

/// Texts of one read are checked together.
#[test]
fn a_text_that_is_not_utf8_is_a_breach_also_between_others() {
    let (mut session, id) = open(calm(), Limits::default());
    let bytes = [frame(0x81, "good"), frame(0x81, [0xff]), frame(0x81, "nobody's")].concat();
    session.received(at(1), id, &bytes);
    session.update_flow(at(1));
    let good = ClientEvent::Message(Message::text("good"));
    assert_eq!(events(&mut session), [good]);
    assert!(session.is_breach_due());
}

#[test]
fn a_close_that_breaks_the_protocol_waits_behind_messages_as_any_breach_does() {
    let (mut session, id) = open(calm(), Limits::default());

    session.received(at(1), id, &[frame(0x81, "question"), close_of(1005)].concat());

    assert!(!session.is_breach_due());
    assert!(session.send(Message::text("answer")).is_ok());
    write_all(&mut session, id);
    let told = events(&mut session);
    assert!(told.iter().any(|event| matches!(event, ClientEvent::Message(_))));
    session.fail_breached(at(2));
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    assert_eq!(session.pending()[0], 0x88, "1002 waits to be written");
}

#[test]
fn a_breach_with_nothing_before_it_is_told_at_once() {
    let (mut session, id) = open(calm(), Limits::default());
    session.received(at(1), id, &[frame(0x85, ""), frame(0x81, "nobody's")].concat());
    assert!(!session.is_breach_due());
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
}
