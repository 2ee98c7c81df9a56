//! A server that does the pinging: it is dead when it is silent for longer than the dialect expects.

use core::time::Duration;

use gateway_core::{
    Action, DisconnectCause, Event, Frame, HeartbeatKind, Instant, Message, Received, UnixMillis,
};
use gateway_testkit::cause;

use super::{SILENT, Says, Talk, beating, logging_in};
use crate::words::{WALL, seconds};

const fn at(second: u64) -> Option<Instant> {
    Some(Instant::from_millis(second * 1_000))
}

/// It expects something within 10 s of the opening, and of each `!`. A `-` ends the expectation.
const EXPECTING: Says = Says {
    opened: |exchange| exchange.expect_within(seconds(10)),
    received: |message, exchange| {
        match message {
            Message::Text("!") => exchange.expect_within(seconds(10)),
            Message::Text("-") => exchange.expect_within(Duration::ZERO),
            _ => return Received::Deliver,
        }
        Received::Consume
    },
    ..SILENT
};

/// No pings of ours.
fn quiet() -> gateway_core::ConfigBuilder {
    beating().heartbeat(HeartbeatKind::Off)
}

fn dies_at(talk: &mut Talk, second: u64) {
    let done = talk.0.tick();
    if cause(&done).is_none() {
        // A byte only leaves its mark, and the Tick moves the deadline.
        talk.0.tick();
    }
    assert_eq!(Some(talk.0.now), at(second));
    assert!(!talk.0.connection.is_ready());
}

#[test]
fn silence_ends_with_a_pong_timeout_and_an_abort() {
    let mut talk = Talk::ready(quiet(), EXPECTING);
    assert_eq!(talk.0.connection.next_deadline(), at(10));

    let id = talk.0.socket();
    let done = talk.0.tick();

    assert_eq!(done[0], Action::AbortSocket(id));
    assert_eq!(cause(&done), Some(DisconnectCause::PongTimeout));
}

#[test]
fn any_byte_will_do() {
    for event in [
        |id| Event::BytesReceived(id),
        |id| Event::FrameReceived(id, Frame::Ping(b"")),
        |id| Event::FrameReceived(id, Frame::Binary(b"data")),
    ] {
        let mut talk = Talk::ready(quiet(), EXPECTING);
        talk.0.pass(seconds(4));
        let id = talk.0.socket();
        talk.0.on(event(id));
        dies_at(&mut talk, 14);
    }
}

#[test]
fn in_strict_mode_only_the_dialect_says_what_does() {
    let mut talk = Talk::ready(quiet().heartbeat_strict(true), EXPECTING);
    talk.0.pass(seconds(4));
    talk.hear("!");
    talk.0.pass(seconds(2));
    talk.hear("data");
    dies_at(&mut talk, 14);
}

#[test]
fn it_waits_while_the_application_does_not_read_and_starts_again_after_that() {
    let mut talk = Talk::ready(quiet(), EXPECTING);
    let id = talk.0.socket();
    talk.0.pass(seconds(4));
    talk.0.on(Event::ReadingPaused(id));
    assert_eq!(talk.0.connection.next_deadline(), None);
    talk.0.pass(seconds(40));
    talk.0.on(Event::ReadingResumed(id));
    dies_at(&mut talk, 54);
}

#[test]
fn it_starts_again_after_a_suspend() {
    let mut talk = Talk::ready(quiet(), EXPECTING);
    talk.0.on(Event::WallClock(UnixMillis(WALL)));
    talk.0.pass(seconds(6));
    talk.0.on(Event::WallClock(UnixMillis(WALL + 3_600_000)));
    dies_at(&mut talk, 16);
}

#[test]
fn it_starts_when_the_connection_is_ready() {
    let (mut talk, _) = Talk::opened(logging_in().heartbeat(HeartbeatKind::Off), EXPECTING);
    talk.0.pass(seconds(9));
    talk.0.on(Event::LoginAccepted);
    dies_at(&mut talk, 19);
}

#[test]
fn zero_ends_it() {
    let mut talk = Talk::ready(quiet(), EXPECTING);

    talk.hear("-");

    assert_eq!(talk.0.connection.next_deadline(), None);
}

#[test]
fn it_lies_between_a_second_and_a_day() {
    let spans = Says {
        received: |message, exchange| {
            exchange.expect_within(if message.is_empty() {
                Duration::from_nanos(1)
            } else {
                Duration::MAX
            });
            Received::Consume
        },
        ..SILENT
    };
    let mut talk = Talk::ready(quiet(), spans);
    talk.hear("");
    assert_eq!(talk.0.connection.next_deadline(), at(1));
    talk.hear("more");
    assert_eq!(talk.0.connection.next_deadline(), at(86_400));
}

#[test]
fn a_message_that_the_dialect_keeps_is_no_data_of_the_application() {
    let says = Says {
        received: |message, _| match message {
            Message::Text("keep") => Received::Consume,
            _ => Received::Deliver,
        },
        ..SILENT
    };
    let mut talk = Talk::ready(quiet().data_timeout(Some(seconds(10))), says);
    talk.0.pass(seconds(4));
    talk.hear("deliver");
    talk.0.pass(seconds(4));
    talk.hear("keep");

    while cause(&talk.0.tick()).is_none() {}

    assert_eq!(Some(talk.0.now), at(14));
}

#[test]
fn the_heartbeat_goes_on_beside_it() {
    let says = Says { heartbeat: |exchange| exchange.send_text("h"), ..EXPECTING };
    let mut talk = Talk::ready(beating().heartbeat_interval(seconds(6)), says);

    talk.0.tick();
    assert_eq!(
        talk.0.connection.next_deadline(),
        at(10),
        "the expectation comes before the ping's timeout"
    );
    let done = talk.0.tick();

    assert_eq!(cause(&done), Some(DisconnectCause::PongTimeout));
}
