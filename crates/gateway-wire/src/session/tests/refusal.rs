//! A refused login: what is reported of its text, and what the session does until the socket ends.

use super::*;
use crate::hidden::Hidden;

/// A text of any length from the server, unmasked.
fn text(payload: &str) -> Vec<u8> {
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(0..=125), _) => frame(0x81, payload),
        (_, Ok(length)) => [&[0x81, 126], &length.to_be_bytes()[..], payload.as_bytes()].concat(),
        _ => [&[0x81, 127], &length.to_be_bytes()[..], payload.as_bytes()].concat(),
    }
}

fn close_because(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

/// The code of a Close frame of ours, which is masked.
fn code_of(close: &[u8]) -> u16 {
    assert_eq!(close[..2], [0x88, 0x82]);
    u16::from_be_bytes([close[2] ^ close[6], close[3] ^ close[7]])
}

/// What is reported of the refusals, and of the ends of the sockets.
fn reported(session: &mut Session) -> (Vec<String>, Vec<(DisconnectCause, String)>) {
    let (mut refusals, mut ends) = (Vec::new(), Vec::new());
    for event in events(session) {
        match event {
            ClientEvent::LoginRefused { reason, .. } => refusals.push(reason.into()),
            ClientEvent::Disconnected { cause, detail, .. } => ends.push((cause, detail.into())),
            _ => {}
        }
    }
    (refusals, ends)
}

/// What is reported of the text that refuses this login.
fn reason(send: &str, refusal: &str) -> String {
    let (mut session, id) = open(calm().login(login(send)), Limits::default());
    session.received(at(1), id, &text(refusal));
    session.failed(at(2), id, Failure::Eof, "eof");
    let (refusals, ends) = reported(&mut session);
    assert_eq!(ends, [(DisconnectCause::LoginRefused(None), refusals[0].clone())]);
    refusals[0].clone()
}

#[test]
fn the_text_of_a_refusal_is_in_its_event_and_at_the_end_of_its_socket_once() {
    let refusal = r#"{"ok":false,"why":"starting"}"#;
    let (mut session, mut id) = open(calm().login(login("hello")), Limits::default());
    for _ in 0..2 {
        session.received(at(1), id, &text(refusal));
        session.received(at(2), id, &close_because(1013, "again later"));

        let cause = DisconnectCause::LoginRefused(CloseCode::new(1013).ok());
        let expected = (vec![refusal.to_owned()], vec![(cause, refusal.to_owned())]);
        assert_eq!(reported(&mut session), expected);

        session.next_order();
        session.dropped(id);
        session.connect(at(3));
        id = opens(&mut session);
        session.opened(at(3), id);
    }

    session.failed(at(4), id, Failure::Reset, "reset by peer");

    let cause = DisconnectCause::Lost(Failure::Reset);
    assert_eq!(reported(&mut session), (vec![], vec![(cause, "reset by peer".to_owned())]));
}

#[test]
fn only_the_first_512_bytes_of_a_refusal_are_reported_in_whole_characters() {
    for length in [100, 600, 1 << 20] {
        for shift in 0..3 {
            let head = format!(r#"{{"ok":false,"why":"{}"#, &"..."[..shift]);
            let refusal = format!(r#"{head}{}"}}"#, "\u{20ac}".repeat(length / 3));

            let reported = reason("hello", &refusal);

            assert!(refusal.starts_with(&reported));
            let full = refusal.len().min(512);
            assert!((full - 2..=full).contains(&reported.len()), "{}", reported.len());
        }
    }
}

#[test]
fn control_characters_of_a_refusal_are_escaped() {
    let refusal = "{\"ok\":false,\r\n\t\"why\":\"\u{7f}\u{85}\u{9b}31m\"}";
    assert_eq!(reason("hello", refusal), r#"{"ok":false,\r\n\t"why":"\u{7f}\u{85}\u{9b}31m"}"#);
}

#[test]
fn a_refusal_that_repeats_the_login_is_reported_without_it() {
    let refusal = |why: &str| format!(r#"{{"ok":false,"why":{why}}}"#);
    for (send, why, shown) in [
        ("hunter2", r#""no hunter2""#, r#""no (hidden)""#),
        ("AUTH ann hunter2", r#""hunter2 of ann""#, r#""(hidden) of ann""#),
        (r#"{"token":"hunter2"}"#, r#""bad hunter2""#, r#""bad (hidden)""#),
        (r#"{"token":"hunter2"}"#, r#"{"token":"hunter2"}"#, r#"{"token":"(hidden)"}"#),
        (r#"{"auth":[{"pin":1234567}]}"#, r#"{"pin":1234567}"#, r#"{"pin":(hidden)}"#),
        (r#"{"token":"hunter2"}"#, r#""no token""#, r#""no token""#),
        // As other writers of JSON escape the same string.
        (r#"{"token":"hunter/second"}"#, r#""hunter\/second""#, r#""(hidden)\/(hidden)""#),
        (r#"{"token":"hunter+second"}"#, r#""hunter\u002Bsecond""#, r#""(hidden)\u002B(hidden)""#),
        (r#"{"token":"hunter\\second"}"#, r#""hunter\\second""#, r#""(hidden)\\(hidden)""#),
    ] {
        assert_eq!(reason(send, &refusal(why)), refusal(shown), "{send}");
    }
}

#[test]
fn a_login_that_is_cut_off_at_the_end_of_a_refusal_is_not_reported() {
    let token = "hunter2-0123456789";
    for send in [token.to_owned(), format!(r#"{{"token":"{token}"}}"#)] {
        for kept in 0..=token.len() {
            let head = r#"{"ok":false,"why":""#;
            let filler = "x".repeat(512 - head.len() - kept);
            let refusal = format!(r#"{head}{filler}{token} is wrong"}}"#);
            let mark = &r#"(hidden) is wrong"}"#[..kept];
            assert_eq!(reason(&send, &refusal), format!("{head}{filler}{mark}"), "{kept} bytes");
        }
    }
}

#[test]
fn a_refusal_and_a_close_show_no_secret_of_the_request_nor_of_the_login() {
    let endpoint = crate::endpoint::Endpoint::builder("ws://ann:hunter2@h/ws?token=sesame-17")
        .header("X-Api-Key", "key-of-today")
        .build()
        .unwrap();
    for refusal in [
        text(r#"{"ok":false,"got":"/ws?token=sesame-17 YW5uOmh1bnRlcjI= key-of-today open-up"}"#),
        close_because(4001, "/ws?token=sesame-17 YW5uOmh1bnRlcjI= key-of-today open-up"),
    ] {
        let (mut session, id) = open(calm().login(login("open-up")), Limits::default());
        session.set_private(Private::default(), Hidden::of(&endpoint));
        session.received(at(1), id, &refusal);
        session.failed(at(2), id, Failure::Eof, "eof");

        let (_, ends) = reported(&mut session);

        for secret in ["sesame", "YW5u", "key-of-today", "open-up"] {
            assert!(ends[0].1.contains("/ws?") && !ends[0].1.contains(secret), "{ends:?}");
        }
    }
}

#[test]
fn the_login_of_an_attempt_is_removed_from_the_refusal_of_that_attempt() {
    let mut session = session(calm().login(login("configured")));
    session.connect(at(0));
    let id = opens(&mut session);
    session.set_login(Some(Secret::new(r#"{"token":"hunter2"}"#)));
    session.opened(at(0), id);

    session.received(at(1), id, &text(r#"{"ok":false,"got":"hunter2"}"#));

    assert_eq!(reported(&mut session).0, [r#"{"ok":false,"got":"(hidden)"}"#]);
}

#[test]
fn the_text_of_a_refusal_is_in_the_log_when_it_comes_and_with_the_end_of_its_socket() {
    let mut session = session(calm().login(login("hunter2")));
    let log = crate::log::captured::logged(tracing::Level::INFO, || {
        session.connect(at(0));
        let id = opens(&mut session);
        session.opened(at(0), id);
        session.received(at(1), id, &text("{\"ok\":false,\n\"why\":\"no hunter2\"}"));
        session.received(at(1), id, &close_because(1013, ""));
    });
    let lines: Vec<_> = log.lines().filter(|line| line.contains("no (hidden)")).collect();
    let [refused, left] = lines[..] else { panic!("{log}") };
    assert!(refused.contains("login refused") && left.contains("code=1013"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn after_a_refusal_messages_are_delivered_and_none_is_sent() {
    let (mut session, id) = open(calm().login(login("hello")), Limits::default());
    session.hold(true);
    session.received(at(1), id, &frame(0x81, r#"{"ok":false}"#));
    while session.next_event().is_some() {}

    assert!(session.wants_input() && !session.is_flow_changed(), "the Close has a deadline");
    let error = session.send(Message::text("early")).unwrap_err();
    assert_eq!(error.rejection(), SendRejection::NotReady);

    session.received(at(1), id, &frame(0x81, r#"{"ok":false}"#));
    session.received(at(1), id, &frame(0x81, r#"{"ok":true}"#));

    let delivered = [r#"{"ok":false}"#, r#"{"ok":true}"#].map(Message::text);
    assert_eq!(events(&mut session), delivered.map(ClientEvent::Message));
    assert_eq!((session.state(), session.next_order()), (ConnectionState::Connected, None));
}

#[test]
fn a_login_that_the_embedder_refuses_ends_with_the_reason_of_the_close() {
    let login = Login::External { timeout: Login::TIMEOUT };
    let (mut session, id) = open(calm().login(login), Limits::default());
    session.received(at(1), id, &frame(0x81, r#"{"ok":false}"#));
    session.login_rejected(at(1), Verdict::Fatal);
    session.received(at(2), id, &close_because(4001, "expired"));

    let cause = DisconnectCause::LoginRefused(CloseCode::new(4001).ok());
    let expected = (vec![String::new()], vec![(cause, "expired".to_owned())]);
    assert_eq!(reported(&mut session), expected);
}

/// Nothing would be sent if there were space.
#[test]
fn while_a_login_message_is_unanswered_nobody_waits_for_space() {
    let limits = Limits { high_water: 10, ..Limits::default() };
    let (mut session, id) = open(calm().login(login("hello")), limits);
    session.reserve(Space::of(100));
    assert!(!session.takes_messages());
    assert!(session.poll_space().is_ready());

    session.received(at(1), id, &frame(0x81, r#"{"ok":true}"#));
    assert!(session.takes_messages());
    assert!(session.poll_space().is_pending());
}

#[test]
fn a_refusal_while_ready_leaves_at_once_with_1001() {
    let login = Login::External { timeout: Login::TIMEOUT };
    let (mut session, id) = open(calm().login(login), Limits::default());
    session.login_accepted(at(0));
    while session.next_event().is_some() {}

    session.login_rejected(at(1), Verdict::Retry);

    assert_eq!(code_of(session.pending()), 1001);
    assert_eq!(session.next_order(), Some(Order::Drop { id, farewell: true }));
    let expected =
        (vec![String::new()], vec![(DisconnectCause::LoginRefused(None), String::new())]);
    assert_eq!(reported(&mut session), expected);
}
