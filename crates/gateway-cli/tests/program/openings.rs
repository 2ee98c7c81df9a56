//! How `gateway connect` opens: its request, and which responses it accepts, against a server in
//! the test.

use super::common::{Client, gateway, run, soon};
use gateway_tests::{Head, Listener};
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn the_request_names_its_user_agent_and_keeps_the_spelling_of_headers() {
    let flags = ["--header", "X-aPI-key: 7", "--subprotocol", "ocpp1.6"];
    let (client, peer) = Client::with_peer(&flags).await;
    let request = format!("{:?}", peer.head);
    let own = format!("\r\nUser-Agent: gateway/{}\r\n", env!("CARGO_PKG_VERSION"));
    assert!(request.contains(&own) && request.contains("\r\nX-aPI-key: 7\r\n"), "{request}");
    client.signal("-KILL").await;
}

#[tokio::test]
async fn a_name_is_in_the_log_and_in_every_event() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("named-events.jsonl");
    let shown = path.display().to_string();
    let flags = ["--name", "feed-7", "--events", &shown];
    let (log, _) = refused(&flags, |_| "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".into()).await;
    assert!(log.contains("client{name=feed-7 endpoint=ws://"), "{log}");
    let events = std::fs::read_to_string(path).unwrap();
    assert!(events.lines().count() > 2, "{events}");
    for line in events.lines() {
        assert!(line.contains(r#","name":"feed-7","event":"#), "{line}");
    }
}

/// What the program says of an answer that refuses it, and its exit status.
async fn refused(flags: &[&str], answer: impl Fn(&Head) -> String) -> (String, Option<i32>) {
    let listener = Listener::bind().await;
    let mut command = gateway(&["connect", &listener.url(), "--max-attempts", "0"]);
    command.args(flags);
    let client = tokio::spawn(run(command, b""));
    let mut socket = listener.tcp().await;
    let request = Head::read(&mut socket).await;
    socket.write_all(answer(&request).as_bytes()).await.unwrap();
    let output = soon(client).await.expect("no panic");
    (output.stderr, output.status)
}

#[tokio::test]
async fn a_required_subprotocol_that_is_not_chosen_is_named() {
    let flags = ["--subprotocol", "ocpp1.6", "--require-subprotocol"];
    let (log, status) = refused(&flags, |request| request.acceptance("")).await;
    assert!(log.contains("it chose none of the offered subprotocols"), "{log}");
    assert_eq!(status, Some(1));
}

#[tokio::test]
async fn a_refusal_tells_status_location_and_text_without_raw_control_characters() {
    let body = format!("upstream \u{1b}[31mis down\r\n{}", "x".repeat(64 << 10));
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nLocation: /status?token=hunter2\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (log, _) = refused(&[], |_| answer.clone()).await;
    let told = "the server answered 503, Location: /status: upstream ";
    assert!(log.contains(told) && log.contains("u{1b}[31mis down xxx"), "{log}");
    assert!(
        !log.contains('\u{1b}') && !log.contains("hunter2") && !log.contains(&"x".repeat(600)),
        "{log}"
    );
}

#[tokio::test]
async fn an_address_that_is_none_gets_a_hint_and_exit_2() {
    for (url, expected) in [
        ("gateway.example/feed?key=hunter2", "did you mean wss://gateway.example/feed?"),
        ("http://localhost:1", "did you mean ws://localhost:1/?"),
        ("ws://host/\n", "must have no control characters"),
    ] {
        let output = run(gateway(&["connect", url]), b"").await;
        let log = output.stderr;
        assert!(log.contains(expected) && !log.contains("hunter2"), "{log}");
        assert_eq!(output.status, Some(2));
    }
}
