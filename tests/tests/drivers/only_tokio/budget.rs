//! A task whose cooperative budget is spent finds each of tokio's sockets and timers pending. The
//! client does not treat that as silence of the peer, and is not late because of it.

use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, Peer, Sockets, calm, disconnected, elapse, pair, settle};
use gateway_tokio::core::{HeartbeatKind, Notice};
use gateway_tokio::{Client, ClientEvent};
use tokio::io::DuplexStream;
use tokio::task::{coop, yield_now};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client that has just taken the news of a ping, with nothing else to take, and its peer, which has that ping before it.
async fn pinging() -> (Client, Sockets, Peer<DuplexStream>) {
    let config = calm()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(INTERVAL)
        .heartbeat_timeout(TIMEOUT);
    let (mut client, sockets, mut peer) = pair(config, 1 << 16).await;
    while !matches!(client.next().await, Some(ClientEvent::Notice(Notice::PingSent { .. }))) {}
    let _ = client.flush().await; // which arms no timer for its judgement
    assert!(peer.frame().await.is_heartbeat());
    (client, sockets, peer)
}

/// Returns how much of it was left.
fn spend_budget() -> usize {
    let mut spent = 0;
    while coop::has_budget_remaining() {
        let _ = coop::consume_budget().now_or_never();
        spent += 1;
    }
    spent
}

/// Gives the task a new budget, and spends all but `left` of it.
async fn leave_budget(left: usize) {
    yield_now().await;
    let whole = spend_budget();
    yield_now().await;
    for _ in left..whole {
        let _ = coop::consume_budget().now_or_never();
    }
}

/// Takes all that there is without letting the task go.
fn take_all(client: &mut Client) -> Vec<ClientEvent> {
    std::iter::from_fn(|| client.next().now_or_never().flatten()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_pong_is_there_is_not_dead_because_a_budget_is_spent() {
    let (mut client, _sockets, mut peer) = pinging().await;
    peer.send(Frame::text(r#"{"type":"pong"}"#)).await;
    elapse(2 * TIMEOUT).await; // the client is not polled meanwhile

    spend_budget();
    let mut events = take_all(&mut client);
    settle().await;
    events.extend(take_all(&mut client));

    assert_eq!(disconnected(&events), []);
    assert!(client.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_dead_on_time_though_a_budget_is_spent() {
    let (mut client, _sockets, _peer) = pinging().await;
    elapse(2 * TIMEOUT).await;

    spend_budget();
    let events = take_all(&mut client);

    assert_eq!(disconnected(&events).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ping_leaves_within_eight_events_though_a_budget_is_spent() {
    let (mut client, sockets, mut peer) = pinging().await;
    peer.write(Frame::text("x").bytes().repeat(100)).await;
    assert!(matches!(client.next().await, Some(ClientEvent::Message(_))));
    elapse(INTERVAL).await;
    sockets.calls.take();

    spend_budget();
    for _ in 0..8 {
        assert!(client.next().now_or_never().flatten().is_some());
    }

    let [_, writes, _] = sockets.calls.take();
    assert_eq!(writes, 1);
    assert!(peer.frame().await.is_heartbeat());
}

/// Each read brings one message, and each message takes the application long: the clock is not read between two events, but with
/// each read.
#[tokio::test(start_paused = true)]
async fn a_ping_leaves_on_time_where_each_read_brings_one_message() {
    let (mut client, sockets, mut peer) = pinging().await;
    peer.send(Frame::text("the first")).await;
    assert!(matches!(client.next().await, Some(ClientEvent::Message(_))));
    elapse(INTERVAL).await;
    sockets.calls.take();

    peer.send(Frame::text("one more")).await;
    assert!(matches!(client.next().await, Some(ClientEvent::Message(_))));

    let [_, writes, _] = sockets.calls.take();
    assert_eq!(writes, 1);
}

/// A client takes the peer's Close with one read, and drops the socket behind the answer to it, which is its
/// last write.
#[tokio::test(start_paused = true)]
async fn the_last_close_is_written_though_the_budget_ends_with_the_read_before_it() {
    for left in 1..=8 {
        let (mut client, _sockets, mut peer) = pinging().await;
        peer.send(Frame::close(1000, "")).await;

        leave_budget(left).await;
        take_all(&mut client);
        settle().await;
        take_all(&mut client);

        assert_eq!(peer.next().await, Some(Frame::close(1000, "")), "with {left} left");
    }
}
