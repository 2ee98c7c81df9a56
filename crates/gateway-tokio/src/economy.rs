//! The overhead of a message: no timer, and one read of the clock for each read and for every
//! eighth event.

use futures_util::FutureExt as _;
use gateway_core::{Config, HeartbeatKind, Notice};
use gateway_wire::{ClientEvent, Endpoint};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tungstenite::handshake::derive_accept_key;

use crate::clock::counts::{READS, RESETS};
use crate::{Client, Dial, Dialing, Transport};

/// Messages in one batch. They fit into one read.
const BATCH: usize = 200;

/// Returns the client's end of a stream in memory, once.
struct InMemory(std::sync::Mutex<Option<DuplexStream>>);

impl Dial for InMemory {
    fn dial(&self, _: &Endpoint) -> Dialing {
        let stream = self.0.lock().unwrap().take().expect("one attempt is made");
        Box::pin(async move { Ok(Box::new(stream) as Box<dyn Transport>) })
    }
}

async fn ready_client() -> (Client, DuplexStream) {
    let (near, mut far) = duplex(1 << 20);
    let config = Config::builder().heartbeat(HeartbeatKind::Json).build().unwrap();
    let builder = Client::builder("ws://memory/").config(config).seed(7);
    let mut client = builder.dial(InMemory(Some(near).into())).build().unwrap();
    let server = async {
        let mut request = vec![0; 4 << 10];
        let read = far.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        let key =
            request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        far.write_all(answer.as_bytes()).await.unwrap();
        far
    };
    let ready = async {
        while !matches!(client.next().await, Some(ClientEvent::Notice(Notice::Ready { .. }))) {}
        client
    };
    let (mut client, far) = tokio::join!(ready, server);
    assert!(client.next().now_or_never().is_none(), "it has nothing to do but to wait");
    (client, far)
}

#[tokio::test]
async fn a_batch_of_messages_costs_a_look_at_the_clock_for_every_eighth_and_no_timer() {
    let (mut client, mut server) = ready_client().await;
    let batch = [0x81, 0x05, b'h', b'e', b'l', b'l', b'o'].repeat(BATCH);
    server.write_all(&batch).await.unwrap();
    let (reads, resets) = (READS.get(), RESETS.get());

    for _ in 0..BATCH {
        assert!(matches!(client.next().await, Some(ClientEvent::Message(_))));
    }
    let looks = READS.get() - reads;
    for _ in 0..BATCH {
        client.send("answer").await.unwrap();
    }

    // One for every eighth event, so that a heartbeat is on time if the application is slow, and
    // one for the read.
    let expected = BATCH as u64 / 8;
    assert!((expected..=expected + 1).contains(&looks), "{looks} looks at the clock");
    // A send needs none itself. Once in 128 writes tokio has the task yield, and there the send
    // waits for the transport.
    let sends = READS.get() - reads - looks;
    // The client reads the clock for each such wait, because it measures how long the transport has
    // taken no byte.
    assert!(sends <= 6, "{sends} looks at the clock for {BATCH} sends");
    // The one timer is the heartbeat's: it is armed when the client first has nothing else to do.
    assert!(RESETS.get() - resets <= 1, "{} timers set", RESETS.get() - resets);
}
