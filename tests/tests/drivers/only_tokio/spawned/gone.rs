//! The task is gone with its runtime, or because the application's code has panicked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use gateway_tests::{Frame, Peer, calm, memory, pair, pair_with, settle, within};
use gateway_tokio::core::{CloseFrame, ConnectionState, Event, Observed, Observer, SendRejection};
use gateway_tokio::{
    Client, ClientEvent, EndKind, Events, Fate, Handle, HandleErrorKind, Message, Permit,
};
use tokio::io::DuplexStream;
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
        handle.status().map(drop),
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

    let dropping = all.block_on(within(async {
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
        let dropping = std::thread::spawn(move || drop(runtime_of_the_client));
        let (sent, reserved, end, state, event) = waiting.await;
        let refused = sent.unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::Gone);
        assert_eq!(refused.into_message(), Message::text("waits"));
        assert_eq!(reserved.unwrap_err().kind(), HandleErrorKind::Gone);
        assert_eq!((end.kind(), state), (EndKind::Gone, None));
        assert!(matches!(event, Some(ClientEvent::Outcome(_))), "of what filled the buffer");
        dropping
    }));
    dropping.join().unwrap(); // by now the permit's client is gone, too

    left(&mut events);
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

/// An observer that panics at a chosen event.
#[derive(Clone, Default)]
struct Fragile {
    at_send: bool,
    is_broken: Arc<AtomicBool>,
}

impl Observer for Fragile {
    fn observe(&mut self, observed: &Observed<'_>) {
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

/// The messages and the outcomes that still wait, up to the end.
fn left(events: &mut Events) -> (Vec<Message>, Vec<(u64, Fate)>) {
    let (mut messages, mut outcomes) = (Vec::new(), Vec::new());
    while let Some(event) = events.next().now_or_never().expect("it is over") {
        match event {
            ClientEvent::Message(message) => messages.push(message),
            ClientEvent::Outcome(outcome) => outcomes.push((outcome.count(), outcome.fate)),
            _ => {}
        }
    }
    (messages, outcomes)
}

#[test]
fn messages_and_outcomes_that_were_not_taken_outlive_the_task() {
    let runtime_of_the_client = runtime();
    let (handle, mut events, mut peer) = runtime_of_the_client.block_on(async {
        let (client, _sockets, mut peer) = pair(calm(), 4_096).await;
        let (handle, events) = client.spawn();
        handle.send("arrives").await.unwrap();
        peer.send(Frame::text("unread")).await;
        settle().await;
        (handle, events, peer)
    });
    for _ in 0..3 {
        handle.try_send("never written").unwrap(); // the task does not run again
    }

    drop(runtime_of_the_client);

    let (messages, outcomes) = left(&mut events);
    assert_eq!(messages, [Message::text("unread")]);
    assert_eq!(outcomes, [(3, Fate::Rejected)]);
    is_gone(&handle, &mut events);
    let rest = runtime().block_on(peer.rest());
    assert_eq!(rest, [Frame::text("arrives")], "what was rejected has not left");
}

#[tokio::test]
async fn after_a_panic_a_message_that_may_have_left_is_maybe_sent() {
    let fragile = Fragile { at_send: true, ..Fragile::default() };
    let is_broken = Arc::clone(&fragile.is_broken);
    is_broken.store(true, Ordering::SeqCst);
    let (client, _sockets, _peer) = pair_with(calm(), 4_096, |b| b.observer(fragile)).await;
    let (handle, mut events) = client.spawn();
    settle().await;

    handle.try_send("waits for the task").unwrap();
    is_broken.store(false, Ordering::SeqCst);
    let panics = std::panic::AssertUnwindSafe(|| handle.try_send("panics"));
    assert!(std::panic::catch_unwind(panics).is_err());

    let (_, outcomes) = left(&mut events);
    assert!(matches!(outcomes[..], [(1, Fate::MaybeSent { .. })]), "{outcomes:?}");
    is_gone(&handle, &mut events);
}

/// Does something with a runtime when a message is sent, once.
struct Act<F>(Arc<Mutex<Option<F>>>);

impl<F: FnOnce()> Observer for Act<F> {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::SendRequested(_) = observed.event
            && let Some(act) = self.0.lock().unwrap().take()
        {
            act();
        }
    }
}

type Later = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A spawned client whose observer does once, when a message is sent, what is put there.
fn acting(runtime: &Runtime) -> (Handle, Events, Peer<DuplexStream>, Later) {
    let later = Later::default();
    let observer = Act(Arc::clone(&later));
    let (handle, events, peer) = runtime.block_on(async {
        let (client, _sockets, peer) = pair_with(calm(), 4_096, |b| b.observer(observer)).await;
        let (handle, events) = client.spawn();
        settle().await;
        (handle, events, peer)
    });
    (handle, events, peer, later)
}

/// The lock may be the client's own, or another client's.
#[test]
fn a_task_that_is_dropped_inside_of_a_lock_ends_once_it_is_unlocked() {
    for is_own in [true, false] {
        let own = runtime();
        let (handle, mut events, _peer, later) = acting(&own);
        let other = runtime();
        let (others, _other_events, _other_peer, other_later) = acting(&other);
        let mut closed = std::pin::pin!(handle.closed());
        assert!(closed.as_mut().now_or_never().is_none());
        let drops: Box<dyn FnOnce() + Send> = Box::new(move || drop(own));
        let (act, sender) = if is_own { (later, &handle) } else { (other_later, &others) };
        *act.lock().unwrap() = Some(drops);

        sender.try_send("drops the runtime").unwrap();

        assert_eq!(
            closed.now_or_never().map(|end| end.kind()),
            Some(EndKind::Gone),
            "own: {is_own}"
        );
        let (_, outcomes) = left(&mut events);
        assert_eq!(outcomes, if is_own { vec![(1, Fate::Rejected)] } else { vec![] });
        is_gone(&handle, &mut events);
        if !is_own {
            assert!(others.statistics().is_ok());
        }
    }
}

#[test]
fn a_task_that_is_polled_inside_of_a_lock_goes_on_once_it_is_unlocked() {
    let runtime = Arc::new(runtime());
    let (handle, _events, mut peer, later) = acting(&runtime);
    handle.try_send("calls the task").unwrap();
    let inner = Arc::clone(&runtime);
    *later.lock().unwrap() = Some(Box::new(move || inner.block_on(settle())));

    handle.try_send("polls the task").unwrap();

    assert!(later.lock().unwrap().is_none());
    runtime.block_on(within(async {
        assert_eq!(peer.frame().await, Frame::text("calls the task"));
        assert_eq!(peer.frame().await, Frame::text("polls the task"));
    }));
    assert!(handle.is_ready());
}
