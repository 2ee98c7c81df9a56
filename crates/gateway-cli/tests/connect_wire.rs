//! What `gateway connect` writes to the wire, and how it handles binary messages, against a server
//! in the test.

mod common;

use std::{io, net::SocketAddr};

use common::{Client, gateway, run, soon, text};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

/// A server for one connection, and the head of the request that it answers.
async fn accept(listener: TcpListener) -> (WebSocketStream<TcpStream>, Request) {
    let (tcp, _) = soon(listener.accept()).await.expect("a connection");
    let mut head = Request::new(());
    #[expect(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let keep = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        head = request.clone();
        if let Some(offer) = request.headers().get("Sec-WebSocket-Protocol") {
            let first = offer.to_str().expect("it is text").split(", ").next().unwrap_or_default();
            let chosen = first.parse().expect("a token");
            response.headers_mut().insert("Sec-WebSocket-Protocol", chosen);
        }
        Ok(response)
    };
    let socket = soon(accept_hdr_async(tcp, keep)).await.expect("an upgrade");
    (socket, head)
}

async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The close code that the client sends; it is answered.
async fn close_code(socket: &mut WebSocketStream<TcpStream>) -> Option<u16> {
    let mut code = None;
    while let Some(Ok(message)) = soon(socket.next()).await {
        if let Message::Close(frame) = message {
            code = frame.map(|frame| frame.code.into());
        }
    }
    code
}

#[tokio::test]
async fn userinfo_headers_subprotocols_path_and_login_reach_the_server() -> io::Result<()> {
    let (listener, address) = listen().await?;
    let url = format!("ws://user:hunter2@{address}/feed?token=hunter2");
    let mut client = Client::start(
        &url,
        &[
            "--header",
            "X-Device: seven: 7",
            "--subprotocol",
            "one",
            "--subprotocol",
            "two",
            "--login",
            "let me in",
            "--login-ok",
            "any",
        ],
    );

    let (mut socket, head) = accept(listener).await;

    assert_eq!(head.uri().path_and_query().expect("both").as_str(), "/feed?token=hunter2");
    let header = |name: &str| head.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("Authorization"), Some("Basic dXNlcjpodW50ZXIy"));
    assert_eq!(header("X-Device"), Some("seven: 7"));
    assert_eq!(header("Sec-WebSocket-Protocol"), Some("one, two"));
    let first = soon(socket.next()).await.expect("a message").expect("whole");
    assert_eq!(first, Message::text("let me in"));

    socket.send(Message::text("welcome")).await.expect("it reads");
    client.state("AUTHENTICATED").await;
    assert_eq!(client.line().await, "welcome");
    client.signal("-TERM").await;
    assert_eq!(close_code(&mut socket).await, Some(1000));
    assert_eq!(client.end().await.0.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn binary_messages_are_lines_in_the_chosen_form_and_left_out_without_one() -> io::Result<()> {
    for (form, expected) in [
        (["--binary", "base64"].as_slice(), "//4A\nend\n"),
        (&["--binary", "hex"], "fffe00\nend\n"),
        (&[], "end\n"),
    ] {
        let (listener, address) = listen().await?;
        let mut command = gateway(&["connect", &format!("ws://{address}"), "--heartbeat", "off"]);
        command.args(["--max-attempts", "0"]).args(form);
        let client = tokio::spawn(run(command, b""));
        let (mut socket, _) = accept(listener).await;

        socket.send(Message::binary(vec![255, 254, 0])).await.expect("it reads");
        socket.send(Message::text("end")).await.expect("it reads");
        socket.close(None).await.expect("it reads");
        while soon(socket.next()).await.is_some_and(|next| next.is_ok()) {}

        let output = client.await.expect("no panic")?;
        assert_eq!(text(&output.stdout), expected);
        assert_eq!(output.status.code(), Some(1));
        let is_told = text(&output.stderr).contains("a binary message was not written");
        assert_eq!(is_told, form.is_empty(), "{}", text(&output.stderr));
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_is_in_no_line_of_the_log() -> io::Result<()> {
    let (listener, address) = listen().await?;
    let url = format!("ws://user:hunter2@{address}/feed?token=hunter2");
    let mut command = gateway(&["connect", &url, "--log-level", "trace", "--exit-on-eof"]);
    command.args(["--events", "-", "--login", "hunter2", "--header", "Cookie: hunter2"]);
    command.env("GATEWAY_LOGIN_OK", "any");
    let client = tokio::spawn(run(command, b""));
    let (mut socket, _) = accept(listener).await;
    assert!(soon(socket.next()).await.is_some());
    socket.send(Message::text("welcome")).await.expect("it reads");

    assert_eq!(close_code(&mut socket).await, Some(1000));
    let output = client.await.expect("no panic")?;
    let log = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("CONNECTED -> AUTHENTICATED") && !log.contains("hunter2"), "{log}");
    Ok(())
}
