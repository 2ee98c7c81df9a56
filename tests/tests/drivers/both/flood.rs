//! A peer floods while it reads. A plain loop that answers every message loses none, on real
//! sockets.

use gateway_tests::{Driver, Frame, Listener, Peer, calm, client, serve, settle};
use gateway_tokio::ClientEvent;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

gateway_tests::on_both_drivers! { a_plain_loop_has_no_message_refused }

const MESSAGES: usize = 60_000;

/// One answer on the wire: a head of four bytes, a key of four, and the text.
const ANSWER: usize = 8 + 200;

fn text() -> String {
    "x".repeat(200)
}

/// So many bytes the peer is behind with its reading: more than the kernel's buffers and the client's hold, which fill up.
const BEHIND: usize = 8 << 20;

/// Sends all messages, and reads all the while, though late; how many bytes of answers came.
async fn flood(listener: Listener) -> usize {
    let stream = listener.tcp().await;
    socket2::SockRef::from(&stream).set_recv_buffer_size(512 << 10).unwrap();
    let (mut read, mut write) = Peer::accept(stream).await.into_stream().into_split();
    let messages = Frame::text(text()).bytes().repeat(MESSAGES);
    let (mut written, mut bytes, mut buffer) = (0, 0, vec![0; 16 << 10]);
    let mut is_patient = true;
    while bytes < MESSAGES * ANSWER {
        let is_due = written == messages.len() || written > bytes + BEHIND || !is_patient;
        tokio::select! {
            biased;
            count = write.write(&messages[written..]), if written < messages.len() => {
                written += count.unwrap();
                is_patient = true;
            }
            count = read.read(&mut buffer), if is_due => match count.unwrap() {
                0 => break,
                count => bytes += count,
            },
            // Neither side waits for the other without end.
            () = settle(), if !is_due => is_patient = false,
        }
    }
    bytes
}

fn a_plain_loop_has_no_message_refused(driver: Driver) {
    let server = serve(flood);
    let mut client = client!(driver, &server.url, calm());
    for _ in 0..MESSAGES {
        let message = client.message();
        client.send(message).unwrap();
    }
    client.flush().unwrap();

    assert_eq!(server.join(), MESSAGES * ANSWER);
}

#[test]
fn a_plain_loop_on_a_spawned_client_has_no_message_refused() {
    let server = serve(flood);
    let url = server.url.clone();
    // A round trip between two tasks for each message: on a busy machine that takes longer than `within` waits.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async {
        let (handle, mut events) = client(url, calm()).build().unwrap().spawn();
        let mut answered = 0;
        while answered < MESSAGES {
            if let Some(ClientEvent::Message(message)) = events.next().await {
                handle.send(message).await.unwrap();
                answered += 1;
            }
        }
        // The task writes the last of them.
        while !matches!(events.next().await, Some(ClientEvent::Disconnected { .. })) {}
    });

    assert_eq!(server.join(), MESSAGES * ANSWER);
}
