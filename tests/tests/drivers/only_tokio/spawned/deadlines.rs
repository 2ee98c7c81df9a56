//! Deadlines of a client whose users never pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, pair, settle};
use gateway_tokio::ClientEvent;
use gateway_tokio::core::{Config, DisconnectCause, HeartbeatKind};
use tokio::task::yield_now;
use tokio::time::advance;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Others have so many turns before something that is due must have happened.
const TURNS: usize = 1_000;

/// A message waits unread, a task sends without a pause, and the peer reads it all. It answers no
/// ping.
#[tokio::test(start_paused = true)]
async fn a_ping_and_its_timeout_are_on_time_though_a_message_is_unread_and_a_task_never_stops_sending()
 {
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(INTERVAL)
        .heartbeat_timeout(TIMEOUT);
    let (client, _sockets, mut peer) = pair(config, 1 << 16).await;
    let (handle, mut events) = client.spawn();
    peer.send(Frame::text("a greeting that waits")).await;
    settle().await;
    let (pings, frames) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counted = (Arc::clone(&pings), Arc::clone(&frames));
    tokio::spawn(async move {
        while let Some(frame) = peer.next().await {
            let count = if frame.is_heartbeat() { &counted.0 } else { &counted.1 };
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let sender = tokio::spawn(async move { while handle.send("x").await.is_ok() {} });
    settle().await;
    assert!(frames.load(Ordering::SeqCst) > 10, "the sender is not busy");

    advance(INTERVAL).await;
    for _ in 0..TURNS {
        yield_now().await;
    }
    assert_eq!(pings.load(Ordering::SeqCst), 1);

    // What was sent before the ping may still be under way, which extends its timeout.
    for _ in 0..12 {
        advance(TIMEOUT).await;
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
    assert!(sender.is_finished(), "the socket is lost");
    let mut events = std::iter::from_fn(|| events.next().now_or_never().flatten());
    let cause = events.find_map(|event| match event {
        ClientEvent::Disconnected { cause, .. } => Some(cause),
        _ => None,
    });
    assert_eq!(cause, Some(DisconnectCause::PongTimeout));
}
