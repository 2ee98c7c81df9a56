//! The task is gone with its runtime, or because the application's code has panicked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use gateway_tests::{calm, memory, pair, settle, within};
use gateway_tokio::core::{
    CloseFrame, ConnectionState, Dialect, Event, Observed, Observer, SendRejection,
};
use gateway_tokio::{Client, EndKind, Events, Handle, HandleErrorKind, Message, Permit};
use tokio::runtime::{Builder, Runtime};

use super::fill;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Every call says that the client is gone.
fn is_gone(handle: &Handle, events: &mut Events) {
    let now = |handle: &Handle| handle.send("late").now_or_never();
    assert_eq!(now(handle).unwrap().unwrap_err().rejection(), SendRejection::Gone);
    assert_eq!(handle.try_send("late").unwrap_err().rejection(), SendRejection::Gone);
    let kinds = [
        handle.reserve(1).now_or_never().unwrap().map(drop),
        handle.statistics().map(drop),
        handle.gave_up().map(drop),
        handle.subprotocol().map(drop),
        handle.connect(),
        handle.reconnect(),
        handle.close(CloseFrame::NORMAL),
    ];
    for kind in kinds {
        assert_eq!(kind.unwrap_err().kind(), HandleErrorKind::Gone);
    }
    assert_eq!(handle.ready().now_or_never().unwrap().unwrap_err().kind(), EndKind::Gone);
    assert_eq!(handle.closed().now_or_never().unwrap().kind(), EndKind::Gone);
    assert_eq!(handle.states().changed().now_or_never(), Some(None));
    assert_eq!(events.next().now_or_never(), Some(None));
    assert_eq!(handle.state(), ConnectionState::Closed);
    assert!(!handle.is_ready());
}

#[test]
fn all_who_wait_are_told_when_the_runtime_is_gone() {
    let runtime_of_the_client = runtime();
    let (handle, mut events, permit, peer) = runtime_of_the_client.block_on(async {
        let (mut client, _sockets, peer) = pair(calm(), 4_096).await;
        let (quiet, _, quiet_peer) = pair(calm(), 4_096).await;
        let (other, _other_events) = quiet.spawn();
        let permit: Permit = other.reserve(1).await.unwrap();
        fill(&mut client);
        let (handle, mut events) = client.spawn();
        settle().await;
        while events.next().now_or_never().is_some() {}
        (handle, events, permit, (peer, quiet_peer, other, _other_events))
    });
    let (all, first) = (runtime(), handle.clone());
    let mut states = handle.states();

    all.block_on(within(async {
        assert!(states.changed().await.is_some(), "the state now");
        let waiting = futures_util::future::join5(
            first.send("waits"),
            first.reserve(1),
            first.closed(),
            states.changed(),
            events.next(),
        );
        let mut waiting = std::pin::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        std::thread::spawn(move || drop(runtime_of_the_client));
        let (sent, reserved, end, state, event) = waiting.await;
        let refused = sent.unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::Gone);
        assert_eq!(refused.into_message(), Message::text("waits"));
        assert_eq!(reserved.unwrap_err().kind(), HandleErrorKind::Gone);
        assert_eq!((end.kind(), state, event), (EndKind::Gone, None, None));
    }));

    is_gone(&handle, &mut events);
    assert_eq!(permit.send("x").unwrap_err().rejection(), SendRejection::Gone);
    drop(peer);
}

#[test]
fn one_who_waits_until_it_is_ready_is_told_too() {
    let runtime_of_the_client = runtime();
    let (handle, _events) = runtime_of_the_client.block_on(async {
        let (dial, _sockets) = memory(64);
        Client::builder("ws://gateway.example").dial(dial).build().unwrap().spawn()
    });

    runtime().block_on(within(async {
        let mut ready = std::pin::pin!(handle.ready());
        assert!(ready.as_mut().now_or_never().is_none());
        std::thread::spawn(move || drop(runtime_of_the_client));
        assert_eq!(ready.await.unwrap_err().kind(), EndKind::Gone);
    }));
}

/// Panics at the event that it is told.
#[derive(Clone, Default)]
struct Fragile {
    at_send: bool,
    is_broken: Arc<AtomicBool>,
}

impl Observer for Fragile {
    fn observe(&mut self, observed: &Observed<'_>, _: &dyn Dialect) {
        let is_due = match observed.event {
            Event::SendRequested(_) => self.at_send,
            Event::FrameReceived(..) => !self.at_send,
            _ => false,
        };
        if is_due && !self.is_broken.swap(true, Ordering::SeqCst) {
            panic!("this observer is made to panic");
        }
    }
}

#[tokio::test]
async fn a_panic_under_the_lock_ends_the_client_and_tells_all_who_wait() {
    for at_send in [true, false] {
        let fragile = Fragile { at_send, ..Fragile::default() };
        let (dial, mut sockets) = memory(4_096);
        let builder = gateway_tests::client("ws://gateway.example", calm());
        let client = builder.dial(dial).observer(fragile).build().unwrap();
        let (handle, mut events) = client.spawn();
        let mut peer = sockets.peer().await;
        within(handle.ready()).await.unwrap();
        let waiting = handle.clone();
        let waiting = tokio::spawn(async move { waiting.closed().await });
        settle().await;
        while events.next().now_or_never().is_some() {}

        if at_send {
            let panics = handle.clone();
            let panicked = tokio::spawn(async move { panics.send("x").await.is_ok() }).await;
            assert!(panicked.unwrap_err().is_panic());
        } else {
            peer.send(gateway_tests::Frame::text("x")).await;
        }

        assert_eq!(within(waiting).await.unwrap().kind(), EndKind::Gone);
        assert_eq!(within(events.next()).await, None);
        is_gone(&handle, &mut events);
        assert_eq!(peer.rest().await, [], "the socket is dropped though the handle is there");
    }
}
