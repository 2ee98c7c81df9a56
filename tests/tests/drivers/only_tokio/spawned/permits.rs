//! Permits: space that is reserved before there is a message.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, Sockets, calm, pair_with, settle, within};
use gateway_tokio::core::SendRejection;
use gateway_tokio::{Client, Limits, Message};
use tokio::io::DuplexStream;

use super::{close, send, waits};

type Peer = gateway_tests::Peer<DuplexStream>;

/// A client whose write buffer holds 1,000 bytes.
async fn small() -> (Client, Sockets, Peer) {
    let mut limits = Limits::default();
    limits.high_water = 1_000;
    pair_with(calm(), 64, |builder| builder.limits(limits)).await
}

#[tokio::test(start_paused = true)]
async fn a_permits_message_gets_its_number_when_it_is_sent() {
    let (client, _sockets, mut peer) = small().await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(100).await.unwrap();

    let first = handle.send("first").await.unwrap();
    let second = permit.send("second").unwrap();
    let third = handle.send("third").await.unwrap();

    assert!(first.id() < second.id() && second.id() < third.id());
    for text in ["first", "second", "third"] {
        assert_eq!(within(peer.frame()).await, Frame::text(text));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_is_taken_from_the_others_until_it_is_used_or_given_up() {
    for is_used in [true, false] {
        let (client, _sockets, mut peer) = small().await;
        let (handle, _events) = client.spawn();
        // Space is given while there is some: the last permit passes the mark.
        let first = handle.reserve(600).await.unwrap();
        let second = handle.reserve(600).await.unwrap();
        assert!(waits(handle.reserve(1)));
        assert!(waits(handle.send("waits")));
        let refused = handle.try_send("at once").unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::WriteBlocked);
        let sent = send(&handle, "waits").await;
        assert!(!sent.is_finished());

        match is_used {
            true => drop(first.send("x").unwrap()),
            false => drop(first),
        }

        within(sent).await.unwrap().unwrap();
        if is_used {
            assert_eq!(within(peer.frame()).await, Frame::text("x"));
        }
        assert_eq!(within(peer.frame()).await, Frame::text("waits"));
        drop(second);
    }
}

#[tokio::test(start_paused = true)]
async fn a_permits_message_is_taken_though_the_buffer_is_full() {
    let (client, _sockets, mut peer) = small().await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(500).await.unwrap();
    handle.try_send("y".repeat(2_000)).unwrap(); // the last that finds space
    assert!(waits(handle.send("waits")));

    permit.send("z".repeat(500)).unwrap();

    let refused = handle.try_send("still full").unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::WriteBlocked);
    assert_eq!(within(peer.frame()).await.as_text().len(), 2_000);
    assert_eq!(within(peer.frame()).await.as_text().len(), 500);
    within(handle.send("space again")).await.unwrap();
    assert_eq!(within(peer.frame()).await, Frame::text("space again"));
}

#[tokio::test(start_paused = true)]
async fn a_permit_survives_a_reconnect_and_needs_no_connection() {
    let (client, mut sockets, peer) = small().await;
    let (handle, mut events) = client.spawn();
    let before = handle.reserve(100).await.unwrap();
    drop(peer);
    let during = async {
        while handle.is_ready() {
            events.next().await;
        }
        handle.reserve(100).await.unwrap()
    };
    let during = within(during).await;
    let early = handle.reserve(100).await.unwrap().send("too early").unwrap_err();
    assert_eq!(early.rejection(), SendRejection::NotReady);

    let mut peer = sockets.peer().await;
    within(handle.ready()).await.unwrap();
    before.send("from before").unwrap();
    during.send("from in between").unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("from before"));
    assert_eq!(within(peer.frame()).await, Frame::text("from in between"));
}

/// A message that cannot be made.
struct Broken;

impl From<Broken> for Message {
    fn from(_: Broken) -> Self {
        panic!("no message");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_whose_message_panics_gives_its_space_back() {
    let (client, _sockets, mut peer) = small().await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(2_000).await.unwrap();
    assert!(waits(handle.send("waits")));

    assert!(catch_unwind(AssertUnwindSafe(|| permit.send(Broken))).is_err());

    within(handle.send("space again")).await.unwrap();
    assert_eq!(within(peer.frame()).await, Frame::text("space again"));
}

/// Only permits fill the buffer: there is nothing to write, and no deadline.
#[tokio::test]
async fn a_driver_rests_while_a_message_waits_for_a_permit() {
    let (client, sockets, _peer) = small().await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(2_000).await.unwrap();
    let sent = send(&handle, "waits").await;
    sockets.calls.take_looks();

    settle().await;

    assert!(!sent.is_finished());
    assert_eq!(sockets.calls.take_looks(), 0);
    drop(permit);
    within(sent).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_longer_than_its_permit_comes_back() {
    let (client, _sockets, _peer) = small().await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(3).await.unwrap();
    assert_eq!(permit.bytes(), 3);

    let refused = permit.send("four").unwrap_err();

    assert_eq!(refused.rejection(), SendRejection::LongerThanReserved);
    assert_eq!(refused.into_message(), Message::text("four"));
    handle.reserve(4).await.unwrap().send("four").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_while_it_waits_reserves_nothing() {
    let (client, _sockets, _peer) = small().await;
    let (handle, _events) = client.spawn();
    let all = handle.reserve(2_000).await.unwrap();
    let mut waiting = Box::pin(handle.reserve(2_000));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(all);
    settle().await; // it is its turn
    drop(waiting);

    handle.try_send("there is space").unwrap();
    let mut next = pin!(handle.reserve(2_000));
    assert!(next.as_mut().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_permit_keeps_the_task_and_none_is_given_once_it_is_closed() {
    let (client, _sockets, mut peer) = small().await;
    let (handle, events) = client.spawn();
    let permit = handle.reserve(10).await.unwrap();
    drop(events);
    let handle = {
        let other = handle.clone();
        drop(handle);
        other
    };
    drop(handle);
    settle().await;
    permit.send("still here").unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("still here"));
    assert_eq!(within(peer.frame()).await, Frame::close(1000, ""));

    let (client, _sockets, _peer) = small().await;
    let (handle, _events) = client.spawn();
    close(&handle).await;
    let refused = handle.reserve(1).await.unwrap_err();
    assert_eq!(refused.kind(), gateway_tokio::HandleErrorKind::Closed);
}
