//! Runs the examples of sending against another library's server, and against one that drops
//! connections.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_hostile::{Script, Server};
use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Client, JsonCorrelator};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;

#[allow(dead_code, reason = "its main is not run")]
#[path = "../sending/chat.rs"]
mod chat;
#[allow(dead_code, reason = "its main is not run")]
#[path = "../sending/feed.rs"]
mod feed;
#[allow(dead_code, reason = "its main is not run")]
#[path = "../sending/orders.rs"]
mod orders;
#[allow(dead_code, reason = "its main is not run")]
#[path = "../sending/rpc.rs"]
mod rpc;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn accept(listener: &TcpListener) -> WebSocketStream<TcpStream> {
    let (tcp, _) = listener.accept().await.unwrap();
    tokio_tungstenite::accept_async(tcp).await.unwrap()
}

/// The next text; `None` at the end.
async fn text(socket: &mut WebSocketStream<TcpStream>) -> Option<String> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            return Some(text.as_str().to_owned());
        }
    }
    None
}

/// Answers each call with its own text. Drops the first connection after so many.
async fn answer(listener: TcpListener, drops_after: usize) {
    for calls in [drops_after, usize::MAX] {
        let mut socket = accept(&listener).await;
        for _ in 0..calls {
            let Some(text) = text(&mut socket).await else { break };
            if socket.send(Message::text(text)).await.is_err() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn all_calls_are_answered_also_if_the_server_drops_the_connection() {
    for drops_after in [usize::MAX, 100] {
        let (listener, url) = listen().await;
        let server = tokio::spawn(answer(listener, drops_after));
        assert_eq!(rpc::run(&url).await.unwrap(), rpc::CALLERS * rpc::CALLS);
        server.abort();
    }
}

#[tokio::test]
async fn an_order_that_may_be_lost_is_placed_again_with_its_own_id() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let mut orders = Vec::new();
        let mut first = accept(&listener).await;
        orders.extend(text(&mut first).await);
        drop(first); // before the answer
        let mut second = accept(&listener).await;
        orders.extend(text(&mut second).await);
        second.send(Message::text(r#"{"id":2,"error":"this order exists"}"#)).await.unwrap();
        orders
    });
    let correlator = JsonCorrelator::new("/id").unwrap();
    let (handle, _events) = Client::builder(&url).requests(correlator).build().unwrap().spawn();

    let answer = orders::place(&handle, "7").await.unwrap();

    assert!(answer.as_text().unwrap().contains("exists"));
    let orders = server.await.unwrap();
    assert_eq!(orders.len(), 2);
    assert!(orders.iter().all(|order| order.contains(r#""order_id":"7""#)), "{orders:?}");
}

#[tokio::test]
async fn the_hostile_server_of_this_project_answers_calls_too() {
    let server = Server::builder().script(Script::named("echo").unwrap()).start().unwrap();
    let answered = rpc::run(&server.url()).await.unwrap();
    assert_eq!(answered, rpc::CALLERS * rpc::CALLS);
}

#[tokio::test]
async fn each_connection_has_all_subscriptions_and_the_feed_gets_the_newest() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        for connection in 0..2 {
            let mut socket = accept(&listener).await;
            let mut channels = BTreeSet::new();
            while channels.len() < feed::CHANNELS {
                channels.insert(text(&mut socket).await.expect("a subscription"));
            }
            socket.send(Message::text(format!("price {connection}"))).await.unwrap();
        }
    });
    let (handle, mut events) = feed::client(&url).unwrap().spawn();

    let last = feed::follow(&mut events, 2).await;

    assert_eq!(last.as_deref(), Some("price 1"));
    handle.close(CloseFrame::NORMAL).unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_chat_sends_what_was_typed_before_and_between_connections() {
    let (listener, url) = listen().await;
    let (mut keyboard, typed) = tokio::io::duplex(64);
    keyboard.write_all(b"hello\n").await.unwrap();
    let server = tokio::spawn(async move {
        let mut socket = accept(&listener).await;
        assert_eq!(text(&mut socket).await.as_deref(), Some("hello"));
        drop(socket);
        // The client is back at the door, and has no connection yet.
        let (tcp, _) = listener.accept().await.unwrap();
        keyboard.write_all(b"how are you\n").await.unwrap();
        keyboard.shutdown().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(tcp).await.unwrap();
        assert_eq!(text(&mut socket).await.as_deref(), Some("how are you"));
        while text(&mut socket).await.is_some() {}
    });

    let chat =
        tokio::time::timeout(Duration::from_secs(60), chat::run(&url, BufReader::new(typed)));

    chat.await.expect("it ends").unwrap();
    server.await.unwrap();
}
