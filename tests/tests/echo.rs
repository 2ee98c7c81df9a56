//! The normal life of a client on real sockets: connect, echo, close.

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_tokio::core::{CloseFrame, ConnectionState, Notice};
use gateway_tokio::{Client, ClientEvent, Message};
use tokio::net::TcpListener;

/// Echoes on the connections that come, until it is dropped.
async fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_text() || message.is_binary() {
                        let _ = socket.send(message).await;
                    }
                }
            });
        }
    });
    url
}

async fn until_ready(client: &mut Client) {
    loop {
        if let ClientEvent::Notice(Notice::Ready { .. }) = client.next().await.unwrap() {
            return;
        }
    }
}

#[tokio::test]
async fn what_is_sent_comes_back_and_close_ends_the_stream() {
    let mut client = Client::builder(echo_server().await).build().unwrap();
    until_ready(&mut client).await;

    client.send("hello").await.unwrap();
    client.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    let mut echoes = Vec::new();
    while echoes.len() < 2 {
        if let ClientEvent::Message(message) = client.next().await.unwrap() {
            echoes.push(message);
        }
    }
    client.close(CloseFrame::NORMAL);
    while client.next().await.is_some() {}

    // The client sends no message of its own: nothing but these comes back.
    assert_eq!(echoes[0].as_text(), Some("hello"));
    assert_eq!(echoes[1].as_bytes(), [1, 2, 3]);
    assert_eq!(client.state(), ConnectionState::Closed);
}

#[tokio::test]
async fn a_spawned_client_does_the_same_and_ends_when_its_events_are_dropped() {
    let (handle, mut events) = Client::builder(echo_server().await).build().unwrap().spawn();
    while !matches!(events.next().await, Some(ClientEvent::Notice(Notice::Ready { .. }))) {}

    for number in 0..1_000 {
        handle.send(format!("message {number}")).await.unwrap();
        loop {
            let event = events.next().await.unwrap();
            if event == ClientEvent::Message(Message::text(format!("message {number}"))) {
                break;
            }
        }
    }
    drop(events);
    while handle.send("anybody there?").await.is_ok() {}
}
