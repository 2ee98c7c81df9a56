//! How much a dialect may ask for in one call, and what it is shown.

use gateway_core::{
    Action, DisconnectCause, Event, Exchange, Frame, Interest, Message, Received, Spoken,
};
use gateway_testkit::{cause, delay};

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
    let config = std::sync::Arc::new(beating().build().unwrap());
    let mut rig = gateway_testkit::Rig::speaking(config, gateway_testkit::Fixed::HALF, Growing(1));
    rig.on(Event::ConnectRequested);
    rig.open();
    let id = rig.socket();
    let mut hear = |text| rig.on(Event::FrameReceived(id, Frame::Text(text)));

    assert_eq!(hear("22"), [Action::Deliver]);
    assert_eq!(hear("1"), []);
    assert_eq!(hear("22"), []);
    assert_eq!(hear("4444"), [Action::Deliver]);
}
