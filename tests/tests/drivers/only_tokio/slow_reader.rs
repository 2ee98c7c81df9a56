//! A slow peer and a large send buffer: the socket accepts bytes long before tokio reports it as
//! writable.
#![cfg(target_os = "linux")]

use std::io::Read as _;
use std::net::TcpStream as BlockingStream;
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_tests::{Listener, calm, client, disconnected, elapse, until_ready, while_polling};
use gateway_tokio::core::{ConfigBuilder, HeartbeatKind, Notice};
use gateway_tokio::{
    Client, ClientEvent, Dial, Dialing, Endpoint, OpenFailure, OpenStep, Transport,
};
use socket2::SockRef;
use tokio::net::TcpSocket;

/// The client's send buffer. Linux makes it twice as large, and reports the socket as writable once a third
/// of that is free.
const SEND_BUFFER: u32 = 1 << 20;

/// More than the buffers of both sides hold.
const MESSAGE: usize = 4 << 20;

/// The server's receive buffer.
const RECEIVE_BUFFER: usize = 64 << 10;

/// What the peer reads at once. Before a judgement is due it reads less than a third of the send buffer, and
/// more than the receive buffers hold: the socket then has space.
const SIP: usize = 32 << 10;

/// A guard only: how long a read may take whose bytes are on their way.
const GUARD: Duration = Duration::from_secs(20);

struct LargeBuffer;

impl Dial for LargeBuffer {
    fn dial(&self, endpoint: &Endpoint) -> Dialing {
        let port = endpoint.port();
        Box::pin(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_send_buffer_size(SEND_BUFFER).unwrap();
            match socket.connect(([127, 0, 0, 1], port).into()).await {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Transport>),
                Err(error) => Err(OpenFailure::classify(OpenStep::Connect, &error)),
            }
        })
    }
}

/// A client whose socket and write buffer are full, and its peer. The clock is paused.
async fn filled(config: ConfigBuilder) -> (Client, BlockingStream) {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), config).dial(LargeBuffer).build().unwrap();
    let (peer, _) = while_polling(&mut client, listener.peer()).await;
    until_ready(&mut client).await;
    SockRef::from(&peer.stream).set_recv_buffer_size(RECEIVE_BUFFER).unwrap();
    let peer = peer.stream.into_std().unwrap();
    peer.set_nonblocking(false).unwrap();
    peer.set_read_timeout(Some(GUARD)).unwrap();
    client.try_send(vec![7; MESSAGE]).unwrap();
    assert!(client.flush().now_or_never().is_none(), "the socket takes only a part");
    tokio::time::pause();
    (client, peer)
}

fn sip(peer: &mut BlockingStream) {
    peer.read_exact(&mut [0; SIP]).unwrap();
}

#[tokio::test]
async fn a_send_waits_while_the_socket_takes_bytes_that_tokio_does_not_report() {
    let (mut client, mut peer) = filled(calm()).await;

    let mut send = Box::pin(client.send("waits"));
    for second in 0..15 {
        assert!((&mut send).now_or_never().is_none(), "after {second} s");
        sip(&mut peer);
        elapse(Duration::from_secs(1)).await;
    }
    assert!((&mut send).now_or_never().is_none());
    let reader = std::thread::spawn(move || while peer.read(&mut [0; SIP]).is_ok_and(|n| n > 0) {});
    tokio::time::resume();
    send.await.unwrap();

    drop(client);
    reader.join().unwrap();
}

#[tokio::test]
async fn a_peer_is_not_dead_while_the_socket_takes_bytes_that_tokio_does_not_report() {
    let interval = Duration::from_secs(30);
    let config = calm().heartbeat(HeartbeatKind::Ping).heartbeat_interval(interval);
    let timeout = Duration::from_secs(5);
    let (mut client, mut peer) = filled(config.heartbeat_timeout(timeout)).await;

    // The ping is queued after 30 s, and would be judged 35 s after the last byte that moved.
    let mut events = Vec::new();
    for _ in 0..20 {
        while let Some(event) = client.next().now_or_never().flatten() {
            events.push(event);
        }
        assert_eq!(disconnected(&events), []);
        sip(&mut peer);
        elapse(Duration::from_secs(3)).await;
    }

    let is_ping =
        |event: &ClientEvent| matches!(event, ClientEvent::Notice(Notice::PingSent { .. }));
    assert!(events.iter().any(is_ping), "{events:?}");
    assert!(client.is_ready());
}
