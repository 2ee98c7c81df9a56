//! What a dialect knows in a call, and which of its methods it may leave out.

use std::sync::Arc;

use gateway_core::{
    Action, CloseFrame, Connection, Dialect, Event, Exchange, Frame, Instant, Interest, Message,
    NoDialect, Outgoing, Received, Secrets, UnixMillis,
};
use gateway_testkit::{Fixed, Rig, pings};

use super::{SILENT, Says, Talk, beating, sent};
use crate::words::{WALL, seconds};

/// The texts that the dialect sends.
fn texts<'a, D: Dialect>(
    connection: &Connection<Fixed, D>,
    actions: impl IntoIterator<Item = &'a Action>,
) -> Vec<String> {
    let parts = actions.into_iter().filter_map(|action| match action {
        Action::Send(_, Outgoing::Dialect(part)) => Some(connection.part(*part)),
        _ => None,
    });
    parts.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
}

#[test]
fn a_call_knows_its_attempt_and_the_wall_clock_once_a_driver_has_reported_it() {
    let says = Says {
        opened: |exchange| {
            let (attempt, wall_clock) = (exchange.attempt(), exchange.wall_clock());
            exchange.send_text(format_args!("{attempt} {wall_clock:?}"));
        },
        ..SILENT
    };
    let (mut talk, done) = Talk::opened(beating(), says);
    assert_eq!(texts(&talk.0.connection, &done), ["1 None"]);

    talk.0.on(Event::WallClock(UnixMillis(WALL)));
    talk.0.on(Event::ReconnectRequested);
    talk.0.pass(seconds(3));
    let done = talk.0.open();

    let wall_clock = Some(UnixMillis(WALL + 3_000));
    assert_eq!(texts(&talk.0.connection, &done), [format!("2 {wall_clock:?}")]);
}

#[test]
fn a_dialect_and_the_application_share_the_numbers_of_a_socket_which_start_at_1() {
    let number = |exchange: &mut Exchange<'_>| {
        let number = exchange.next_number();
        exchange.send_text(number);
    };
    let says = Says {
        opened: number,
        received: |_, exchange| {
            let (one, other) = (exchange.next_number(), exchange.next_number());
            exchange.send_text(format_args!("{one} {other}"));
            Received::Consume
        },
        ..SILENT
    };
    let config = Arc::new(beating().build().unwrap());
    let mut connection = Connection::with_dialect(config, Fixed::HALF, says);
    let take = |connection: &mut Connection<Fixed, Says>, event| {
        let actions = connection.handle(Instant::ZERO, event);
        texts(connection, &actions)
    };
    let _ = take(&mut connection, Event::ConnectRequested);
    let id = connection.socket().unwrap();

    assert_eq!(take(&mut connection, Event::SocketOpened(id)), ["1"]);
    assert_eq!(connection.next_number(), Some(2));
    assert_eq!(take(&mut connection, Event::FrameReceived(id, Frame::Text("x"))), ["3 4"]);
    assert_eq!(connection.next_number(), Some(5));

    let _ = take(&mut connection, Event::ReconnectRequested);
    let next = connection.socket().unwrap();
    assert_eq!(take(&mut connection, Event::SocketOpened(next)), ["1"]);
}

#[test]
fn without_a_dialect_a_socket_has_no_numbers() {
    let config = Arc::new(beating().build().unwrap());

    assert_eq!(Connection::new(config, Fixed::HALF).next_number(), None);
}

#[test]
fn an_exchange_shows_what_is_asked_for_and_no_bytes() {
    let says = Says {
        opened: |exchange| {
            exchange.send_text("hunter2");
            let shown = format!("{exchange:?}");
            exchange.send_text(shown);
        },
        ..SILENT
    };

    let (talk, done) = Talk::opened(beating(), says);

    let texts = texts(&talk.0.connection, &done);
    let [_, shown] = texts.as_slice() else { panic!("{texts:?}") };
    for part in ["Exchange {", "socket: SocketId(1)", "Send(", "written: 7"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// It has only the methods that it must have.
#[derive(Clone)]
struct Bare;

impl Dialect for Bare {
    fn interest(&self) -> Interest {
        Interest::NONE
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        Received::Deliver
    }
}

#[test]
fn a_method_that_is_left_out_does_nothing() {
    let config = Arc::new(beating().build().unwrap());
    let mut rig = Rig::speaking(config, Fixed::HALF, Bare);
    rig.on(Event::ConnectRequested);
    // The rig's other connection gets no secrets, and must act alike.
    rig.connection.set_secrets(&Secrets::new(vec![("a".to_owned(), "b".into())]).unwrap());

    assert_eq!(sent(&rig.open()), [""; 0]);
    let done = rig.tick();
    assert_eq!((sent(&done), pings(&done)), (vec![], 0), "no ping is sent");
    assert_eq!(rig.connection.next_deadline(), Some(Instant::from_millis(60_000)));
    let done = rig.on(Event::CloseRequested(CloseFrame::NORMAL));
    assert_eq!(sent(&done), ["RequestedClose"]);
}

#[test]
fn a_dialect_may_leave_a_message_to_no_dialect_which_delivers_it() {
    let says =
        Says { received: |message, exchange| NoDialect.received(message, exchange), ..SILENT };
    let mut talk = Talk::ready(beating(), says);

    assert_eq!(talk.hear("news"), [Action::Deliver]);
    assert_eq!(NoDialect.interest(), Interest::NONE);
}
