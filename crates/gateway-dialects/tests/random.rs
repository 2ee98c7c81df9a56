//! Any messages in any order, and any definitions.

mod peer;

use std::time::Duration;

use gateway_dialects::{Definition, presets};
use peer::{Peer, Sent};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::Deserialize as _;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Bytes(Vec<u8>),
    Wait(u64),
    Cut,
    Close(u16),
    Accept,
    Send,
    ClientCloses,
}

/// Messages that some preset or example is interested in.
const KNOWN: &[&str] = &[
    r#"{"type":"RTN_LOGIN"}"#,
    r#"{"type":"RTN_ERR","message":{"a":1}}"#,
    r#"{"type":"pong","timestamp":-1}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"connection_ack"}"#,
    r#"{"type":"auth_required"}"#,
    r#"{"type":"auth_ok"}"#,
    r#"{"type":"auth_invalid","message":"no"}"#,
    r#"0{"sid":"a","pingInterval":25000,"pingTimeout":20000}"#,
    r#"0{"sid":"a","pingInterval":-1,"pingTimeout":[]}"#,
    r#"40{"sid":"b"}"#,
    r#"44{"message":"no"}"#,
    "2",
    "41",
    r#"[null,"heartbeat-1","phoenix","phx_reply",{}]"#,
    r#"{"janus":"success","transaction":"create-1","data":{"id":7}}"#,
    r#"{"janus":"success","transaction":"create-1","data":{"id":{}}}"#,
    r#"{"janus":"ack","transaction":"keepalive-99999999999999999999"}"#,
    r#"{"janus":"timeout"}"#,
    "CONNECTED\nheart-beat:0,99999999999999999999\n\n\0",
    "CONNECTED\nheart-beat:18446744073709551615,1\n\n\0",
    "ERROR\nmessage:no\n\n\0",
    "\n",
    r#"{"op":10,"d":{"heartbeat_interval":1e308}}"#,
    r#"{"t":"READY","s":1,"op":0,"d":{"session_id":"s","resume_gateway_url":"wss://x"}}"#,
    r#"{"t":"RESUMED","s":2,"op":0}"#,
    r#"{"op":9,"d":false}"#,
    r#"{"op":9,"d":true}"#,
    r#"{"op":7}"#,
    r#"{"op":1}"#,
    r#"{"op":11}"#,
    "pong",
    r#"{"op":"pong"}"#,
    r#"[3,"boot-1",{"status":"Accepted","interval":0}]"#,
    r#"{"method":"heartbeat","params":{"type":"test_request"}}"#,
];

const KNOWN_BYTES: &[&[u8]] = &[
    b"INFO {}\r\n",
    b"PING\r\nPONG\r\n+OK\r\n",
    b"-ERR 'Authorization Violation'\r\n",
    b"MSG a 1 5\r\nhel",
    b"lo\r\n",
    &[0x20, 2, 0, 0],
    &[0x20, 2, 0, 5],
    &[0xd0, 0],
    &[0x30, 3, 1],
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::sample::select(KNOWN).prop_map(|text| Step::Text(text.to_string())),
        4 => prop::sample::select(KNOWN_BYTES).prop_map(|bytes| Step::Bytes(bytes.to_vec())),
        1 => any::<String>().prop_map(Step::Text),
        1 => any::<Vec<u8>>().prop_map(Step::Bytes),
        3 => (0_u64..60_000).prop_map(Step::Wait),
        1 => Just(Step::Cut),
        1 => prop::sample::select(&[1000_u16, 4007, 4009, 1012][..]).prop_map(Step::Close),
        3 => Just(Step::Accept),
        1 => Just(Step::Send),
        1 => Just(Step::ClientCloses),
    ]
}

fn play(peer: &mut Peer, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Text(text) => peer.says(text),
            Step::Bytes(bytes) => peer.says_bytes(bytes),
            Step::Wait(millis) => peer.wait(Duration::from_millis(*millis)),
            Step::Cut => peer.cut(),
            Step::Close(code) => peer.closes(*code),
            Step::Accept if peer.is_opening() => peer.accept(),
            Step::Accept => {}
            Step::Send => peer.client_sends("data"),
            Step::ClientCloses => peer.client_closes(),
        }
        // The interest that is in force is always the newest one.
        let _ = peer.interest();
    }
}

proptest! {
    #[test]
    fn no_preset_fails_whatever_the_server_does(steps in prop::collection::vec(step(), 0..40)) {
        let names = ["token", "payload", "auth", "username", "password"];
        let secrets: Vec<_> = names.iter().map(|name| (*name, "hunter2")).collect();
        for one in presets() {
            let mut peer = Peer::open(one.dialect(), &secrets);
            play(&mut peer, &steps);
            // A keepalive of Janus needs the session, which a broken server may not name.
            let is_fault = peer.sent().contains(&Sent::Close(1011));
            prop_assert!(!is_fault || one.name() == "janus", "{}", one.name());
            prop_assert!(!peer.debug().contains("hunter2"));
        }
    }

    #[test]
    fn any_definition_is_read_or_refused_and_plays(
        tree in definition(), steps in prop::collection::vec(step(), 0..20),
    ) {
        let text = tree.to_string();
        let Ok(definition) = serde_json::from_value::<Definition>(tree) else { return Ok(()) };
        let mut peer = Peer::open(Box::new(definition.dialect()), &[("token", "hunter2")]);
        play(&mut peer, &steps);
        // Without a missing value, no call asks for too much.
        let may_miss = text.contains("{captured}") || text.contains("secret:none");
        prop_assert!(may_miss || !peer.sent().contains(&Sent::Close(1011)));
        prop_assert!(!peer.debug().contains("hunter2"));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z_\\[\\]={}$:\"'#\n .0-9]{0,60}") {
        let _ = Definition::parse_with(&text, &|_| None);
    }
}

#[test]
fn enough_random_definitions_are_valid() {
    let mut runner = TestRunner::deterministic();
    let draw = |runner: &mut TestRunner| definition().new_tree(runner).unwrap().current();
    let trees: Vec<_> = (0..500).map(|_| draw(&mut runner)).collect();
    let valid = trees.iter().filter(|tree| Definition::deserialize(*tree).is_ok());
    let with_login = valid.clone().filter(|tree| tree.get("login").is_some()).count();
    assert!(valid.count() >= 50 && with_login >= 10, "{with_login}");
}

fn pattern() -> impl Strategy<Value = Value> {
    let one = prop::sample::select(vec![
        json!("/type=auth_ok"),
        json!("/type=ping"),
        json!("/type=auth_required"),
        json!("=2"),
        json!("^0"),
        json!("~\"type\""),
        json!("/sid"),
        json!("hex:d000"),
        json!("wrong"),
        json!(7),
    ]);
    prop_oneof![
        3 => one.clone(),
        1 => prop::collection::vec(one.clone(), 0..3).prop_map(Value::Array),
        1 => prop::collection::vec(prop::collection::vec(one, 0..3), 0..3).prop_map(|list| json!(list)),
    ]
}

fn message() -> impl Strategy<Value = Value> {
    let one = prop::sample::select(vec![
        json!("ping"),
        json!("${counter}"),
        json!("{\"t\":${timestamp},\"s\":\"${secret:token}\"}"),
        json!("${secret:none}"),
        json!("${captured}"),
        json!("hex:c000"),
    ]);
    prop_oneof![one.clone(), prop::collection::vec(one, 0..5).prop_map(Value::Array),]
}

fn definition() -> impl Strategy<Value = Value> {
    let capture = json!({ "captured": "/pingInterval" });
    let span = prop::sample::select(vec![
        Value::Null,
        json!("5s"),
        json!({ "from": "captured", "unit": "ms" }),
    ]);
    let login = (pattern(), message(), pattern(), pattern(), any::<bool>()).prop_map(
        move |(wait, send, ok, refused, deliver)| {
            json!({ "wait": wait, "send": send, "ok": ok, "refused": refused,
                    "capture": capture, "deliver": deliver })
        },
    );
    let heartbeat = (message(), pattern(), span.clone(), span).prop_map(
        |(send, pong, interval, expect)| {
            json!({ "send": send, "pong": pong, "interval": interval, "expect": expect })
        },
    );
    let answer = (pattern(), message()).prop_map(
        |(when, send)| json!({ "when": when, "send": send, "capture": { "captured": "/sid" } }),
    );
    let frames = prop::sample::select(vec![json!("text"), json!("binary")]);
    (
        prop::option::of(login),
        prop::option::of(heartbeat),
        prop::collection::vec(answer, 0..3),
        message(),
        message(),
        frames,
    )
        .prop_map(|(login, heartbeat, answer, on_ready, closing, frames)| {
            let mut tree = json!({ "answer": answer, "on_ready": on_ready, "closing": closing,
                                   "frames": frames });
            for (name, part) in [("login", login), ("heartbeat", heartbeat)] {
                let Some(Value::Object(mut part)) = part else { continue };
                part.retain(|_, value| !value.is_null());
                tree[name] = Value::Object(part);
            }
            tree
        })
}
