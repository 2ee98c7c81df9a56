//! A dialect that logs in, refuses a login or leaves.

use gateway_core::{
    AcceptanceRule, Action, CloseCode, ConnectionState, DisconnectCause, Event, Frame, GiveUpCause,
    Instant, Login, LoginAnswer, Message, Notice, Received, RefusalRule, SendRejection, Spoken,
    Verdict,
};
use gateway_testkit::{cause, delay};

use super::{SILENT, Says, Talk, beating, logging_in, notices, place, sent};
use crate::words::seconds;

#[test]
fn what_it_sends_before_it_accepts_leaves_before_ready_and_the_rest_behind() {
    let says = Says {
        opened: |exchange| {
            exchange.send_text("a");
            exchange.login_accepted();
            exchange.send_binary(b"bb");
        },
        ..SILENT
    };

    let (talk, done) = Talk::opened(logging_in(), says);

    assert!(talk.0.connection.is_ready());
    assert_eq!(talk.0.connection.state(), ConnectionState::Authenticated);
    assert_eq!(sent(&done), ["1", "2"]);
    let ready = place(&done, |action| matches!(action, Action::Notify(Notice::Ready { .. })));
    let first = place(&done, |action| matches!(action, Action::Send(..)));
    let last = done.iter().rposition(|action| matches!(action, Action::Send(..))).unwrap();
    assert!(first < ready && ready < last, "{done:?}");
}

#[test]
fn without_a_login_the_greeting_leaves_behind_ready() {
    let says = Says { opened: |exchange| exchange.send_text("hello"), ..SILENT };

    let (_, done) = Talk::opened(beating(), says);

    let ready = place(&done, |action| matches!(action, Action::Notify(Notice::Ready { .. })));
    assert!(ready < place(&done, |action| matches!(action, Action::Send(..))), "{done:?}");
}

#[test]
fn the_greeting_leaves_behind_the_login_message() {
    let login = Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::Dialect,
        refused: Vec::new(),
        timeout: seconds(10),
    };
    let says = Says { opened: |exchange| exchange.send_text("hello"), ..SILENT };

    let (talk, done) = Talk::opened(beating().login(login), says);

    assert_eq!(sent(&done), ["Login", "5"]);
    assert!(!talk.0.connection.is_ready(), "only the dialect accepts");
}

#[test]
fn until_it_accepts_no_message_is_taken_and_then_messages_are() {
    let says = Says {
        received: |message, exchange| {
            if message == Message::Text("welcome") {
                exchange.login_accepted();
            }
            Received::Consume
        },
        ..SILENT
    };
    let (mut talk, _) = Talk::opened(logging_in(), says);
    let send = Event::SendRequested(Message::Text("early"));

    assert_eq!(notices(&talk.0.on(send)), [Notice::SendRejected(SendRejection::NotReady)]);
    assert_eq!(talk.hear("who are you?"), [], "it is the dialect's");
    assert!(!talk.hear("welcome").contains(&Action::Deliver));
    assert_eq!(sent(&talk.0.on(send)), ["Requested"]);
}

#[test]
fn a_login_that_it_never_accepts_ends_in_time() {
    let (mut talk, _) = Talk::opened(logging_in(), SILENT);

    let done = talk.0.tick();

    assert_eq!(cause(&done), Some(DisconnectCause::LoginTimeout));
}

#[test]
fn a_second_acceptance_is_counted_and_nothing_more() {
    let says = Says {
        opened: |exchange| {
            exchange.login_accepted();
            exchange.login_accepted();
        },
        received: |_, exchange| {
            exchange.login_accepted();
            Received::Deliver
        },
        ..SILENT
    };
    let mut talk = Talk::ready(logging_in(), says);

    assert_eq!(talk.ignored(), 1);
    assert_eq!(talk.hear("again"), [Action::Deliver]);
    assert_eq!(talk.ignored(), 2);
}

#[test]
fn the_rules_of_the_configuration_judge_first_what_it_leaves_to_them() {
    let login = || Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::parse("/type=ok").unwrap(),
        refused: RefusalRule::parse("/type=no:retry").into_iter().collect(),
        timeout: seconds(10),
    };
    let sends = |received| Says { received, ..SILENT };
    let delivers = sends(|_, exchange| {
        exchange.send_text("x");
        Received::Deliver
    });
    let (mut talk, _) = Talk::opened(beating().login(login()), delivers.clone());
    let done = talk.hear(r#"{"type":"ok"}"#);
    let ready = place(&done, |action| matches!(action, Action::Notify(Notice::Ready { .. })));
    assert!(ready < place(&done, |action| matches!(action, Action::Send(..))), "{done:?}");

    let (mut talk, _) = Talk::opened(beating().login(login()), delivers);
    assert_eq!(sent(&talk.hear(r#"{"type":"no"}"#)), [""; 0], "the login is refused");
    assert_eq!(talk.ignored(), 1);

    let consumes = sends(|_, _| Received::Consume);
    let (mut talk, _) = Talk::opened(beating().login(login()), consumes);
    assert_eq!(talk.hear(r#"{"type":"ok"}"#), []);
    assert!(!talk.0.connection.is_ready(), "the rules never see it");
}

#[test]
fn the_judgement_of_a_replay_stands_in_place_of_the_rules() {
    let login = Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::Any,
        refused: Vec::new(),
        timeout: seconds(10),
    };
    let says = Says {
        received: |_, exchange| {
            exchange.judge(LoginAnswer::Refused(Verdict::Fatal));
            Received::Deliver
        },
        ..SILENT
    };
    let (mut talk, _) = Talk::opened(beating().login(login), says);
    let (socket, verdict) = (talk.0.socket(), Verdict::Fatal);
    let welcome = Event::FrameReceived(socket, Frame::Text("welcome"));

    // Without the checker, which judges by the rules.
    let done = talk.0.connection.handle(Instant::ZERO, welcome);

    assert_eq!(notices(done.as_slice()), [Notice::LoginRefused { socket, verdict }]);
    assert!(talk.0.connection.is_login_refused());
}

#[test]
fn the_reason_is_that_of_the_first_refusal_or_leave_before_our_close() {
    let ends = |name: &str, at: Option<u32>| {
        let reason = at.map(|at| format!(r#","reason":{{"text":true,"at":{at},"bytes":2}}"#));
        let code = if name == "leave" { r#""code":1000,"# } else { "" };
        format!(r#"{{"{name}":{{{code}"verdict":"retry"{}}}}}"#, reason.unwrap_or_default())
    };
    let call = |kind: &str, effects: &[String]| {
        format!(r#"{{"call":"{kind}","effects":[{}]}}"#, effects.join(","))
    };
    let (leave, refuse) = (|at| ends("leave", at), |at| ends("login_refused", at));
    let send = || r#"{"send":{"text":true,"at":0,"bytes":5}}"#.to_owned();
    for (calls, reason) in [
        (vec![], None),
        (vec![call("opened", &[send()])], None),
        (vec![call("consumed", &[send(), leave(Some(3))])], Some(3)),
        (vec![call("delivered", &[refuse(Some(3)), leave(Some(5))])], Some(3)),
        (vec![call("delivered", &[refuse(None), leave(Some(5))])], None),
        (vec![call("closing", &[leave(Some(3))])], None),
        (vec![call("consumed", &[send()]), call("closing", &[leave(Some(3))])], None),
        (vec![call("heartbeat", &[leave(Some(3))]), call("closing", &[leave(Some(5))])], Some(3)),
    ] {
        let json = format!("[{}]", calls.join(","));
        let spoken: Spoken = serde_json::from_str(&json).unwrap();
        assert_eq!(spoken.reason().map(|part| part.start), reason, "{json}");
        assert_eq!((&spoken).into_iter().count(), calls.len(), "{json}");
    }
}

#[test]
fn the_reason_of_a_refusal_or_of_leaving_is_the_dialects_text_if_it_has_one() {
    let says = Says {
        received: |message, exchange| {
            exchange.send_text("one");
            match message {
                Message::Text("no") => exchange.login_refused(Verdict::Retry, "not today"),
                Message::Text("bye") => {
                    exchange.leave(CloseCode::NORMAL, Verdict::Retry, "not today");
                }
                Message::Binary(b"no") => exchange.login_refused(Verdict::Retry, ""),
                _ => exchange.leave(CloseCode::NORMAL, Verdict::Retry, ""),
            }
            Received::Consume
        },
        ..SILENT
    };
    for (frame, expected) in [
        (Frame::Text("no"), Some(b"not today".as_slice())),
        (Frame::Text("bye"), Some(b"not today")),
        (Frame::Binary(b"no"), None),
        (Frame::Binary(b"bye"), None),
    ] {
        let mut talk = Talk::ready(beating(), says.clone());
        let (id, connection) = (talk.0.socket(), &mut talk.0.connection);

        let actions = connection.handle(Instant::ZERO, Event::FrameReceived(id, frame));

        let reason = connection.spoken(&actions).reason();
        assert_eq!(reason.map(|part| connection.part(part)), expected, "{frame:?}");
    }
}

#[test]
fn a_refusal_during_the_login_waits_for_the_peers_close_and_nothing_is_sent_behind_it() {
    let says = Says {
        received: |_, exchange| {
            exchange.login_refused(Verdict::RetryNoSoonerThan(seconds(60)), "not today");
            exchange.send_text("too late");
            Received::Consume
        },
        ..SILENT
    };
    let (mut talk, _) = Talk::opened(logging_in(), says);

    let done = talk.hear("no");
    assert_eq!(sent(&done), [""; 0]);
    assert!(talk.0.connection.is_login_refused());
    assert_eq!(talk.ignored(), 1, "the message is counted");

    assert_eq!(talk.hear("and another thing"), [Action::Deliver], "the dialect is not asked");
    let done = talk.0.tick();
    assert_eq!(sent(&done), ["close 1001"], "without a farewell");
    assert_eq!(cause(&done), Some(DisconnectCause::LoginRefused(None)));
    assert!(delay(&done).unwrap() >= seconds(60));
}

#[test]
fn a_refusal_when_ready_leaves_with_1001_at_once() {
    let says = Says {
        received: |_, exchange| {
            exchange.send_text("one");
            exchange.login_refused(Verdict::Fatal, "");
            exchange.send_text("two");
            Received::Deliver
        },
        ..SILENT
    };
    let mut talk = Talk::ready(beating(), says);

    let done = talk.hear("your token has expired");

    assert_eq!(sent(&done), ["3", "close 1001"]);
    assert_eq!(done[0], Action::Deliver);
    assert_eq!(cause(&done), Some(DisconnectCause::LoginRefused(None)));
    assert_eq!(talk.0.connection.gave_up(), Some(GiveUpCause::LoginRefused));
    assert_eq!(talk.ignored(), 1);
}

#[test]
fn it_leaves_with_its_code_and_its_verdict() {
    let leaves = Says {
        received: |message, exchange| {
            exchange.send_text("bye");
            let verdict = match message.len() {
                1 => Verdict::RetryNoSoonerThan(seconds(90)),
                _ => Verdict::Fatal,
            };
            exchange.leave(CloseCode::INTERNAL_ERROR, verdict, "enough");
            exchange.send_text("too late");
            Received::Consume
        },
        ..SILENT
    };
    let mut talk = Talk::ready(beating(), leaves.clone());
    let done = talk.hear("1");
    assert_eq!(sent(&done), ["3", "close 1011"]);
    assert_eq!(cause(&done), Some(DisconnectCause::Dialect));
    assert!(delay(&done).unwrap() >= seconds(90));
    assert_eq!(talk.ignored(), 1);

    let mut talk = Talk::ready(beating(), leaves);
    let done = talk.hear("22");
    assert_eq!(cause(&done), Some(DisconnectCause::Dialect));
    assert_eq!(talk.0.connection.gave_up(), Some(GiveUpCause::Dialect));
}

#[test]
fn it_leaves_during_a_login_too() {
    let says =
        Says { opened: |exchange| exchange.leave(CloseCode::NORMAL, Verdict::Retry, ""), ..SILENT };

    let (_, done) = Talk::opened(logging_in(), says);

    assert_eq!(sent(&done), ["close 1000"]);
    assert_eq!(cause(&done), Some(DisconnectCause::Dialect));
}

#[test]
fn in_closing_only_its_pongs_count() {
    let says = Says {
        heartbeat: |exchange| exchange.send_text("h"),
        received: |_, exchange| {
            exchange.send_text("late");
            exchange.set_heartbeat(seconds(1), None);
            exchange.pong(None);
            exchange.leave(CloseCode::NORMAL, Verdict::Fatal, "");
            Received::Consume
        },
        ..SILENT
    };
    let mut talk = Talk::ready(beating(), says);
    talk.0.tick();
    talk.0.on(Event::CloseRequested(gateway_core::CloseFrame::NORMAL));

    let done = talk.hear("h!");

    let id = talk.0.socket();
    let round_trip = Some(seconds(0));
    assert_eq!(done, [Action::Notify(Notice::PongReceived { socket: id, round_trip })]);
    assert_eq!(talk.ignored(), 3);
    talk.hear("h!");
    assert_eq!(talk.ignored(), 7, "no ping is unanswered");
    let done = talk.0.on(Event::FrameReceived(id, Frame::Close(None)));
    assert_eq!(cause(&done), Some(DisconnectCause::Requested));
}

#[test]
fn the_next_socket_opens_where_it_says() {
    let says = Says {
        received: |_, exchange| {
            exchange.resume_at(format_args!("wss://{}.example/", "resume"));
            Received::Consume
        },
        ..SILENT
    };
    let mut talk = Talk::ready(beating(), says);

    let done = talk.hear("ready");

    let [Action::ResumeAt(url)] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!(talk.0.connection.part(*url), b"wss://resume.example/");
}
