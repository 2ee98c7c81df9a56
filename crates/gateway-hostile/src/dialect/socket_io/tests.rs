//! The server's side of Socket.IO, packet by packet.

use super::*;
use crate::dialect::{ServedDialect, talk::Talk};

const INTERVAL: Duration = Duration::from_secs(25);
const TIMEOUT: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(1);

fn talk() -> Talk {
    Talk::with(ServedDialect::SocketIo)
}

fn connected() -> Talk {
    let mut talk = talk();
    assert_eq!(talk.say("40"), [r#"40{"sid":"socket-7"}"#]);
    talk
}

#[test]
fn the_server_opens_with_its_intervals_and_limits() {
    let open = talk().open().concat();

    let open = open.strip_prefix('0').expect("an open packet");
    let expected = json!({
        "sid": "engine-7", "upgrades": [],
        "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1 << 20,
    });
    assert_eq!(serde_json::from_str::<Value>(open).expect("JSON"), expected);
}

#[test]
fn the_token_is_a_member_of_the_connect_packet() {
    let mut talk = Talk::guarded(ServedDialect::SocketIo, "sesame");

    for connect in ["40", r#"40{"token":"Sesame"}"#, r#"40{"token":1}"#, "40{}"] {
        assert_eq!(talk.say(connect), [REFUSAL], "{connect}");
    }
    assert_eq!(talk.say(r#"40{"token":"sesame"}"#), [r#"40{"sid":"socket-7"}"#]);
}

#[test]
fn events_are_echoed_or_acknowledged() {
    let mut talk = connected();

    assert_eq!(talk.say(r#"42["a",{"b":1}]"#), [r#"echo: 42["a",{"b":1}]"#]);
    assert_eq!(talk.say(r#"4212["a", {"b": 1} ,2]"#), [r#"echo: 4312[{"b": 1},2]"#]);
    assert_eq!(talk.say(r#"420["a"]"#), ["echo: 430[]"]);
    assert!(talk.say("431[]").is_empty());
}

#[test]
fn binary_events_are_echoed_with_their_attachments() {
    let mut talk = connected();
    let event = r#"["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

    assert_eq!(talk.say(&format!("452-{event}")), [format!("echo: 452-{event}")]);
    assert_eq!(talk.say_bytes(b"one"), [r#"echo: b"one""#]);
    assert_eq!(talk.say_bytes(b"two"), [r#"echo: b"two""#]);

    let acknowledged = talk.say(r#"451-3["a",{"_placeholder":true,"num":0}]"#);
    assert_eq!(acknowledged, [r#"echo: 461-3[{"_placeholder":true,"num":0}]"#]);
    assert_eq!(talk.say_bytes(b"one"), [r#"echo: b"one""#]);

    assert!(talk.say(r#"461-3[{"_placeholder":true,"num":0}]"#).is_empty());
    assert!(talk.say_bytes(b"ignored").is_empty());
    assert_eq!(talk.say_bytes(b"stray"), ["close"]);
}

#[test]
fn the_server_pings_an_interval_after_each_pong() {
    let mut talk = connected();

    assert!(talk.wait(INTERVAL - MOMENT).is_empty());
    assert_eq!(talk.wait(MOMENT), [PING]);
    assert!(talk.wait(TIMEOUT - MOMENT).is_empty());
    assert!(talk.say("3").is_empty());
    assert!(talk.wait(INTERVAL - MOMENT).is_empty());
    assert_eq!(talk.wait(MOMENT), [PING]);
}

#[test]
fn a_client_that_answers_no_ping_is_closed_without_a_code() {
    let mut talk = connected();

    assert_eq!(talk.wait(INTERVAL + TIMEOUT), [PING, "close"]);
    assert!(talk.wait(INTERVAL + TIMEOUT).is_empty());
}

#[test]
fn a_client_that_connects_to_no_namespace_is_closed_after_45_seconds() {
    let mut talk = talk();
    assert_eq!(talk.wait(INTERVAL), [PING]);
    talk.say("3");

    assert!(talk.wait(INTERVAL - Duration::from_secs(6)).is_empty());
    assert_eq!(talk.wait(Duration::from_secs(1)), ["close"]);
}

#[test]
fn there_is_one_namespace() {
    let mut talk = talk();

    assert_eq!(talk.say("40/admin,"), [r#"44/admin,{"message":"Invalid namespace"}"#]);
    assert_eq!(talk.say("40/,"), [r#"40{"sid":"socket-7"}"#]);
    assert_eq!(talk.say(r#"42/admin,["a"]"#), ["close"]);
}

#[test]
fn what_breaks_the_protocol_closes_without_a_code() {
    for text in [
        "", "1", "2", "2probe", "5", "0{}", "x", "é", "4", "4x", "42", "42[]", "42{}", "42[null]",
        "40[]", "44{}", "45[]",
    ] {
        assert_eq!(connected().say(text), ["close"], "{text:?}");
    }
    for text in [r#"42["a"]"#, "41", "431[]"] {
        assert_eq!(talk().say(text), ["close"], "{text:?}");
    }
    let mut left = connected();
    assert!(left.say("6").is_empty());
    assert!(left.say("41").is_empty());
    assert_eq!(left.say(r#"42["a"]"#), ["close"]);
}
