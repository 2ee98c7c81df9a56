//! Requests of many tasks at a time, and futures that are dropped at each of their pauses.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_tests::{Frame, GUARD, calm, client, pair_with, serve, settle, until_ready, within};
use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Builder, EndKind, JsonCorrelator, Rate, RequestErrorKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Answers each request with its own text. Ends with the client's Close.
async fn answers<S: AsyncRead + AsyncWrite + Unpin>(mut peer: gateway_tests::Peer<S>) {
    while let Some(frame) = peer.next().await {
        let is_close = frame == Frame::close(1000, "");
        peer.send(frame).await;
        if is_close {
            return;
        }
    }
}

fn by_id() -> JsonCorrelator {
    JsonCorrelator::new("/id").unwrap()
}

#[tokio::test]
async fn many_tasks_wait_for_answers_at_a_time_and_each_gets_its_own() {
    let server = serve(async |listener| answers(listener.peer().await).await);
    let builder = client(&server.url, calm()).requests(by_id());
    let (handle, _events) = builder.build().unwrap().spawn();
    handle.ready().await.unwrap();

    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let handle = handle.clone();
        tasks.spawn(async move {
            for call in 0..50 {
                let answer =
                    handle.request(format!(r#"{{"of":"{task} {call}"}}"#), GUARD).await.unwrap();
                let own = format!(r#""of":"{task} {call}"}}"#);
                assert!(answer.as_text().unwrap().ends_with(&own), "{answer:?}");
            }
        });
    }
    tasks.join_all().await;

    let status = handle.status().unwrap();
    assert_eq!((status.unanswered_requests, status.unmatched_answers), (0, 0));
    assert_eq!(handle.drain(CloseFrame::NORMAL, GUARD).await.kind(), EndKind::Closed);
    server.join();
}

#[tokio::test(start_paused = true)]
async fn requests_that_never_pause_leave_every_second_token_to_messages() {
    let rate = Rate::new(20, Duration::from_secs(1)).burst(1);
    let more = |builder: Builder| builder.requests(by_id()).rate(rate);
    let (client, _sockets, peer) = pair_with(calm(), 4_096, more).await;
    let (handle, _events) = client.spawn();
    let server = tokio::spawn(answers(peer));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let handle = handle.clone();
        callers.spawn(async move { while handle.request("{}", GUARD).await.is_ok() {} });
    }
    settle().await;

    let sends = async {
        for number in 0..10 {
            handle.send(format!("message {number}")).await.unwrap();
        }
    };

    timeout(Duration::from_millis(1_100), sends).await.unwrap();
    callers.shutdown().await;
    handle.drain(CloseFrame::NORMAL, GUARD).await;
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_or_not_polled_does_not_stop_requests() {
    let rate = Rate::new(20, Duration::from_secs(1)).burst(1);
    let more = |builder: Builder| builder.requests(by_id()).rate(rate);
    let (client, _sockets, peer) = pair_with(calm(), 4_096, more).await;
    let (handle, _events) = client.spawn();
    let server = tokio::spawn(answers(peer));
    handle.send("takes the token").await.unwrap();

    let mut waits = Box::pin(handle.send("is not polled"));
    assert!(waits.as_mut().now_or_never().is_none());
    for _ in 0..4 {
        within(handle.request("{}", GUARD)).await.unwrap();
    }
    drop(waits);
    let requests = async {
        for _ in 0..4 {
            handle.request("{}", GUARD).await.unwrap();
        }
    };
    timeout(Duration::from_millis(250), requests).await.unwrap();

    handle.drain(CloseFrame::NORMAL, GUARD).await;
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drains_is_not_ready_and_ready_waits_for_its_end() {
    let more = |builder: Builder| builder.requests(by_id());
    let (client, _sockets, mut peer) = pair_with(calm(), 4_096, more).await;
    let (handle, _events) = client.spawn();
    let mut request = pin!(handle.request("{}", GUARD));
    assert!(request.as_mut().now_or_never().is_none());
    let mut drain = pin!(handle.drain(CloseFrame::NORMAL, GUARD));
    assert!(drain.as_mut().now_or_never().is_none());

    let status = handle.status().unwrap();
    assert_eq!((handle.is_ready(), status.is_ready, status.is_draining), (false, false, true));
    let mut ready = pin!(handle.ready());
    assert!(ready.as_mut().now_or_never().is_none());
    let refused = handle.request_when_ready("{}", GUARD).await.unwrap_err();
    assert_eq!(refused.kind(), &RequestErrorKind::Closed);

    let answer = peer.frame().await;
    peer.send(answer).await;
    within(request).await.unwrap();
    let close = within(peer.frame()).await;
    peer.send(close).await;
    assert_eq!(within(ready).await.unwrap_err().kind(), EndKind::Closed);
    assert_eq!(within(drain).await.kind(), EndKind::Closed);
    assert!(!handle.status().unwrap().is_draining);
}

/// Drops a future at its pause of this number, from 0. Returns its output if it has fewer.
async fn until_pause<F: Future>(future: F, number: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut pauses = 0;
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if pauses == number => Poll::Ready(None),
        Poll::Pending => {
            pauses += 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_is_dropped_at_any_pause_leaves_nothing_behind() {
    let server = serve(async |listener| answers(listener.peer().await).await);
    let builder = client(&server.url, calm()).requests(by_id());
    let (handle, mut events) = builder.build().unwrap().spawn();
    handle.ready().await.unwrap();
    // Its answers become messages, which no one takes otherwise.
    let reader = tokio::spawn(async move { while events.next().await.is_some() {} });

    let mut pauses = 0;
    while until_pause(handle.request("{}", GUARD), pauses).await.is_none() {
        assert_eq!(handle.status().unwrap().unanswered_requests, 0, "after {pauses} pauses");
        pauses += 1;
    }

    assert!(handle.request(r#"{"last":1}"#, GUARD).await.is_ok());
    assert_eq!(handle.drain(CloseFrame::NORMAL, GUARD).await.kind(), EndKind::Closed);
    reader.await.unwrap();
    server.join();
}

#[tokio::test]
async fn a_polled_request_that_is_dropped_at_any_pause_leaves_nothing_behind() {
    let server = serve(async |listener| answers(listener.peer().await).await);
    let mut client = client(&server.url, calm()).requests(by_id()).build().unwrap();
    until_ready(&mut client).await;

    let mut pauses = 0;
    while until_pause(client.request("{}", GUARD), pauses).await.is_none() {
        assert_eq!(client.status().unanswered_requests, 0, "after {pauses} pauses");
        pauses += 1;
    }

    assert!(pauses > 0, "the answer is not there at once");
    assert!(client.request(r#"{"last":1}"#, GUARD).await.is_ok());
    assert_eq!(client.drain(CloseFrame::NORMAL, GUARD).await.kind(), EndKind::Closed);
    server.join();
}

#[tokio::test]
async fn a_drain_that_is_dropped_goes_on() {
    for pauses in 0..4 {
        let server = serve(async |listener| answers(listener.peer().await).await);
        let (handle, mut events) = client(&server.url, calm()).build().unwrap().spawn();
        handle.ready().await.unwrap();
        handle.send("a message").await.unwrap();

        let _ = until_pause(handle.drain(CloseFrame::NORMAL, GUARD), pauses).await;

        while events.next().await.is_some() {}
        assert_eq!(handle.closed().await.kind(), EndKind::Closed);
        server.join();
    }
}

#[test]
fn a_request_whose_runtime_is_gone_ends() {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (handle, _events) = runtime.block_on(async {
        let (handle, events) =
            client(&server.url, calm()).requests(by_id()).build().unwrap().spawn();
        handle.ready().await.unwrap();
        (handle, events)
    });
    let mut request = pin!(handle.request("{}", GUARD));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(request.as_mut().poll(&mut cx).is_pending());

    drop(runtime);

    let Poll::Ready(Err(gone)) = request.as_mut().poll(&mut cx) else { panic!("it waits on") };
    assert_eq!(gone.kind(), &RequestErrorKind::Gone);
}
