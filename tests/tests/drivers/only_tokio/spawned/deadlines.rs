//! Deadlines of a client whose users never pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, pair, settle};
use gateway_tokio::core::{Config, DisconnectCause, HeartbeatKind};
use gateway_tokio::{ClientEvent, Handle};
use tokio::task::yield_now;
use tokio::time::advance;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends before each turn of the client's task, so that it always has bytes to write: the future of
/// `block_on` is polled before all tasks. Returns how many messages were accepted.
async fn send_without_a_pause(handle: &Handle) -> usize {
    let mut accepted = 0;
    for _ in 0..100 {
        accepted += usize::from(handle.try_send("x").is_ok());
        yield_now().await;
    }
    accepted
}

/// A message waits unread, and the peer reads all that comes. It answers no ping.
#[tokio::test(start_paused = true)]
async fn a_ping_and_its_timeout_are_on_time_though_a_message_is_unread_and_others_never_stop_sending()
 {
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(INTERVAL)
        .heartbeat_timeout(TIMEOUT);
    let (client, _sockets, mut peer) = pair(config, 1 << 16).await;
    let (handle, mut events) = client.spawn();
    peer.send(Frame::text("a greeting that waits")).await;
    settle().await;
    let pings = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&pings);
    tokio::spawn(async move {
        while let Some(frame) = peer.next().await {
            counted.fetch_add(usize::from(frame.is_heartbeat()), Ordering::SeqCst);
        }
    });
    assert_eq!(send_without_a_pause(&handle).await, 100);

    handle.try_send("x").unwrap();
    advance(INTERVAL).await;
    assert_eq!(send_without_a_pause(&handle).await, 100);
    assert_eq!(pings.load(Ordering::SeqCst), 1);

    handle.try_send("x").unwrap();
    advance(TIMEOUT).await;
    assert!(send_without_a_pause(&handle).await < 100, "the socket is lost");
    let mut events = std::iter::from_fn(|| events.next().now_or_never().flatten());
    let cause = events.find_map(|event| match event {
        ClientEvent::Disconnected { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(cause, Some(DisconnectCause::PongTimeout));
}
