//! What a dialect says before our Close, and when it has no chance to.

use gateway_core::{
    Action, CloseCode, CloseFrame, DisconnectCause, Event, Failure, Outgoing, Received, Verdict,
};
use gateway_testkit::cause;

use super::{SILENT, Says, Talk, beating, logging_in, sent};
use crate::words::seconds;

/// It takes leave, and tries to do more than that.
const POLITE: Says = Says {
    closing: |exchange| {
        exchange.send_text("bye");
        exchange.stamp(7);
        exchange.leave(CloseCode::NORMAL, Verdict::Fatal, "");
        exchange.send_binary(b"bye bye");
    },
    received: |_, exchange| {
        exchange.login_refused(Verdict::Retry, "");
        Received::Consume
    },
    ..SILENT
};

#[test]
fn it_has_the_last_word_before_the_applications_close() {
    for config in [beating(), logging_in()] {
        let (mut talk, _) = Talk::opened(config, POLITE);

        let done = talk.0.on(Event::CloseRequested(CloseFrame::NORMAL));

        assert_eq!(sent(&done), ["3", "7", "RequestedClose"]);
        assert_eq!(talk.ignored(), 2, "it can only send");
    }
}

#[test]
fn it_has_the_last_word_before_a_reconnect() {
    for config in [beating(), logging_in()] {
        let (mut talk, _) = Talk::opened(config, POLITE);

        let done = talk.0.on(Event::ReconnectRequested);

        assert_eq!(sent(&done), ["3", "7", "close 1001"]);
        assert_eq!(cause(&done), Some(DisconnectCause::Reconnect));
    }
}

#[test]
fn it_has_the_last_word_before_a_renewal() {
    let mut talk = Talk::ready(beating().renew_after(Some(seconds(10))), POLITE);
    assert!(talk.0.tick().contains(&Action::Drain(talk.0.socket())));

    let done = talk.0.on(Event::Drained(talk.0.socket()));

    assert_eq!(sent(&done), ["3", "7", "close 1001"]);
    assert_eq!(cause(&done), Some(DisconnectCause::Renewal));
}

#[test]
fn it_has_the_last_word_when_data_or_the_login_are_missing() {
    let mut talk = Talk::ready(beating().data_timeout(Some(seconds(10))), POLITE);
    let done = talk.0.tick();
    assert_eq!(sent(&done), ["3", "7", "close 1001"]);
    assert_eq!(cause(&done), Some(DisconnectCause::DataTimeout));

    let (mut talk, _) = Talk::opened(logging_in(), POLITE);
    let done = talk.0.tick();
    assert_eq!(sent(&done), ["3", "7", "close 1001"]);
    assert_eq!(cause(&done), Some(DisconnectCause::LoginTimeout));
}

#[test]
fn it_has_none_after_a_refusal() {
    let mut talk = Talk::ready(beating(), POLITE);
    assert_eq!(sent(&talk.hear("expired")), ["close 1001"]);

    let (mut talk, _) = Talk::opened(logging_in(), POLITE);
    talk.hear("no");
    let done = talk.0.on(Event::CloseRequested(CloseFrame::NORMAL));
    assert_eq!(sent(&done), ["RequestedClose"]);

    let mut talk = Talk::ready(beating(), POLITE);
    assert_eq!(sent(&talk.0.on(Event::LoginRejected(Verdict::Retry))), ["close 1001"]);
}

#[test]
fn it_has_none_when_it_leaves_itself_or_the_server_violated_the_protocol() {
    let leaves = Says {
        received: |_, exchange| {
            exchange.leave(CloseCode::NORMAL, Verdict::Retry, "");
            Received::Consume
        },
        ..POLITE
    };
    let mut talk = Talk::ready(beating(), leaves);
    assert_eq!(sent(&talk.hear("anything")), ["close 1000"]);

    let mut talk = Talk::ready(beating(), POLITE);
    let id = talk.0.socket();
    let done = talk.0.on(Event::SocketFailed(id, Failure::InvalidUtf8));
    assert_eq!(sent(&done), ["close 1007"]);
}

#[test]
fn a_farewell_that_is_too_long_is_none_and_the_close_leaves() {
    let says = Says { closing: |exchange| exchange.send_text("x".repeat(65_537)), ..SILENT };
    let mut talk = Talk::ready(beating(), says);
    let id = talk.0.socket();

    let done = talk.0.on(Event::CloseRequested(CloseFrame::NORMAL));

    assert_eq!(done[0], Action::Send(id, Outgoing::RequestedClose));
}
