//! Every line that `gateway connect` reads has an outcome, also in the exit status. What happens at
//! the end of stdin.

mod common;

use std::{io, process::Stdio};

use common::{Client, Server, gateway, rest, soon};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

const SHORT: [&str; 4] = ["--initial-delay", "50ms", "--max-delay", "100ms"];
const PINGS: [&str; 2] = ["--heartbeat-interval", "100ms"];

async fn listen() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}", listener.local_addr()?);
    Ok((listener, url))
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (tcp, _) = soon(listener.accept()).await.expect("a connection");
    soon(accept_async(tcp)).await.expect("an upgrade")
}

/// The next message, if it is as said.
async fn next(socket: &mut WebSocketStream<TcpStream>, is_it: fn(&Message) -> bool) -> Message {
    loop {
        let message = soon(socket.next()).await.expect("it is open").expect("it is whole");
        if is_it(&message) {
            return message;
        }
    }
}

fn not_sent(events: &[Value]) -> usize {
    let sends = events.iter().filter(|event| event["event"] == "send");
    sends.filter(|event| event["outcome"] != "sent").count()
}

/// A line that is longer than what the system takes of it, whose peer does not read, and then the
/// peer is gone.
async fn away_with_a_line(arguments: &[&str]) -> io::Result<Client> {
    let (listener, url) = listen().await?;
    let mut client = Client::start(&url, &[&["--heartbeat", "off"], arguments].concat());
    let socket = accept(&listener).await;
    client.event("ready").await;
    client.send(&format!("{}\n", "x".repeat(14 << 20))).await;
    // It has been read once its first byte is here.
    assert_eq!(soon(socket.get_ref().peek(&mut [0])).await?, 1);
    drop(listener);
    drop(socket);
    Ok(client)
}

#[tokio::test]
async fn a_line_without_an_outcome_fails_a_signal_while_the_connection_is_away() -> io::Result<()> {
    let mut client = away_with_a_line(&["--initial-delay", "10m", "--max-delay", "10m"]).await?;
    client.event("retry").await;

    client.signal("-INT").await;

    let (status, events) = client.end().await;
    assert_eq!(status.code(), Some(1), "{events:?}");
    assert_eq!(not_sent(&events), 1, "{events:?}");
    Ok(())
}

#[tokio::test]
async fn a_line_without_an_outcome_is_told_when_the_connection_gives_up() -> io::Result<()> {
    let client = away_with_a_line(&["--max-attempts", "0"]).await?;

    let (status, events) = client.end().await;

    assert_eq!(status.code(), Some(1), "{events:?}");
    assert_eq!(not_sent(&events), 1, "{events:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_not_sent_is_counted_on_stderr_at_a_signal() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--max-message-size", "5"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn()?;
    let mut stdin = client.stdin.take().expect("it is piped");
    stdin.write_all(b"too long\n12345\n").await?;
    let stdout = client.stdout.as_mut().expect("it is piped");
    let mut echo = [0; 6];
    soon(tokio::io::AsyncReadExt::read_exact(stdout, &mut echo)).await?;
    let id = client.id().expect("it runs").to_string();
    tokio::process::Command::new("kill").args(["-INT", &id]).status().await?;

    let log = rest(client.stderr.take().expect("it is piped")).await;

    assert_eq!(soon(client.wait()).await?.code(), Some(1), "{log}");
    assert!(log.contains("lines were not sent lines=1"), "{log}");
    Ok(())
}

#[tokio::test]
async fn answers_that_come_late_are_waited_for_by_number() -> io::Result<()> {
    let (listener, url) = listen().await?;
    let mut client = Client::start(&url, &[PINGS.as_slice(), &["--wait-for", "2"]].concat());
    let mut socket = accept(&listener).await;
    client.send("question\n").await;
    client.stdin = None;
    next(&mut socket, Message::is_text).await;
    socket.send(Message::text("one")).await.expect("it reads");
    // A ping comes only where it did not close.
    next(&mut socket, Message::is_ping).await;
    socket.send(Message::text("two")).await.expect("it reads");

    next(&mut socket, Message::is_close).await;

    assert_eq!((client.line().await, client.line().await), ("one".to_owned(), "two".to_owned()));
    while soon(socket.next()).await.is_some_and(|next| next.is_ok()) {}
    assert_eq!(client.end().await.0.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn answers_that_come_late_are_waited_for_by_time() -> io::Result<()> {
    let (listener, url) = listen().await?;
    let mut client = Client::start(&url, &[PINGS.as_slice(), &["--linger", "10m"]].concat());
    let mut socket = accept(&listener).await;
    client.send("question\n").await;
    client.stdin = None;
    next(&mut socket, Message::is_text).await;
    next(&mut socket, Message::is_ping).await;
    socket.send(Message::text("late")).await.expect("it reads");
    assert_eq!(client.line().await, "late");
    client.signal("-TERM").await;
    next(&mut socket, Message::is_close).await;
    while soon(socket.next()).await.is_some_and(|next| next.is_ok()) {}
    assert_eq!(client.end().await.0.code(), Some(0));

    let server = Server::start(&[]).await;
    for flags in [["--linger", "1ms"].as_slice(), &["--linger", "1ms", "--wait-for", "1000"]] {
        let mut client = Client::start(&server.url, &[SHORT.as_slice(), flags].concat());
        client.send("question\n").await;
        client.stdin = None;
        assert_eq!(client.end().await.0.code(), Some(0));
    }
    Ok(())
}

#[tokio::test]
async fn with_1_one_message_is_written_of_several() -> io::Result<()> {
    let (listener, url) = listen().await?;
    let mut client = Client::start(&url, &["-1", "--output", "json"]);
    let mut socket = accept(&listener).await;
    client.send("question\nanother\n").await;
    next(&mut socket, Message::is_text).await;
    for answer in ["one", "two", "three"] {
        socket.feed(Message::text(answer)).await.expect("it reads");
    }
    socket.flush().await.expect("it reads");

    next(&mut socket, |message| {
        assert!(!message.is_text(), "another line was sent");
        message.is_close()
    })
    .await;

    while soon(socket.next()).await.is_some_and(|next| next.is_ok()) {}
    let stdout = client.stdout.take().expect("it is open").into_inner();
    assert_eq!(rest(stdout).await, "{\"text\":\"one\"}\n");
    assert_eq!(client.end().await.0.code(), Some(0));
    Ok(())
}
