//! What a handle says of its client, and when the task ends.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use gateway_tests::{Frame, calm, client, elapse, memory, pair, pair_with, settle, within};
use gateway_tokio::core::{
    CloseFrame, ConnectionState, GiveUpCause, Login, SendRejection, Verdict,
};
use gateway_tokio::{ClientEvent, EndKind};
use tokio::runtime::Handle as Runtime;

use super::close;

fn tasks() -> usize {
    Runtime::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_handle_shows_the_state_and_waits_for_it() {
    let (dial, mut sockets) = memory(4_096);
    let builder = client("ws://gateway.example", calm()).dial(dial).name("feed-7");
    let (handle, _events) = builder.build().unwrap().spawn();
    let mut states = handle.states();
    assert_eq!(handle.state(), ConnectionState::Disconnected);
    assert_eq!(handle.status().unwrap().state, ConnectionState::Disconnected);
    assert_eq!((handle.name(), handle.endpoint().host()), (Some("feed-7"), "gateway.example"));
    assert!(!handle.is_ready());

    let (ready, _peer) = within(async { tokio::join!(handle.ready(), sockets.peer()) }).await;
    ready.unwrap();
    assert!(handle.is_ready());
    assert_eq!((handle.state(), states.current()), (ConnectionState::Connected, handle.state()));
    assert_eq!(handle.statistics().unwrap().opened, 1);
    let status = handle.status().unwrap();
    assert!(status.is_ready && status.socket.is_some());
    assert_eq!((status.statistics.opened, status.retry_in, status.gave_up), (1, None, None));
    assert_eq!(states.changed().await, Some(ConnectionState::Connected));
    assert!(states.changed().now_or_never().is_none(), "nothing has changed since");

    handle.close(CloseFrame::NORMAL).unwrap();
    assert_eq!(handle.state(), ConnectionState::Closing, "at once");
    assert_eq!(states.changed().await, Some(ConnectionState::Closing));
    assert_eq!(within(handle.closed()).await.kind(), EndKind::Closed);
    assert_eq!(states.changed().await, Some(ConnectionState::Closed));
    assert_eq!(handle.ready().await.unwrap_err().kind(), EndKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_end_has_its_cause() {
    let external = Login::External { timeout: Duration::from_secs(60) };
    let (client, _sockets, _peer) = pair(calm().login(external), 4_096).await;
    let (handle, _events) = client.spawn();

    handle.login_accepted().unwrap();
    assert!(handle.is_ready());
    handle.login_rejected(Verdict::Fatal).unwrap();

    let end = within(handle.closed()).await;
    assert_eq!(end.kind(), EndKind::GaveUp(GiveUpCause::LoginRefused));
    assert_eq!(handle.gave_up().unwrap(), Some(GiveUpCause::LoginRefused));
    assert_eq!(handle.status().unwrap().gave_up, Some(GiveUpCause::LoginRefused));
    assert_eq!(handle.ready().await, Err(end));
}

#[tokio::test(start_paused = true)]
async fn events_end_with_closed_and_go_on_with_the_next_connect() {
    let (client, mut sockets, _peer) = pair(calm(), 4_096).await;
    let (handle, mut events) = client.spawn();
    close(&handle).await;
    while within(events.next()).await.is_some() {}
    assert_eq!(events.next().await, None);
    let refused = handle.send("late").await.unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::Closed);

    handle.connect().unwrap();

    assert!(within(events.next()).await.is_some());
    let mut peer = sockets.peer().await;
    within(handle.ready()).await.unwrap();
    handle.send("again").await.unwrap();
    assert_eq!(within(peer.frame()).await, Frame::text("again"));
    close(&handle).await;
    handle.reconnect().unwrap();
    let _peer = sockets.peer().await;
    within(handle.ready()).await.unwrap();
}

/// It waits for an event while the connection is CLOSED: its task was not woken by an event.
#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_is_told_of_closed() {
    let (client, _sockets, peer) = pair(calm(), 4_096).await;
    let (handle, events) = client.spawn();
    let reader = tokio::spawn(async move { events.count().await });
    settle().await;

    handle.close(CloseFrame::NORMAL).unwrap();
    drop(peer);

    assert!(within(reader).await.unwrap() >= 2);
}

#[tokio::test(start_paused = true)]
async fn the_task_lives_while_a_handle_or_the_events_do_and_then_closes() {
    for is_events_last in [true, false] {
        let before = tasks();
        let (client, _sockets, mut peer) = pair(calm(), 4_096).await;
        let (handle, events) = client.spawn();
        let other = handle.clone();
        if is_events_last {
            drop((handle, other));
            elapse(Duration::from_secs(60)).await;
            peer.send(Frame::text("in")).await;
            let mut events = events;
            while within(events.next()).await != Some(ClientEvent::Message("in".into())) {}
            drop(events);
        } else {
            drop((events, handle));
            elapse(Duration::from_secs(60)).await;
            other.send("out").await.unwrap();
            assert_eq!(within(peer.frame()).await, Frame::text("out"));
            drop(other);
        }
        assert_eq!(within(peer.frame()).await, Frame::close(1000, ""));
        peer.send(Frame::close(1000, "")).await;
        peer.rest().await;
        settle().await;
        assert_eq!(tasks(), before);
    }
}

/// The task of a client that is closed, or that never connects, ends at once.
#[tokio::test(start_paused = true)]
async fn a_client_that_nobody_uses_ends_in_every_state() {
    let before = tasks();
    let (dial, _sockets) = memory(64);
    drop(client("ws://gateway.example", calm()).dial(dial).build().unwrap().spawn());
    settle().await;
    assert_eq!(tasks(), before);

    let (client, _sockets, _peer) = pair(calm(), 4_096).await;
    let (handle, events) = client.spawn();
    close(&handle).await;
    assert_eq!(tasks(), before + 1);
    drop((handle, events));
    settle().await;
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_events_goes_on_and_keeps_none_of_them() {
    let (client, _sockets, mut peer) = pair_with(calm(), 64 << 10, |b| b.report_sent(true)).await;
    let (handle, events) = client.spawn();
    drop(events);
    // Four times the backlog, and more ranges of outcomes than may wait.
    let message = Frame::binary(vec![7; 1 << 10]).bytes();
    for number in 0..5_000 {
        within(peer.write(&message)).await;
        handle.send(number.to_string()).await.unwrap();
        assert_eq!(within(peer.frame()).await, Frame::text(number.to_string()));
    }
    settle().await;

    let statistics = handle.statistics().unwrap();
    assert_eq!((statistics.frames_in, statistics.frames_out), (5_000, 5_000));
    close(&handle).await;
}

/// Counts how often it is woken.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Two tasks that take turns at a mutex would otherwise wake each other without end.
#[tokio::test(start_paused = true)]
async fn a_task_that_takes_anothers_place_does_not_wake_it() {
    let (client, _sockets, mut peer) = pair(calm(), 4_096).await;
    let (_handle, mut events) = client.spawn();
    settle().await;
    while events.next().now_or_never().is_some() {}
    let (first, second) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    let wakes = || (first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst));

    for task in [&first, &second] {
        let waker = Waker::from(Arc::clone(task));
        let next = pin!(events.next());
        assert!(next.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(wakes(), (0, 0));

    peer.send(Frame::text("news")).await;
    settle().await;
    assert_eq!(wakes(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn events_that_two_tasks_share_are_each_yielded_once() {
    let (client, _sockets, mut peer) = pair(calm(), 64 << 10).await;
    let (handle, events) = client.spawn();
    let events = std::sync::Arc::new(tokio::sync::Mutex::new(events));
    let take = |events: std::sync::Arc<tokio::sync::Mutex<gateway_tokio::Events>>| async move {
        let mut taken = Vec::new();
        loop {
            let event = events.lock().await.next().await;
            match event {
                Some(ClientEvent::Message(message)) => {
                    taken.push(message.as_text().unwrap().parse::<u32>().unwrap());
                    tokio::task::yield_now().await;
                }
                Some(_) => {}
                None => return taken,
            }
        }
    };
    let [one, other] = [(); 2].map(|()| tokio::spawn(take(std::sync::Arc::clone(&events))));
    for number in 0..1_000 {
        peer.send(Frame::text(number.to_string())).await;
    }
    settle().await;
    handle.close(CloseFrame::NORMAL).unwrap();

    let (one, other) = (within(one).await.unwrap(), within(other).await.unwrap());

    assert!(!one.is_empty() && !other.is_empty());
    assert!(one.is_sorted() && other.is_sorted());
    let mut all = [one, other].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..1_000));
}

#[tokio::test]
async fn handles_work_on_a_thread_without_a_runtime() {
    let (client, mut sockets, mut peer) = pair(calm(), 4_096).await;
    let (handle, mut events) = client.spawn();
    let other = handle.clone();
    let thread = std::thread::spawn(move || {
        assert!(Runtime::try_current().is_err());
        other.try_send("try").unwrap();
        other.send("send").now_or_never().unwrap().unwrap();
        let permit = other.reserve(10).now_or_never().unwrap().unwrap();
        permit.send("permit").unwrap();
        assert!(other.ready().now_or_never().unwrap().is_ok());
        assert!(other.statistics().is_ok() && other.status().is_ok());
        other.reconnect().unwrap();
    });
    for text in ["try", "send", "permit"] {
        assert_eq!(within(peer.frame()).await, Frame::text(text));
    }
    let _peer = within(sockets.peer()).await;
    thread.join().unwrap();
    within(handle.ready()).await.unwrap();
    std::thread::spawn(move || handle.close(CloseFrame::NORMAL)).join().unwrap().unwrap();
    while within(events.next()).await.is_some() {}
}

#[tokio::test]
async fn errors_begin_with_the_name() {
    let (client, _sockets, _peer) = pair_with(calm(), 4_096, |b| b.name("feed-7")).await;
    let (handle, events) = client.spawn();
    assert_eq!(events.name(), Some("feed-7"));
    close(&handle).await;
    assert_eq!(handle.closed().await.to_string(), "feed-7: the connection was closed as requested");
    assert_eq!(handle.ready().await.unwrap_err().name(), Some("feed-7"));

    let error = handle.send("late").await.unwrap_err();
    assert_eq!(error.name(), Some("feed-7"));
    assert!(error.to_string().starts_with("feed-7: the message was not accepted"), "{error}");
    let error = handle.reserve(1).await.unwrap_err();
    assert_eq!(error.to_string(), "feed-7: the connection is closing or closed");

    let errors = gateway_tokio::Client::builder("ws://localhost").name("two words").build();
    let errors = errors.unwrap_err().to_string();
    assert!(errors.contains("name = two words: must be 1 to 64"), "{errors}");
}
