//! What leaves later than it was sent: the task is woken for each change of it.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, calm, elapse, now, pair_with, settle, within};
use gateway_tokio::core::{
    CloseFrame, ConnectionState, Observed, Observer, SendRejection, SendingFact,
};
use gateway_tokio::{Builder, EndKind, JsonCorrelator, Limits, Outbox, Rate, RequestErrorKind};

use super::waits;

const MINUTE: Duration = Duration::from_secs(60);

fn asking(builder: Builder) -> Builder {
    builder.requests(JsonCorrelator::new("/id").unwrap())
}

fn small(builder: Builder) -> Builder {
    let mut limits = Limits::default();
    limits.high_water = 1_000;
    builder.limits(limits)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_ends_a_drain_that_waits_for_it() {
    let (client, _sockets, mut peer) = pair_with(calm(), 1_024, asking).await;
    let (handle, _events) = client.spawn();
    let caller = handle.clone();
    let request = tokio::spawn(async move { caller.request("{}", MINUTE).await });
    within(peer.frame()).await;
    let drain = tokio::spawn(async move { handle.drain(CloseFrame::NORMAL, MINUTE).await });
    settle().await;
    let before = now();

    request.abort();

    let close = Frame::close(1000, "");
    assert_eq!(within(peer.frame()).await, close);
    peer.send(close).await;
    drop(peer);
    assert_eq!(within(drain).await.unwrap().kind(), EndKind::Closed);
    assert_eq!(now(), before, "nothing waited for a deadline");
}

#[tokio::test(start_paused = true)]
async fn what_a_permit_has_held_up_leaves_at_once() {
    for is_used in [true, false] {
        let more = |builder| small(asking(builder)).outbox(Outbox::default());
        let (client, _sockets, mut peer) = pair_with(calm(), 64, more).await;
        let (handle, _events) = client.spawn();
        let permit = handle.reserve(2_000).await.unwrap();
        let caller = handle.clone();
        let request = tokio::spawn(async move { caller.request("{}", MINUTE).await });
        settle().await;
        let before = now();

        match is_used {
            true => {
                let refused = permit.send("x".repeat(2_001)).unwrap_err();
                assert_eq!(refused.rejection(), SendRejection::LongerThanReserved);
            }
            false => drop(permit),
        }

        assert_eq!(within(peer.frame()).await, Frame::text(r#"{"id":1}"#));
        peer.send(Frame::text(r#"{"id":1}"#)).await;
        assert!(within(request).await.unwrap().is_ok());
        assert_eq!(now(), before, "nothing waited for a deadline");
    }
}

#[tokio::test(start_paused = true)]
async fn a_permit_waits_for_the_rate_limit_and_keeps_it() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0); // one in 5 s
    let (client, _sockets, mut peer) = pair_with(calm(), 1_024, |b| b.rate(rate)).await;
    let (handle, _events) = client.spawn();
    let begun = now();

    let first = handle.reserve(10).await.unwrap();
    assert!(waits(handle.reserve(10)));
    elapse(MINUTE).await;
    assert!(waits(handle.reserve(10)), "the permit holds the one token");
    first.send("0").unwrap();
    let mut sent = vec![now() - begun];
    for number in 1..4 {
        let permit = within(handle.reserve(10)).await.unwrap();
        permit.send(number.to_string()).unwrap();
        sent.push(now() - begun);
    }

    let seconds: Vec<_> = sent.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [60, 65, 70, 75]);
    for number in 0..4 {
        assert_eq!(within(peer.frame()).await, Frame::text(number.to_string()));
    }
}

/// What an observer drops, one at each of its calls.
#[derive(Clone, Default)]
struct Drops(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl Drops {
    fn drop_one(&self) {
        let dropped = self.0.lock().unwrap().pop();
        drop(dropped);
    }
}

impl Observer for Drops {
    fn observe(&mut self, _: &Observed<'_>) {
        self.drop_one();
    }

    fn sending(&mut self, _: gateway_tokio::core::Instant, _: &SendingFact) {
        self.drop_one();
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_drop_a_permit_while_a_dropped_request_is_forgotten() {
    let drops = Drops::default();
    let more = |builder: Builder| asking(builder).observer(drops.clone());
    let (client, _sockets, mut peer) = pair_with(calm(), 1_024, more).await;
    let (handle, _events) = client.spawn();
    let permit = handle.reserve(100).await.unwrap();
    let caller = handle.clone();
    let mut request = Box::pin(async move { caller.request("{}", MINUTE).await });
    assert!(request.as_mut().now_or_never().is_none());
    within(peer.frame()).await;
    settle().await;

    drops.0.lock().unwrap().extend([Box::new(permit) as Box<dyn Any + Send>, Box::new(request)]);
    handle.send("one").await.unwrap(); // the observer drops the request

    assert_eq!(within(peer.frame()).await, Frame::text("one"));
    settle().await;
    assert_eq!(handle.status().unwrap().unanswered_requests, 0);
    assert!(drops.0.lock().unwrap().is_empty());
    handle.send("two").await.unwrap();
    assert_eq!(within(peer.frame()).await, Frame::text("two"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_comes_before_the_task_runs_waits_for_a_request() {
    let (memory, mut sockets) = gateway_tests::memory(1_024);
    let builder = gateway_tests::client("ws://gateway.example", calm()).dial(memory);
    let (handle, _events) = asking(builder).build().unwrap().spawn();

    let server = async {
        let mut peer = sockets.peer().await;
        assert_eq!(peer.frame().await, Frame::text(r#"{"id":1}"#));
        peer.send(Frame::text(r#"{"id":1}"#)).await;
        let close = Frame::close(1000, "");
        assert_eq!(peer.frame().await, close);
        peer.send(close).await;
    };
    let request = handle.request_idempotent("{}", MINUTE);
    let drain = handle.drain(CloseFrame::NORMAL, MINUTE);
    let (answer, end, ()) = within(async { tokio::join!(request, drain, server) }).await;

    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(end.kind(), EndKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_without_handles_and_events() {
    let rate = Rate::new(2, Duration::from_secs(10)).burst(1).reserve(0);
    let more = |builder: Builder| builder.rate(rate).outbox(Outbox::default());
    let (client, _sockets, mut peer) = pair_with(calm(), 1_024, more).await;
    let (handle, events) = client.spawn();
    let texts = ["one", "two", "three"];
    handle.send(texts[0]).await.unwrap();
    handle.set_on_ready("feed", "subscribe").unwrap(); // the outbox waits behind it
    for text in &texts[1..] {
        assert!(handle.try_send(*text).unwrap().is_queued());
    }
    let frame = CloseFrame::new(1001, "restart").unwrap();
    assert!(waits(handle.drain(frame, MINUTE)));

    drop((handle, events));

    for text in ["one", "subscribe", "two", "three"] {
        assert_eq!(within(peer.frame()).await, Frame::text(text));
    }
    assert_eq!(within(peer.frame()).await, Frame::close(1001, "restart"));
}

/// The answer is there before the task is gone, and its caller takes it later.
#[test]
fn an_answer_that_has_come_is_not_lost_with_the_task() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (handle, _events, request) = runtime.block_on(async {
        let (client, _sockets, mut peer) = pair_with(calm(), 1_024, asking).await;
        let (handle, events) = client.spawn();
        let caller = handle.clone();
        let mut request = Box::pin(async move { caller.request("{}", MINUTE).await });
        assert!(request.as_mut().now_or_never().is_none());
        within(peer.frame()).await;
        peer.send(Frame::text(r#"{"id":1}"#)).await;
        while handle.status().unwrap().unanswered_requests > 0 {
            tokio::task::yield_now().await;
        }
        (handle, events, request)
    });

    drop(runtime);

    assert_eq!(handle.state(), ConnectionState::Closed);
    let answer = request.now_or_never().expect("it ends");
    assert_eq!(answer.unwrap().as_text(), Some(r#"{"id":1}"#));
    let gone = handle.request("{}", MINUTE).now_or_never().expect("it ends");
    assert_eq!(gone.unwrap_err().kind(), &RequestErrorKind::Gone);
}

/// `StreamExt::forward` closes the sink when its stream ends.
#[tokio::test(start_paused = true)]
async fn a_sink_that_is_closed_sends_its_outbox_first() {
    use futures_util::SinkExt;

    let rate = Rate::new(2, Duration::from_secs(4)).burst(1).reserve(0); // one in 2 s
    let more = |builder: Builder| builder.rate(rate).outbox(Outbox::default());
    let (mut client, _sockets, mut peer) = pair_with(calm(), 1_024, more).await;
    for key in ["one", "two"] {
        client.set_on_ready(key, key).unwrap(); // the outbox waits behind these
    }
    assert!(client.try_send("three").unwrap().is_queued());

    let server = async {
        let mut frames = Vec::new();
        let close = Frame::close(1000, "");
        while frames.last() != Some(&close) {
            frames.push(peer.frame().await);
        }
        peer.send(close).await;
        drop(peer);
        frames
    };
    let (closed, frames) =
        within(async { tokio::join!(SinkExt::close(&mut client), server) }).await;

    assert!(closed.is_ok(), "{closed:?}");
    let expected =
        [Frame::text("one"), Frame::text("two"), Frame::text("three"), Frame::close(1000, "")];
    assert_eq!(frames, expected);
}
