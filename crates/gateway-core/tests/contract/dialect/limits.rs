//! How much a dialect may ask for in one call, and what it is shown.

use std::sync::Arc;

use gateway_core::{
    Action, CloseFrame, Connection, DisconnectCause, Event, Exchange, Frame, Instant, Interest,
    Message, Received, Spoken,
};
use gateway_testkit::{Fixed, Rig, cause, delay};

use super::{SILENT, Says, Talk, beating, logging_in, sent};

fn asks(received: fn(Message<'_>, &mut Exchange<'_>) -> Received) -> Talk {
    Talk::ready(beating(), Says { received, ..SILENT })
}

fn is_left_in_error(done: &[Action]) {
    assert_eq!(sent(done), ["close 1011"], "and nothing that it asked for");
    assert_eq!(cause(done), Some(DisconnectCause::Dialect));
    assert!(delay(done).is_some(), "it is retried");
}

#[test]
fn four_effects_are_done_and_five_are_an_error() {
    let mut talk = asks(|message, exchange| {
        for _ in 0..message.len() {
            exchange.send_text("x");
        }
        Received::Consume
    });

    assert_eq!(sent(&talk.hear("1234")), ["1", "1", "1", "1"]);
    let done = talk.hear("12345");
    is_left_in_error(&done);
}

#[test]
fn as_many_bytes_as_a_login_may_have_are_sent_and_more_are_an_error() {
    let mut talk = asks(|message, exchange| {
        exchange.send_binary(&[0; Spoken::MAX_BYTES - 3]);
        exchange.send_text(match message {
            Message::Text(text) => text,
            Message::Binary(_) => "",
        });
        Received::Consume
    });

    assert_eq!(sent(&talk.hear("123")), ["65533", "3"]);
    let done = talk.hear("1234");
    is_left_in_error(&done);
}

#[test]
fn a_text_without_end_costs_no_memory() {
    struct Endless;
    impl std::fmt::Display for Endless {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            (0..1_000).try_for_each(|_| f.write_str(&"x".repeat(1_000)))
        }
    }
    let says = Says { opened: |exchange| exchange.send_text(Endless), ..SILENT };
    for config in [beating(), logging_in()] {
        let (_, done) = Talk::opened(config, says.clone());
        is_left_in_error(&done);
    }
}

#[test]
fn a_dialect_that_fails_leaves_and_does_nothing_else() {
    let mut talk = asks(|_, exchange| {
        exchange.send_text("half");
        exchange.fail("lost the thread");
        Received::Deliver
    });

    let done = talk.hear("what?");

    assert_eq!(done[0], Action::Deliver);
    is_left_in_error(&done);
}

#[test]
fn only_messages_of_its_interest_are_shown() {
    let says = Says {
        interest: Interest::texts_up_to(3),
        received: |message, _| {
            assert!(message.len() <= 3, "{message:?}");
            Received::Consume
        },
        ..SILENT
    };
    let (mut talk, _) = Talk::opened(logging_in(), says);
    for _ in 0..2 {
        assert_eq!(talk.hear("123"), []);
        assert_eq!(talk.hear("1234"), [Action::Deliver]);
        let id = talk.0.socket();
        let binary = Event::FrameReceived(id, Frame::Binary(b"1"));
        assert_eq!(talk.0.on(binary), [Action::Deliver]);
        talk.0.on(Event::LoginAccepted);
    }
}

#[test]
fn a_binary_message_reaches_the_application_only_if_the_dialect_delivers_it() {
    let consumes = Says { received: |_, _| Received::Consume, ..SILENT };
    for (says, expected) in [(consumes, vec![]), (SILENT, vec![Action::Deliver])] {
        let (mut talk, _) = Talk::opened(logging_in(), says);
        let id = talk.0.socket();
        let binary = Event::FrameReceived(id, Frame::Binary(b"1"));

        assert_eq!(talk.0.on(binary), expected, "logging in");
        talk.0.on(Event::LoginAccepted);
        assert_eq!(talk.0.on(binary), expected, "ready");
        talk.0.on(Event::CloseRequested(CloseFrame::NORMAL));
        assert_eq!(talk.0.on(binary), expected, "closing");
    }
}

/// The dialect wants one more byte after each text.
#[derive(Clone)]
struct Growing(u32);

impl gateway_core::Dialect for Growing {
    fn interest(&self) -> Interest {
        Interest::texts_up_to(self.0)
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        self.0 += 1;
        Received::Consume
    }
}

#[test]
fn its_interest_is_asked_for_after_each_call() {
    let config = Arc::new(beating().build().unwrap());
    let mut rig = Rig::speaking(config, Fixed::HALF, Growing(1));
    rig.on(Event::ConnectRequested);
    rig.open();
    let id = rig.socket();
    let mut hear = |text| rig.on(Event::FrameReceived(id, Frame::Text(text)));

    assert_eq!(hear("22"), [Action::Deliver]);
    assert_eq!(hear("1"), []);
    assert_eq!(hear("22"), []);
    assert_eq!(hear("4444"), [Action::Deliver]);
}

#[test]
fn an_interest_that_is_changed_from_outside_holds_from_the_next_event_that_it_sees() {
    let config = Arc::new(beating().build().unwrap());
    let mut connection = Connection::with_dialect(config, Fixed::HALF, Growing(1));
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let id = connection.socket().unwrap();
    let _ = connection.handle(Instant::ZERO, Event::SocketOpened(id));

    connection.dialect_mut().0 = 3;

    let mut hear = |text| {
        let heard = connection.handle(Instant::ZERO, Event::FrameReceived(id, Frame::Text(text)));
        heard.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(hear("333"), [Action::Deliver]);
    assert_eq!(hear("1"), []);
    assert_eq!(hear("333"), []);
}
