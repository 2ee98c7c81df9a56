//! Waiting for space: first come, first served.

use std::pin::pin;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, Peer, calm, pair, settle, within};
use gateway_tokio::core::{CloseFrame, SendRejection};
use gateway_tokio::{Events, Handle};
use tokio::io::DuplexStream;

use super::{fill, send};

/// A spawned client whose write buffer is full, its peer, and how many messages the peer is to read.
async fn full() -> (Handle, Events, Peer<DuplexStream>, usize) {
    let (mut client, _sockets, peer) = pair(calm(), 4_096).await;
    let filled = fill(&mut client);
    let (handle, events) = client.spawn();
    settle().await;
    (handle, events, peer, filled)
}

/// Reads what filled the buffer, and then so many texts.
async fn read(peer: &mut Peer<DuplexStream>, filled: usize, texts: usize) -> Vec<String> {
    for _ in 0..filled {
        peer.frame().await;
    }
    let mut read = Vec::new();
    for _ in 0..texts {
        read.push(within(peer.frame()).await.as_text().to_owned());
    }
    read
}

#[tokio::test(start_paused = true)]
async fn sends_that_wait_are_served_in_the_order_in_which_they_came() {
    let (handle, _events, mut peer, filled) = full().await;
    let mut sends = Vec::new();
    for number in 0..50 {
        sends.push(send(&handle, number.to_string()).await);
    }

    let texts = read(&mut peer, filled, 50).await;

    let expected: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(texts, expected);
    let mut ids = Vec::new();
    for sent in sends {
        ids.push(sent.await.unwrap().unwrap());
    }
    assert!(ids.is_sorted_by(|one, next| one + 1 == *next), "{ids:?}");
}

/// The buffer has space, and the first in the queue was woken but has not run yet.
#[tokio::test(start_paused = true)]
async fn no_send_passes_one_that_waits() {
    let (handle, _events, mut peer, filled) = full().await;
    let mut first = pin!(handle.send("first"));
    assert!(first.as_mut().now_or_never().is_none());
    read(&mut peer, filled, 0).await;
    settle().await; // all is written

    let refused = handle.try_send("passes").unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::WriteBlocked);
    let mut second = pin!(handle.send("second"));
    assert!(second.as_mut().now_or_never().is_none());
    within(first).await.unwrap();
    within(second).await.unwrap();
    handle.try_send("third").unwrap();

    assert_eq!(read(&mut peer, 0, 3).await, ["first", "second", "third"]);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_while_it_waits_is_not_taken_and_holds_up_nobody() {
    for dropped in 0..3 {
        let (handle, _events, mut peer, filled) = full().await;
        let mut sends = Vec::new();
        for number in 0..3 {
            sends.push(send(&handle, number.to_string()).await);
        }
        sends.remove(dropped).abort();

        let expected: Vec<_> =
            (0..3).filter(|other| *other != dropped).map(|number| number.to_string()).collect();
        assert_eq!(read(&mut peer, filled, 2).await, expected);
        handle.try_send("the last").unwrap();
        assert_eq!(read(&mut peer, 0, 1).await, ["the last"]);
    }
}

/// It was woken for its turn, and is dropped before it takes it.
#[tokio::test(start_paused = true)]
async fn a_turn_that_is_not_taken_passes_to_the_next() {
    let (handle, _events, mut peer, filled) = full().await;
    let mut first = Box::pin(handle.send("first"));
    assert!(first.as_mut().now_or_never().is_none());
    let second = send(&handle, "second").await;
    read(&mut peer, filled, 0).await;
    settle().await;
    assert!(!second.is_finished(), "the turn is the first one's");

    drop(first);

    within(second).await.unwrap().unwrap();
    assert_eq!(read(&mut peer, 0, 1).await, ["second"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_socket_ends_every_wait_with_not_ready() {
    let (handle, mut events, peer, _) = full().await;
    let mut sends = Vec::new();
    for number in 0..5 {
        sends.push(send(&handle, number.to_string()).await);
    }

    drop(peer);

    for sent in sends {
        let refused = within(sent).await.unwrap().unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::NotReady);
    }
    assert!(within(events.next()).await.is_some());
}

/// It waited on a socket that was lost, and is polled when the next one is ready.
#[tokio::test(start_paused = true)]
async fn a_message_goes_to_no_other_socket_than_the_one_that_it_waited_for() {
    let (mut client, mut sockets, peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let (handle, mut events) = client.spawn();
    let mut late = pin!(handle.send("late"));
    assert!(late.as_mut().now_or_never().is_none());

    drop(peer);
    let (mut peer, ()) = tokio::join!(sockets.peer(), async {
        while handle.is_ready() {
            events.next().await;
        }
    });
    within(handle.ready()).await.unwrap();

    assert_eq!(within(late).await.unwrap_err().rejection(), SendRejection::NotReady);
    handle.send("on time").await.unwrap();
    assert_eq!(within(peer.frame()).await, Frame::text("on time"));
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_every_wait_with_closed() {
    let (handle, _events, _peer, _) = full().await;
    let waiting = send(&handle, "waits").await;
    let mut reserving = pin!(handle.reserve(1));
    assert!(reserving.as_mut().now_or_never().is_none());

    handle.close(CloseFrame::NORMAL).unwrap();

    let refused = within(waiting).await.unwrap().unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::Closed);
    let refused = within(reserving).await.unwrap_err();
    assert_eq!(refused.kind(), gateway_tokio::HandleErrorKind::Closed);
}
