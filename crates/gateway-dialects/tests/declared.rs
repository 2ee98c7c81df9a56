//! What dialects that are written in TOML do, part by part.

mod peer;

use std::time::Duration;

use gateway_core::{Config, DisconnectCause, Interest};
use gateway_dialects::Definition;
use peer::{Peer, Sent, text};

#[test]
fn messages_on_ready_and_before_the_close_are_sent_in_order() {
    let toml = r#"
        on_ready = ["a ${counter}", "b", "c ${counter}"]
        closing = ["bye", "hex:e000"]
    "#;
    let mut peer = Peer::of_toml(toml, &[]);
    assert_eq!(peer.sent(), [text("a 1"), text("b"), text("c 2")]);
    peer.client_closes();
    let bye = [text("bye"), Sent::Binary(vec![0xe0, 0]), Sent::Close(1000)];
    assert_eq!(peer.sent(), bye);
}

#[test]
fn with_binary_frames_texts_are_binary_in_both_directions() {
    let toml = r#"
        frames = "binary"
        on_ready = "hello ${counter}"
        [[answer]]
        when = ["^PING", "~1"]
        send = "PONG"
    "#;
    let mut peer = Peer::of_toml(toml, &[]);
    assert_eq!(peer.sent(), [Sent::Binary(b"hello 1".to_vec())]);
    peer.says_bytes(b"PING 1");
    assert_eq!(peer.sent(), [Sent::Binary(b"PONG".to_vec())]);
    peer.says_bytes(b"PING\xff1");
    assert_eq!((peer.sent().len(), peer.delivered().len()), (0, 1));
}

#[test]
fn a_binary_heartbeat() {
    let toml = "[heartbeat]\nsend = \"hex:c000\"\npong = \"hex:d000\"";
    let mut peer = Peer::of_toml(toml, &[]);
    assert_eq!(peer.interest(), Interest::binaries_up_to(2));
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [Sent::Binary(vec![0xc0, 0])]);
    peer.says("\u{0}");
    peer.says_bytes(&[0xd0, 0]);
    assert_eq!((peer.pongs().len(), peer.delivered().len()), (1, 1));
}

#[test]
fn a_login_in_several_steps_answers_with_what_it_captured() {
    let toml = r#"
        [login]
        wait = "/event=challenge"
        send = '{"connect":"${nonce}"}'
        ok = [["/event=welcome"], ["/event=hi"]]
        refused = ["/event=no", { when = "/event=ban", verdict = "fatal", reason = "/why" }]
        capture = { nonce = "/nonce" }
        deliver = true
        [[answer]]
        when = "/event=again"
        capture = { code = "/code" }
        send = '{"code":${code}}'
        deliver = true
    "#;
    let mut peer = Peer::of_toml(toml, &[]);
    peer.says(r#"{"event":"challenge","nonce":"a\"b"}"#);
    assert_eq!(peer.sent(), [text(r#"{"connect":"a\"b"}"#)]);
    peer.says(r#"{"event":"again","code":7}"#);
    assert_eq!(peer.sent(), [text(r#"{"code":7}"#)]);
    peer.says(r#"{"event":"hi"}"#);
    assert!(peer.is_ready());
    assert_eq!(peer.delivered().len(), 3);

    let mut peer = Peer::of_toml(toml, &[]);
    peer.says(r#"{"event":"ban","why":"spam"}"#);
    assert_eq!(peer.refusals()[0].1, "spam");
    peer.closes(1000);
    assert!(peer.gave_up());
}

#[test]
fn a_captured_value_that_is_missing_or_unusable_is_never_sent() {
    let toml = r#"
        [[answer]]
        when = "/ping"
        capture = { id = "/id" }
        send = '{"pong":"${id}"}'
    "#;
    for message in [r#"{"ping":1}"#, r#"{"ping":1,"id":{}}"#, r#"{"ping":1,"id":null}"#] {
        let mut peer = Peer::of_toml(toml, &[]);
        peer.says(r#"{"ping":1,"id":"first"}"#);
        assert_eq!(peer.sent(), [text(r#"{"pong":"first"}"#)]);
        peer.says(message);
        assert_eq!(peer.sent(), [Sent::Close(1011)], "{message}");
        assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
        assert_eq!(peer.reasons(), ["answer[0].send: ${id} has no value"]);
        peer.accept_next();
    }
    let long = format!(r#"{{"ping":1,"id":"{}"}}"#, "x".repeat(1 << 20));
    let mut peer = Peer::of_toml(toml, &[]);
    peer.says(&long);
    assert_eq!(peer.sent(), [Sent::Close(1011)]);
    assert_eq!(peer.reasons(), ["answer[0].send: ${id} has no value"]);
}

#[test]
fn what_the_greeting_said_is_kept_until_the_socket_is_lost() {
    let toml = r#"
        [login]
        wait = "/session"
        ok = "=ok"
        capture = { session = "/session" }
        [heartbeat]
        send = "beat ${session}"
        expect = "1h"
    "#;
    let mut peer = Peer::of_toml(toml, &[]);
    peer.says(r#"{"session":7}"#);
    peer.says("ok");
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [text("beat 7")]);
    peer.cut();
    assert_eq!(peer.interest(), Interest::NONE);
    peer.accept_next();
    peer.says(r#"{"session":[]}"#);
    peer.says("ok");
    peer.wait_secs(30);
    assert_eq!(peer.reasons(), ["heartbeat.send: ${session} has no value"]);
}

#[test]
fn strings_numbers_and_booleans_can_be_captured() {
    let toml = r#"
        [[answer]]
        when = "/ask"
        capture = { value = "/ask" }
        send = '${value}'
    "#;
    for (value, sent) in [("7", "7"), ("-1.5", "-1.5"), ("\"a\"", "a"), ("true", "true")] {
        let mut peer = Peer::of_toml(toml, &[]);
        peer.says(&format!("{{\"ask\":{value}}}"));
        assert_eq!(peer.sent(), [text(sent)]);
    }
    for value in ["{}", "[1]"] {
        let mut peer = Peer::of_toml(toml, &[]);
        peer.says(&format!("{{\"ask\":{value}}}"));
        assert_eq!(peer.reasons(), ["answer[0].send: ${value} has no value"]);
    }
}

#[test]
fn a_server_that_is_mute_but_for_its_pongs_is_dead_if_only_its_pings_are_expected() {
    let toml = "[heartbeat]\nexpect = \"60s\"\n[[answer]]\nwhen = \"=2\"\nsend = \"3\"";
    let mut peer = Peer::of_toml(toml, &[]);
    for _ in 0..3 {
        peer.wait_secs(59);
        peer.says("2");
        assert_eq!(peer.sent(), [text("3")], "and no WebSocket Ping");
    }
    peer.wait_secs(59);
    assert!(peer.is_ready());
    peer.wait_secs(1);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
}

#[test]
fn until_the_server_has_named_the_span_it_may_be_silent_for_five_minutes() {
    let toml = r#"
        [heartbeat]
        expect = { from = "span", unit = "s" }
        [[answer]]
        when = "/span"
        capture = { span = "/span" }
        [[answer]]
        when = "=2"
    "#;
    for strict in [false, true] {
        let open = || {
            let dialect = Definition::parse(toml).unwrap().dialect();
            Peer::open_with(Config::builder().heartbeat_strict(strict), Box::new(dialect), &[])
        };
        let mut peer = open();
        peer.wait_secs(299);
        peer.says(if strict { "2" } else { "data" });
        peer.says(r#"{"span":0}"#);
        assert_eq!(peer.warnings(), 1);
        peer.wait_secs(299);
        assert!(peer.is_ready());
        peer.wait_secs(1);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
        assert!(!peer.sent().contains(&Sent::Ping));

        let mut peer = open();
        peer.says(r#"{"span":20}"#);
        peer.wait_secs(20);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
    }
}

#[test]
fn one_event_sends_as_many_messages_as_the_page_says() {
    const LOGIN: &str = "[login]\nok = \"=ok\"\ncapture = { i = \"/i\", e = \"/e\" }\n";
    const FIXED: &str = "[heartbeat]\nsend = \"a\"\ninterval = \"9s\"\nexpect = \"20s\"\n";
    const NAMED: &str = "[heartbeat]\nsend = \"a\"\npong = \"=b\"\n\
                         interval = { from = \"i\", unit = \"s\" }\n\
                         expect = { from = \"e\", unit = \"s\" }\n";
    let messages = |count: usize| format!("{:?}", vec!["m"; count]);
    let both = r#"{"i":9,"e":9}"#;
    for (most, name, before, after, heard) in [
        (4, "on_ready", "", "", None),
        (2, "on_ready", "", FIXED, None),
        (4, "send", LOGIN, "", None),
        (2, "send", LOGIN, FIXED, None),
        (4, "send", "[login]\nwait = \"=hi\"\nok = \"=ok\"\n", FIXED, Some("hi")),
        (2, "send", &format!("{LOGIN}wait = \"/i\"\n"), NAMED, Some(both)),
        (3, "on_ready", "", LOGIN, Some("ok")),
        (3, "on_ready", "", &format!("{LOGIN}{FIXED}"), Some("ok")),
        (4, "send", "[[answer]]\nwhen = \"=ok\"\n", "", Some("ok")),
        (3, "send", "[[answer]]\nwhen = \"=ok\"\n", FIXED, Some("ok")),
        (
            2,
            "send",
            "[[answer]]\nwhen = \"/i\"\ncapture = { i = \"/i\", e = \"/e\" }\n",
            NAMED,
            Some(both),
        ),
    ] {
        let toml = |count| format!("{before}{name} = {}\n{after}", messages(count));
        let mut peer = Peer::of_toml(&toml(most), &[]);
        if let Some(heard) = heard {
            assert_eq!(peer.sent(), []);
            peer.says(heard);
        }
        assert_eq!(peer.sent(), vec![text("m"); most], "{}", toml(most));
        let errors = Definition::parse(&toml(most + 1)).unwrap_err().to_string();
        assert!(errors.contains(&format!("must be at most {most} messages here")), "{errors}");
    }
}

#[test]
fn a_login_needs_no_message() {
    let mut peer = Peer::of_toml("[login]\nok = \"/type=welcome\"", &[]);
    assert!(!peer.is_ready());
    peer.says(r#"{"type":"welcome"}"#);
    assert!(peer.is_ready());
    assert_eq!((peer.sent(), peer.delivered()), (vec![], vec![]));
}

#[test]
fn a_backslash_stands_before_a_value_that_begins_like_a_mistake() {
    for (pattern, value) in [
        (r"/a=\=b", "=b"),
        (r#"/a=\"b""#, "\\\"b\\\""),
        (r"/a=\'b", "'b"),
        (r"/a=\ b", " b"),
        (r"/a=\\b", r"\\b"),
        (r"/a=\b", r"\\b"),
        (r"/a=b=c", "b=c"),
    ] {
        let toml = format!("[[answer]]\nwhen = {pattern:?}");
        let mut peer = Peer::of_toml(&toml, &[]);
        peer.says(&format!("{{\"a\":\"{value}\"}}"));
        assert_eq!(peer.delivered(), [""; 0], "{pattern}");
    }
}

#[test]
fn a_pong_with_a_wrong_stamp_is_still_a_pong() {
    let toml = "[heartbeat]\nsend = '{\"id\":${counter}}'\npong = \"/id\"\nstamp = \"/id\"";
    let mut peer = Peer::of_toml(toml, &[]);
    peer.wait_secs(30);
    peer.says("{\"id\":77}");
    assert_eq!(peer.pongs().len(), 1);
    peer.wait_secs(6);
    assert!(peer.is_ready());
}

#[test]
fn all_secrets_are_named_and_others_are_errors_with_near_ones() {
    let toml = "on_ready = [\"${secret:token}\", \"${secret:auth:-none} ${secret:token}\"]";
    let definition = Definition::parse(toml).unwrap();
    assert_eq!(definition.secrets().collect::<Vec<_>>(), ["token"]);
    assert_eq!(definition.secret_names().collect::<Vec<_>>(), ["auth", "token"]);
    assert_eq!(definition.check_secret("auth"), Ok(()));
    let error = |name| definition.check_secret(name).unwrap_err().to_string();
    assert_eq!(error("ath"), "the dialect uses no secret \"ath\"; near it: auth");
    assert_eq!(error("zzz"), "the dialect uses no secret \"zzz\"; it uses auth, token");
    let none = Definition::parse("on_ready = \"a\"").unwrap().check_secret("token").unwrap_err();
    assert_eq!(none.to_string(), "the dialect uses no secret \"token\"; it uses none");
}

#[test]
fn a_stamp_says_which_of_two_pings_was_answered() {
    for (send, pong) in [
        ("{\"id\":${counter}}", "{\"id\":2}"),
        ("{\"id\":\"hb-${counter}\"}", "{\"id\":\"hb-2\"}"),
        ("{\"id\":${timestamp}}", "{\"id\":1700000060000}"),
    ] {
        let toml = format!("[heartbeat]\nsend = '{send}'\npong = \"/id\"\nstamp = \"/id\"");
        let mut peer = Peer::of_toml(&toml, &[]);
        peer.wait_secs(31);
        peer.says("a sign of life");
        peer.wait_secs(30);
        peer.says(pong);
        assert_eq!(peer.pongs(), [Some(Duration::from_secs(1))], "{send}");
    }
}

#[test]
fn the_fault_names_the_template_and_the_value() {
    use gateway_core::{Connection, Event, Instant};
    let toml = "on_ready = [\"a\", \"${secret:token}\"]";
    let definition = Definition::parse(toml).unwrap();
    assert_eq!(definition.secrets().collect::<Vec<_>>(), ["token"]);
    let mut connection =
        Connection::from_seed_with(Config::default().into(), 7, definition.dialect());
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let id = connection.socket().unwrap();
    let _ = connection.handle(Instant::ZERO, Event::SocketOpened(id));
    let fault = connection.dialect().fault().unwrap();
    assert_eq!(fault.to_string(), "on_ready[1]: ${secret:token} has no value");
    assert!(!connection.is_ready());
    let shown = format!("{:?}", connection.dialect());
    assert!(shown.starts_with("DeclaredDialect { phase: Over, fault: Some("), "{shown}");
}

#[test]
fn a_beat_that_nothing_answers_keeps_the_connection_and_expect_ends_it() {
    let toml = "[heartbeat]\nsend = \"beat\"\ninterval = \"10s\"\nexpect = \"60s\"";
    let mut peer = Peer::of_toml(toml, &[]);
    peer.wait_secs(59);
    assert_eq!(peer.sent(), vec![text("beat"); 5]);
    assert!(peer.is_ready());
    peer.wait_secs(1);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
}

#[test]
fn in_strict_mode_an_answered_ping_of_the_server_is_its_sign_of_life() {
    let toml = r#"
        [heartbeat]
        expect = "10s"
        [[answer]]
        when = "=2"
        send = "3"
    "#;
    let dialect = Definition::parse(toml).unwrap().dialect();
    let config =
        Config::builder().heartbeat_strict(true).heartbeat(gateway_core::HeartbeatKind::Off);
    let mut peer = Peer::open_with(config, Box::new(dialect), &[]);
    for _ in 0..5 {
        peer.wait_secs(9);
        peer.says("2");
    }
    assert!(peer.is_ready());
    for _ in 0..3 {
        peer.wait(Duration::from_millis(3_400));
        peer.says("data");
    }
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
}

#[test]
fn an_interval_of_the_definition_is_in_force_from_the_first_ping() {
    let toml = "[heartbeat]\nsend = \"a\"\npong = \"=b\"\ninterval = \"7s\"\ntimeout = \"2s\"";
    let mut peer = Peer::of_toml(toml, &[]);
    peer.wait_secs(7);
    assert_eq!(peer.sent(), [text("a")]);
    peer.wait_secs(2);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
}

#[test]
fn leaving_on_a_message_has_a_verdict() {
    let toml = "[[leave]]\nwhen = \"/code=7\"\nverdict = \"fatal\"\nreason = \"/text\"";
    let mut peer = Peer::of_toml(toml, &[]);
    peer.says(r#"{"code":7,"text":"expired"}"#);
    assert_eq!(peer.reasons(), ["expired"]);
    assert_eq!(peer.sent(), [Sent::Close(1001)]);
    assert!(peer.gave_up());
}

#[test]
fn a_message_that_is_longer_than_one_call_may_write_ends_the_socket() {
    let toml = "on_ready = \"${secret:a}${secret:a}\"";
    let mut peer = Peer::of_toml(toml, &[("a", &"x".repeat(40_000))]);
    assert_eq!(peer.sent(), [Sent::Close(1011)]);
    assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
}
