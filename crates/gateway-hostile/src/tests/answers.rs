//! What the server answers: echoes, pongs, logins, refusals of what is too large.

use tokio_tungstenite::tungstenite::{Bytes, http::HeaderValue};

use super::*;
use crate::control::Tally;

fn guarded() -> Running {
    let tokens = vec!["open sesame".parse().expect("not empty")];
    let logins = LoginRules { tokens, ..LoginRules::default() };
    start(Options { logins, ..Options::default() })
}

#[tokio::test]
async fn text_and_binary_come_back_as_they_were() {
    let server = start(Options::default());
    let mut client = server.connect().await;

    say(&mut client, "grüße").await;
    assert_eq!(hear(&mut client).await, "grüße");
    soon(client.send(Message::binary(vec![0, 255]))).await.expect("open");
    assert_eq!(hear(&mut client).await, format!("{:?}", Bytes::from_static(&[0, 255])));
    let expected = Tally { connections: 1, upgrades: 1, echoes: 2, pongs: 0, ..Tally::default() };
    assert_eq!(server.control.tally(), expected);
}

#[tokio::test]
async fn an_application_ping_is_answered_and_not_echoed() {
    let server = start(Options::default());
    let mut client = server.connect().await;

    say(&mut client, r#"{"timestamp": 17, "type": "ping"}"#).await;
    assert_eq!(hear(&mut client).await, r#"{"type":"pong","timestamp":17}"#);
    say(&mut client, r#"{"type":"ping"}"#).await;
    assert_eq!(hear(&mut client).await, r#"{"type":"pong"}"#);
    assert_eq!(server.control.tally().pongs, 2);
    assert_eq!(server.control.tally().echoes, 0);
}

#[tokio::test]
async fn a_websocket_ping_is_answered() {
    let server = start(Options::default());
    let mut client = server.connect().await;

    let payload = Bytes::from_static(b"here?");
    soon(client.send(Message::Ping(payload.clone()))).await.expect("open");
    assert_eq!(hear(&mut client).await, format!("{:?}", Message::Pong(payload)));
}

#[tokio::test]
async fn a_websocket_ping_is_answered_as_the_script_says() {
    let ping = || Message::Ping(Bytes::from_static(b"here?"));
    for (name, expected) in [
        ("never-pong", &["hello"][..]),
        ("late-pong", &["hello"]),
        ("wrong-pong", &["Pong(b\"wrong\")", "hello"]),
        ("echo", &["Pong(b\"here?\")", "hello"]),
    ] {
        let server = start_script(name);
        let mut client = server.connect().await;

        soon(client.send(ping())).await.expect("open");
        say(&mut client, "hello").await;

        for expected in expected {
            assert_eq!(hear(&mut client).await, *expected, "{name}");
        }
        assert!(is_silent(client.next()).await, "{name}");
    }
}

#[tokio::test]
async fn a_late_websocket_pong_is_that_of_the_ping() {
    let beat = Duration::from_millis(5);
    let server = start(Options { script: script("late-pong"), beat, ..Options::default() });
    let mut client = server.connect().await;

    soon(client.send(Message::Ping(Bytes::from_static(b"here?")))).await.expect("open");

    assert_eq!(hear(&mut client).await, "Pong(b\"here?\")");
    assert!(is_silent(client.next()).await, "it comes once");
}

#[tokio::test]
async fn a_login_is_taken_plain_and_as_json() {
    let server = guarded();
    for login in ["open sesame", r#"{"type":"login","token":"open sesame"}"#] {
        let mut client = server.connect().await;

        say(&mut client, login).await;
        assert_eq!(hear(&mut client).await, r#"{"type":"login_ok"}"#);
        say(&mut client, "hello").await;
        assert_eq!(hear(&mut client).await, "hello");
    }
}

#[tokio::test]
async fn a_first_message_that_is_no_login_is_refused_with_1008() {
    let server = guarded();
    for message in [
        Message::text("open sesamE"),
        Message::text("hello"),
        Message::text(r#"{"type":"ping"}"#),
        Message::text(r#"{"type":"login","token":""}"#),
        Message::binary("open sesame"),
    ] {
        let mut client = server.connect().await;

        soon(client.send(message)).await.expect("open");
        assert_eq!(hear(&mut client).await, r#"{"type":"login_failed"}"#);
        assert_eq!(hear(&mut client).await, "close 1008");
        assert_eq!(hear(&mut client).await, "end");
    }
    assert_eq!(server.control.tally().pongs, 0);
    assert_eq!(server.control.tally().echoes, 0);
}

#[tokio::test]
async fn the_first_subprotocol_offered_is_selected() {
    let server = start(Options::default());
    let mut request = server.request();
    let offered = HeaderValue::from_static("chat.v2, chat.v1");
    request.headers_mut().insert("Sec-WebSocket-Protocol", offered);

    let (_client, response) = server.try_connect(request).await.expect("an upgrade");

    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "chat.v2");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_with_1009() {
    let server = start(Options { max_message_size: 16, ..Options::default() });
    let mut client = server.connect().await;

    say(&mut client, &"x".repeat(16)).await;
    assert_eq!(hear(&mut client).await, "x".repeat(16));
    say(&mut client, &"x".repeat(17)).await;
    assert_eq!(hear(&mut client).await, "close 1009");
}

#[tokio::test]
async fn a_close_is_answered_and_tcp_ends() {
    let server = start(Options::default());
    let mut client = server.connect().await;

    soon(client.close(None)).await.expect("open");

    assert_eq!(hear(&mut client).await, "Close(None)");
    assert_eq!(hear(&mut client).await, "end");
}
