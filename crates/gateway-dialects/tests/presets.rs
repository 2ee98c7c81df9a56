//! Each preset that is written in TOML against a scripted server.

mod peer;

use std::time::Duration;

use gateway_core::{DisconnectCause, Interest, Verdict};
use gateway_dialects::{Definition, preset, presets};
use peer::{Peer, START, Sent, text};

const REFRESH: Verdict = Verdict::RefreshCredentials;

#[test]
fn every_preset_can_be_read_and_says_what_it_is() {
    for one in presets() {
        assert!(!one.summary().is_empty(), "{}", one.name());
        assert!(!one.covers().is_empty(), "{}", one.name());
        assert!(preset(one.name()).is_ok());
        if let Some(toml) = one.toml() {
            let definition = Definition::parse_with(toml, &|_| None).unwrap();
            let back: Definition =
                serde_json::from_value(serde_json::to_value(&definition).unwrap()).unwrap();
            assert_eq!(back.summary().unwrap(), one.summary());
        }
        let _ = one.dialect();
    }
}

#[test]
fn a_preset_that_does_not_exist_is_an_error_with_near_names() {
    for (name, near) in [
        ("graphql", "graphql-transport-ws"),
        ("socketio", "socket.io"),
        ("homeassistant", "home-assistant"),
        ("JSON", "json"),
    ] {
        let error = preset(name).unwrap_err();
        assert!(error.near.contains(&near), "{error}");
    }
    let error = preset("json2").unwrap_err();
    assert_eq!(error.to_string(), r#"there is no preset "json2"; near it: json"#);
    assert_eq!(preset("zzz").unwrap_err().to_string(), r#"there is no preset "zzz""#);
}

/// A client as the program makes it: with what the preset suggests.
fn as_suggested(name: &str, secrets: &[(&str, &str)]) -> Peer {
    let preset = preset(name).unwrap();
    let rules = preset.suggestions().policy;
    let config =
        rules.into_iter().fold(gateway_core::Config::builder(), |config, rule| config.rule(rule));
    Peer::open_with(config, preset.dialect(), secrets)
}

#[test]
fn a_server_that_restarts_with_code_1000_is_connected_to_again() {
    for one in presets() {
        let is_final = matches!(one.name(), "json" | "ping" | "op-ping");
        let mut peer = as_suggested(one.name(), &[("token", "x")]);
        peer.closes(1000);
        assert_eq!(peer.gave_up(), is_final, "{}", one.name());
    }
}

#[test]
fn a_refused_login_is_not_repeated_because_code_1000_follows() {
    for (name, messages) in [
        ("home-assistant", &[r#"{"type":"auth_required"}"#, r#"{"type":"auth_invalid"}"#][..]),
        (
            "socket.io",
            &[r#"0{"sid":"s","pingInterval":1000,"pingTimeout":1000}"#, r#"44{"message":"no"}"#],
        ),
        ("janus", &[r#"{"janus":"error","transaction":"create-1","error":{"reason":"no"}}"#]),
        ("nats", &["INFO {}\r\n", "-ERR 'Authorization Violation'\r\n"]),
        ("stomp", &["ERROR\nmessage:no\n\n\0"]),
        ("mqtt", &["\u{20}\u{2}\0\u{5}"]),
    ] {
        let mut peer = as_suggested(name, &[("token", "x")]);
        for attempt in 1..=2 {
            assert!(!peer.gave_up(), "{name}, attempt {attempt}");
            for message in messages {
                match name {
                    "nats" | "mqtt" => peer.says_bytes(message.as_bytes()),
                    _ => peer.says(message),
                }
            }
            assert_eq!(peer.refusals().len(), 1, "{name}, attempt {attempt}");
            peer.closes(1000);
            if attempt == 1 {
                peer.accept_next();
            }
        }
        assert!(peer.gave_up(), "{name}: the new login was refused, too");
    }
}

#[test]
fn json_logs_in_and_beats_and_its_pong_names_the_ping() {
    let mut peer = Peer::of_preset("json", &[("token", "hunter2")]);
    assert_eq!(peer.sent(), [text(r#"{"type":"POST_LOGIN","token":"hunter2"}"#)]);

    peer.wait_secs(5);
    assert_eq!(peer.sent(), [], "no heartbeat before the login");
    peer.says(r#"{"type":"RTN_LOGIN"}"#);
    assert!(peer.is_ready());
    assert_eq!(peer.interest(), Interest::texts_up_to(256));

    peer.wait_secs(30);
    let at = START + 35_000;
    assert_eq!(peer.sent(), [text(&format!(r#"{{"type":"ping","timestamp":{at}}}"#))]);
    peer.wait_secs(1);
    peer.says(&format!(r#"{{"type":"pong","timestamp":{at}}}"#));
    assert_eq!(peer.pongs(), [Some(Duration::from_secs(1))]);
    peer.says(r#"{"type":"data"}"#);
    assert_eq!(peer.delivered(), [r#"{"type":"data"}"#]);
}

#[test]
fn json_leaves_a_silent_server_and_logs_in_again_with_the_new_secret() {
    let mut peer = Peer::of_preset("json", &[("token", "old")]);
    peer.says(r#"{"type":"RTN_LOGIN"}"#);
    peer.wait_secs(35);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);

    peer.sent();
    peer.set_secrets(&[("token", "new")]);
    peer.accept_next();
    assert_eq!(peer.sent(), [text(r#"{"type":"POST_LOGIN","token":"new"}"#)]);
    peer.says(r#"{"type":"RTN_LOGIN"}"#);
    assert!(peer.is_ready());
}

#[test]
fn json_is_refused_with_a_reason() {
    for (refusal, reason) in [
        (r#"{"type":"RTN_ERR","reason":"expired"}"#, "expired"),
        (r#"{"type":"RTN_ERR","message":"expired"}"#, "expired"),
        (r#"{"type":"RTN_ERR"}"#, ""),
    ] {
        let mut peer = Peer::of_preset("json", &[("token", "x")]);
        peer.says(refusal);
        assert_eq!(peer.refusals(), [(REFRESH, String::from(reason))]);
        assert!(!peer.is_ready());
    }
}

#[test]
fn json_ignores_a_refusal_after_the_acceptance() {
    let mut peer = Peer::of_preset("json", &[("token", "x")]);
    peer.says(r#"{"type":"RTN_LOGIN"}"#);
    peer.says(r#"{"type":"RTN_ERR"}"#);
    peer.says(r#"{"type":"RTN_LOGIN"}"#);
    peer.says(r#"{"type":"pong"}"#);
    assert!(peer.is_ready());
    let expected = [r#"{"type":"RTN_ERR"}"#, r#"{"type":"RTN_LOGIN"}"#];
    assert_eq!(peer.delivered(), expected, "a pong for no ping belongs to the dialect");
}

#[test]
fn graphql_logs_in_with_a_payload_and_answers_pings() {
    let mut peer = Peer::of_preset("graphql-transport-ws", &[("payload", r#"{"k":"v"}"#)]);
    assert_eq!(peer.sent(), [text(r#"{"type":"connection_init","payload":{"k":"v"}}"#)]);
    peer.says(r#"{"type":"ping"}"#);
    assert_eq!(peer.sent(), [text(r#"{"type":"pong"}"#)], "a server may ping before it accepts");
    peer.says(r#"{"type":"connection_ack"}"#);
    assert!(peer.is_ready());
    peer.says(r#"{"type":"ping","payload":{}}"#);
    assert_eq!(peer.sent(), [text(r#"{"type":"pong"}"#)]);
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [text(r#"{"type":"ping"}"#)]);
    peer.says(r#"{"type":"pong"}"#);
    assert_eq!(peer.pongs(), [Some(Duration::ZERO)]);
    peer.wait_secs(35);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);

    peer.sent();
    peer.set_secrets(&[]);
    peer.accept_next();
    assert_eq!(peer.sent(), [text(r#"{"type":"connection_init","payload":{}}"#)]);
}

#[test]
fn graphql_is_refused_by_a_close_code() {
    let suggestions = preset("graphql-transport-ws").unwrap().suggestions();
    assert_eq!(suggestions.subprotocols, ["graphql-transport-ws"]);
    let mut peer = as_suggested("graphql-transport-ws", &[]);
    peer.closes(4403);
    peer.accept_next();
    peer.closes(4403);
    assert!(peer.gave_up(), "the refreshed login was refused again");
}

#[test]
fn home_assistant_waits_for_the_greeting_and_pings_by_websocket() {
    let mut peer = Peer::of_preset("home-assistant", &[("token", "a\"b")]);
    assert_eq!(peer.sent(), []);
    peer.says(r#"{"type":"auth_ok"}"#);
    assert!(!peer.is_ready(), "an acceptance before the login counts as nothing");
    peer.says(r#"{"type":"auth_required","ha_version":"2026.1"}"#);
    assert_eq!(peer.sent(), [text(r#"{"type":"auth","access_token":"a\"b"}"#)]);
    peer.delivered();
    peer.says(r#"{"type":"auth_required"}"#);
    assert_eq!(peer.sent(), [], "a second greeting is answered with nothing");
    assert_eq!(peer.delivered().len(), 0, "nor is it a message of the application");
    peer.says(r#"{"type":"auth_ok","ha_version":"2026.1"}"#);
    assert!(peer.is_ready());
    assert_eq!(peer.interest(), Interest::NONE, "data skips the dialect");
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [Sent::Ping]);

    peer.cut();
    peer.accept_next();
    peer.says(r#"{"type":"auth_required"}"#);
    assert_eq!(peer.sent(), [text(r#"{"type":"auth","access_token":"a\"b"}"#)]);
    peer.says(r#"{"type":"auth_invalid","message":"Invalid access token"}"#);
    assert_eq!(peer.refusals(), [(REFRESH, String::from("Invalid access token"))]);
}

#[test]
fn a_greeting_that_never_comes_ends_at_the_logins_deadline() {
    for greeting in [None, Some("no JSON".to_string()), Some("x".repeat(1 << 20))] {
        let mut peer = Peer::of_preset("home-assistant", &[("token", "t")]);
        if let Some(greeting) = &greeting {
            peer.says(greeting);
            peer.says_bytes(greeting.as_bytes());
            assert_eq!(peer.delivered().len(), 2);
        }
        peer.wait_secs(10);
        assert_eq!(peer.losses(), [DisconnectCause::LoginTimeout]);
    }
}

#[test]
fn socket_io_answers_pings_and_takes_the_servers_interval() {
    let mut peer = Peer::of_preset("socket.io", &[("auth", r#"{"token":"t"}"#)]);
    assert_eq!(peer.sent(), []);
    peer.says(
        r#"0{"sid":"s","upgrades":[],"pingInterval":2000,"pingTimeout":1000,"maxPayload":1}"#,
    );
    assert_eq!(peer.sent(), [text(r#"40{"token":"t"}"#)]);
    peer.says(r#"40{"sid":"n"}"#);
    assert!(peer.is_ready());
    assert_eq!(peer.interest(), Interest::texts_up_to(2));

    peer.wait_secs(2);
    peer.says("2");
    assert_eq!(peer.sent(), [text("3")]);
    peer.says(r#"42["news",{}]"#);
    assert_eq!(peer.delivered(), [r#"42["news",{}]"#]);
    peer.wait_secs(3);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout], "the server's pings stopped");

    peer.set_secrets(&[]);
    peer.accept_next();
    peer.says(r#"0{"sid":"s","pingInterval":25000,"pingTimeout":20000}"#);
    assert_eq!(peer.sent(), [text("40")]);
    peer.says(r#"44{"message":"Not authorized"}"#);
    assert_eq!(peer.refusals(), [(REFRESH, String::from("Not authorized"))]);
}

#[test]
fn socket_io_comes_back_after_the_server_disconnects_it() {
    let mut peer = Peer::of_preset("socket.io", &[]);
    peer.says(r#"0{"sid":"s","pingInterval":25000,"pingTimeout":20000}"#);
    peer.says(r#"40{"sid":"n"}"#);
    peer.says("41");
    assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
    assert_eq!((peer.reasons(), peer.delivered()), (vec![String::from("41")], vec![]));
    peer.accept_next();
}

#[test]
fn an_interval_that_makes_no_sense_is_ignored_with_one_warning() {
    for interval in ["0", "-1", "\"x\"", "{}", "true"] {
        let mut peer = Peer::of_preset("socket.io", &[]);
        peer.says(&format!(r#"0{{"sid":"s","pingInterval":{interval},"pingTimeout":20000}}"#));
        assert_eq!(peer.warnings(), 1, "{interval}");
        peer.says(r#"40{"sid":"n"}"#);
        assert_eq!(peer.warnings(), 0, "{interval}");
        peer.wait_secs(25);
        assert!(peer.is_ready(), "{interval}: nothing is known of the server's pings");
        peer.wait_secs(275);
        assert_eq!(peer.losses(), [DisconnectCause::PongTimeout], "{interval}");
        assert!(!peer.sent().contains(&Sent::Ping));
    }
    for interval in ["1e12", "1e300"] {
        let mut peer = Peer::of_preset("socket.io", &[]);
        peer.says(&format!(r#"0{{"sid":"s","pingInterval":{interval},"pingTimeout":20000}}"#));
        peer.says(r#"40{"sid":"n"}"#);
        assert_eq!(peer.warnings(), 0, "{interval}: clamped");
        assert!(peer.is_ready());
    }
}

#[test]
fn phoenix_beats_with_a_counter() {
    let mut peer = Peer::of_preset("phoenix", &[]);
    assert!(peer.is_ready());
    let beat = |count| text(&format!(r#"[null,"heartbeat-{count}","phoenix","heartbeat",{{}}]"#));
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [beat(1)]);
    peer.says(r#"["1","1","room:1","phx_reply",{"status":"ok","response":{}}]"#);
    assert_eq!(peer.delivered().len(), 1, "a reply in another topic is the application's");
    peer.says(r#"[null,"heartbeat-1","phoenix","phx_reply",{"status":"ok","response":{}}]"#);
    assert_eq!(peer.pongs(), [Some(Duration::ZERO)]);
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [beat(2)]);
    peer.wait_secs(5);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);
    peer.accept_next();
    peer.sent();
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [beat(1)], "each socket counts from 1");
}

#[test]
fn janus_keeps_its_session_alive() {
    let mut peer = Peer::of_preset("janus", &[("token", "t")]);
    let create = r#"{"janus":"create","transaction":"create-1","apisecret":"","token":"t"}"#;
    assert_eq!(peer.sent(), [text(create)]);
    let success = r#"{"janus":"success","transaction":"create-1","data":{"id":818647816905897}}"#;
    peer.says(success);
    assert!(peer.is_ready());
    assert_eq!(peer.delivered(), [success], "the application needs the session's id");

    peer.wait_secs(30);
    let keepalive = r#"{"janus":"keepalive","session_id":818647816905897,"transaction":"keepalive-2","apisecret":"","token":"t"}"#;
    assert_eq!(peer.sent(), [text(keepalive)]);
    peer.says(r#"{"janus":"ack","session_id":818647816905897,"transaction":"mine"}"#);
    assert_eq!(peer.delivered().len(), 1);
    peer.says(r#"{"janus" : "ack", "transaction" : "keepalive-2"}"#);
    assert_eq!(peer.pongs(), [Some(Duration::ZERO)]);

    peer.says(r#"{"janus":"timeout","session_id":818647816905897}"#);
    assert_eq!(peer.losses(), [DisconnectCause::Dialect]);
    peer.sent();
    peer.accept_next();
    assert_eq!(peer.sent(), [text(create)]);
    peer.says(
        r#"{"janus":"error","transaction":"create-1","error":{"code":403,"reason":"Unauthorized"}}"#,
    );
    assert_eq!(peer.refusals(), [(REFRESH, String::from("Unauthorized"))]);
}

#[test]
fn janus_without_a_session_number_is_no_session() {
    let mut peer = Peer::of_preset("janus", &[]);
    peer.says(r#"{"janus":"success","transaction":"create-1","data":{"id":{"x":1}}}"#);
    peer.wait_secs(30);
    assert_eq!(peer.losses(), [DisconnectCause::Dialect], "the keepalive cannot be sent");
    assert_eq!(peer.sent().last(), Some(&Sent::Close(1011)));
    peer.accept_next();
}

#[test]
fn text_pings_are_answered_in_text() {
    let mut peer = Peer::of_preset("ping", &[]);
    assert_eq!(peer.interest(), Interest::texts_up_to(4));
    peer.wait_secs(30);
    assert_eq!(peer.sent(), [text("ping")]);
    peer.says("pong");
    assert_eq!((peer.pongs().len(), peer.delivered().len()), (1, 0));
    peer.wait_secs(35);
    assert_eq!(peer.losses(), [DisconnectCause::PongTimeout]);

    for pong in [r#"{"op":"pong"}"#, r#"{"success":true,"ret_msg":"pong","op":"ping"}"#] {
        let mut peer = Peer::of_preset("op-ping", &[]);
        peer.wait_secs(30);
        assert_eq!(peer.sent(), [text(r#"{"op":"ping"}"#)]);
        peer.says(pong);
        assert_eq!((peer.pongs().len(), peer.delivered().len()), (1, 0), "{pong}");
    }
}

#[test]
fn every_preset_names_its_secrets() {
    for (name, secrets) in [
        ("json", &["token"][..]),
        ("graphql-transport-ws", &["payload"]),
        ("home-assistant", &["token"]),
        ("socket.io", &["auth"]),
        ("phoenix", &[]),
        ("janus", &["apisecret", "token"]),
        ("nats", &["password", "token", "username"]),
        ("stomp", &["host", "password", "username"]),
        ("mqtt", &["client_id", "password", "username"]),
        ("discord", &["intents", "token"]),
        ("ping", &[]),
        ("op-ping", &[]),
    ] {
        let preset = preset(name).unwrap();
        assert_eq!(preset.secret_names(), secrets, "{name}");
        assert!(preset.secrets().iter().all(|secret| preset.check_secret(secret).is_ok()));
        assert_eq!(preset.check_secret("zzz").unwrap_err().known, secrets);
    }
    assert_eq!(preset("socket.io").unwrap().check_secret("ath").unwrap_err().near, ["auth"]);
}

#[test]
fn no_preset_shows_a_secret() {
    for one in presets() {
        let names = one.secret_names();
        let secrets: Vec<_> = names.iter().map(|name| (name.as_str(), "hunter2")).collect();
        let mut peer = Peer::open(one.dialect(), &secrets);
        peer.says(r#"{"type":"auth_required"}"#);
        assert!(!peer.debug().contains("hunter2"), "{}", one.name());
        assert!(!format!("{one:?}").contains("hunter2"));
    }
}
