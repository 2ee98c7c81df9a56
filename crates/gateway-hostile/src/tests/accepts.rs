//! A bounded rate of accepts. The slots are long, so that clients come and leave within one of them.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{accepting::AcceptLimit, control::Tally};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn limit(per_second: u32, queue: usize) -> AcceptLimit {
    AcceptLimit::new(per_second).and_then(|limit| limit.queue(queue)).expect("in its limits")
}

fn start_limited(limit: AcceptLimit) -> Running {
    start(Options { accepts: Some(limit), ..Options::default() })
}

impl Running {
    /// A client that has sent its request, and whose connection the server has accepted or reset.
    async fn ask(&self, number: u64) -> TcpStream {
        let mut client = self.dial().await.expect("the kernel accepts");
        soon(client.write_all(REQUEST)).await.expect("the kernel buffers");
        while self.control.tally().connections < number {
            tokio::task::yield_now().await;
        }
        client
    }
}

/// The first bytes of an answer, or how the connection ended.
async fn answer(client: &mut TcpStream) -> String {
    let mut bytes = [0; 12];
    match soon(client.read_exact(&mut bytes)).await {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => error.kind().to_string(),
    }
}

#[tokio::test]
async fn what_finds_the_queue_full_is_reset_at_once() {
    let server = start_limited(limit(1, 2));
    let mut clients = Vec::new();
    for number in 1..=4 {
        clients.push(server.ask(number).await);
    }

    assert_eq!(answer(&mut clients[3]).await, "connection reset");

    let tally = server.control.tally();
    assert_eq!(tally, Tally { connections: 4, refused: 1, ..Tally::default() });
}

#[tokio::test]
async fn connections_are_answered_in_their_order() {
    let server = start_limited(limit(10, 10));
    let first = server.ask(1).await;
    let second = server.ask(2).await;
    let mut third = server.ask(3).await;

    assert_eq!(answer(&mut third).await, "HTTP/1.1 101");

    // The others have their answers already.
    assert!(first.try_read(&mut [0; 512]).is_ok());
    assert!(second.try_read(&mut [0; 512]).is_ok());
}

#[tokio::test]
async fn a_client_that_has_left_keeps_its_place_and_costs_its_slot() {
    let server = start_limited(limit(4, 2));
    let _first = server.ask(1).await;
    drop(server.ask(2).await);
    let mut third = server.ask(3).await;
    let mut fourth = server.ask(4).await;
    assert_eq!(answer(&mut fourth).await, "connection reset", "the place of the second is taken");

    assert_eq!(answer(&mut third).await, "HTTP/1.1 101");

    assert_eq!(server.control.tally().abandoned, 1);
}

#[tokio::test]
async fn an_order_reaches_connections_that_wait_and_frees_their_places() {
    let server = start_limited(limit(1, 1));
    let mut first = server.ask(1).await;
    let mut second = server.ask(2).await;

    server.control.drop_all();

    assert_eq!(answer(&mut first).await, "connection reset");
    assert_eq!(answer(&mut second).await, "connection reset");
    let mut third = server.ask(3).await;
    assert_eq!(answer(&mut third).await, "HTTP/1.1 101");
    assert_eq!(server.control.tally().refused, 0);
}

#[tokio::test]
async fn a_limit_begins_and_ends_while_the_server_runs() {
    let server = start(Options::default());
    let mut client = server.ask(1).await;
    assert_eq!(answer(&mut client).await, "HTTP/1.1 101");

    server.control.limit_accepts(Some(limit(1, 1)));
    let mut clients = [server.ask(2).await, server.ask(3).await, server.ask(4).await];
    assert_eq!(answer(&mut clients[2]).await, "connection reset");

    server.control.limit_accepts(None);
    let mut client = server.ask(5).await;
    assert_eq!(answer(&mut client).await, "HTTP/1.1 101");
    assert_eq!(server.control.tally().upgrades, 2, "the others still wait");
}
