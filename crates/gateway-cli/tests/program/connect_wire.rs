//! What `gateway connect` writes to the wire, and how it handles binary messages, against a server
//! in the test.

use super::common::{Client, gateway, run};
use gateway_tests::{Frame, Listener, Peer};
use tokio::net::TcpStream;

/// The code of the next frame, which is a Close; it is answered.
async fn close_code(peer: &mut Peer<TcpStream>) -> u16 {
    let close = peer.frame().await;
    assert_eq!(close.first, 0x88, "{close:?}");
    peer.send(close.clone()).await;
    u16::from_be_bytes(close.payload[..2].try_into().expect("a code"))
}

#[tokio::test]
async fn userinfo_headers_subprotocols_path_and_login_reach_the_server() {
    let listener = Listener::bind().await;
    let url = listener.url().replace("ws://", "ws://user:hunter2@") + "/feed?token=hunter2";
    let flags = ["-H", "X-Device: seven: 7", "-s", "one", "-s", "two", "--login", "let me in"];
    let mut client = Client::start(&url, &[&flags[..], &["--login-ok", "any"]].concat());

    let mut peer = Peer::accept_with(listener.tcp().await, "Sec-WebSocket-Protocol: one\r\n").await;

    let head = format!("{:?}", peer.head);
    assert!(head.starts_with("GET /feed?token=hunter2 HTTP/1.1\r\n"), "{head}");
    let header = |name| peer.head.header(name);
    assert_eq!(header("authorization"), Some("Basic dXNlcjpodW50ZXIy"));
    assert_eq!(header("x-device"), Some("seven: 7"));
    assert_eq!(header("sec-websocket-protocol"), Some("one, two"));
    assert_eq!(peer.frame().await, Frame::text("let me in"));

    peer.send(Frame::text("welcome")).await;
    client.state("AUTHENTICATED").await;
    assert_eq!(client.line().await, "welcome");
    client.signal("-TERM").await;
    assert_eq!(close_code(&mut peer).await, 1000);
    assert_eq!(client.end().await.0.code(), Some(0));
}

#[tokio::test]
async fn binary_messages_are_lines_in_the_chosen_form_and_left_out_without_one() {
    for (form, expected) in [
        (["--binary", "base64"].as_slice(), "//4A\nend\n"),
        (&["--binary", "hex"], "fffe00\nend\n"),
        (&[], "end\n"),
    ] {
        let listener = Listener::bind().await;
        let mut command = gateway(&["connect", &listener.url(), "--heartbeat", "off"]);
        command.args(["--max-attempts", "0"]).args(form);
        let client = tokio::spawn(run(command, b""));
        let mut peer = listener.peer().await;
        drop(listener);

        peer.send(Frame::binary([255, 254, 0])).await;
        peer.send(Frame::text("end")).await;
        peer.send(Frame::new(0x88, [])).await;
        drop(peer.rest().await);

        let output = client.await.expect("no panic");
        assert_eq!(output.stdout, expected);
        assert_eq!(output.status, Some(1));
        let is_told = output.stderr.contains("a binary message was not written");
        assert_eq!(is_told, form.is_empty(), "{}", output.stderr);
    }
}

#[tokio::test]
async fn the_first_line_of_the_log_names_the_url_and_no_line_a_secret() {
    let listener = Listener::bind().await;
    let url = listener.url().replace("ws://", "ws://user:hunter2@") + "/feed?token=hunter2";
    let mut command = gateway(&["connect", &url, "--log-level", "trace", "--exit-on-eof"]);
    command.args(["--events", "-", "--login", "hunter2", "--header", "Cookie: hunter2"]);
    command.env("GATEWAY_LOGIN_OK", "any");
    let client = tokio::spawn(run(command, b""));
    let mut peer = listener.peer().await;
    assert_eq!(peer.frame().await, Frame::text("hunter2"));
    peer.send(Frame::text("welcome")).await;

    assert_eq!(close_code(&mut peer).await, 1000);
    let output = client.await.expect("no panic");
    let log = output.stderr;
    assert_eq!(output.status, Some(0), "{log}");
    let first = log.lines().next().expect("a line");
    let port = listener.url().replace("ws://", "");
    assert!(first.ends_with(&format!("connecting to ws://{port}/feed")), "{log}");
    assert!(log.contains("CONNECTED -> AUTHENTICATED") && !log.contains("hunter2"), "{log}");
}
