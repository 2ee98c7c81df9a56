//! A provider of the async client: it may hang, it is dropped when it is not needed any more, and it
//! moves to another runtime.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gateway_tests::{Frame, Peer, calm, client, elapse, serve, settle, until_ready, within};
use gateway_tokio::core::{CloseFrame, DisconnectCause};
use gateway_tokio::{Client, ClientEvent, EndKind, HandleErrorKind, Request};
use tokio::runtime::Builder;

/// Counts the providers' futures that are not dropped.
#[derive(Clone, Default)]
struct Living(Arc<AtomicU32>);

struct Life(Living);

impl Living {
    fn begin(&self) -> Life {
        self.0.fetch_add(1, Ordering::SeqCst);
        Life(self.clone())
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A client whose provider never answers.
fn hanging(living: &Living) -> Client {
    let counted = living.clone();
    let config = calm().attempt_timeout(Duration::from_secs(3));
    let builder = client("ws://127.0.0.1:9", config).attempt(move |_| {
        let life = counted.begin();
        async move {
            let _life = life;
            pending().await
        }
    });
    builder.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_is_dropped_at_the_attempt_timeout_and_at_a_close() {
    let living = Living::default();
    let mut client = hanging(&living);

    for _ in 0..3 {
        loop {
            let event = client.next().await.unwrap();
            if let ClientEvent::Disconnected { cause, .. } = event {
                assert_eq!(cause, DisconnectCause::AttemptTimeout);
                break;
            }
        }
        assert_eq!(living.count(), 0);
    }
    client.reconnect();
    assert!(!client.is_ready());
    tokio::select! {
        biased;
        _ = async { while client.next().await.is_some() {} } => {}
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(living.count(), 1);
    client.close(CloseFrame::NORMAL);
    while client.next().await.is_some() {}
    assert_eq!(living.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_provider_of_a_spawned_client_is_dropped_at_its_timeout_and_when_the_client_ends()
{
    let living = Living::default();
    let (handle, mut events) = hanging(&living).spawn();
    loop {
        let event = events.next().await.unwrap();
        if let ClientEvent::Disconnected { cause, .. } = event {
            assert_eq!(cause, DisconnectCause::AttemptTimeout);
            break;
        }
    }
    assert_eq!(living.count(), 0);
    handle.connect().unwrap();
    settle().await;
    assert_eq!(living.count(), 1);
    handle.close(CloseFrame::NORMAL).unwrap();
    assert_eq!(handle.closed().await.kind(), EndKind::Closed);
    settle().await;
    assert_eq!(living.count(), 0);

    handle.connect().unwrap();
    settle().await;
    assert_eq!(living.count(), 1);
    drop((handle, events));
    settle().await;
    assert_eq!(living.count(), 0, "no one uses the client");
}

#[test]
fn a_runtime_that_is_dropped_takes_a_spawned_clients_question_along() {
    let living = Living::default();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (handle, _events) = runtime.block_on(async {
        let spawned = hanging(&living).spawn();
        settle().await;
        spawned
    });
    assert_eq!(living.count(), 1);

    drop(runtime);

    assert_eq!(living.count(), 0);
    assert_eq!(handle.connect().unwrap_err().kind(), HandleErrorKind::Gone);
}

#[test]
fn a_question_whose_runtime_is_gone_is_asked_again_on_the_next() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let asked = Arc::<AtomicU32>::default();
    let counted = Arc::clone(&asked);
    let builder = client(&server.url, calm()).attempt(move |attempt| {
        let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if is_first {
                elapse(Duration::from_secs(3_600)).await;
            }
            assert_eq!(attempt.number, 1);
            Ok(Request::new())
        }
    });
    let mut client = builder.build().unwrap();
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        let waits = async { while client.next().await.is_some() {} };
        tokio::select! {
            biased;
            () = waits => {}
            () = tokio::task::yield_now() => {}
        }
    });
    drop(first);

    runtime().block_on(until_ready(&mut client));

    assert_eq!(asked.load(Ordering::SeqCst), 2);
    drop(client);
    server.join();
}

/// The first attempt's request is refused with this text, without an attempt to connect, and the
/// second attempt is ready.
async fn refuses(bad: fn(Request) -> Request, expected: &str) {
    let listener = gateway_tests::Listener::bind().await;
    let builder = client(listener.url(), calm()).attempt(move |attempt| async move {
        Ok(if attempt.number == 1 { bad(Request::new()) } else { Request::new() })
    });
    let (handle, mut events) = builder.build().unwrap().spawn();

    let detail = loop {
        let event = within(events.next()).await.unwrap();
        if let ClientEvent::Disconnected { cause, detail, .. } = event {
            assert_eq!(cause, DisconnectCause::Provider);
            break detail;
        }
    };
    let _peer = Peer::accept(listener.tcp().await).await;
    within(handle.ready()).await.unwrap();

    assert!(detail.contains(expected) && !detail.contains("hunter2"), "{detail}");
    assert_eq!(handle.statistics().unwrap().attempts, 2);
}

#[tokio::test]
async fn a_spawned_client_refuses_a_url_that_is_none_and_asks_again() {
    refuses(|request| request.url("no url"), "url: must be a URL such as wss://").await;
}

#[tokio::test]
async fn a_spawned_client_refuses_ten_thousand_headers_and_asks_again() {
    let many = |request| {
        (0..10_000).fold(request, |all: Request, number| all.header(format!("X-{number}"), "v"))
    };
    refuses(many, "headers = 10000 headers: must be at most 128").await;
}

#[tokio::test]
async fn a_spawned_client_refuses_a_line_break_in_a_header_and_asks_again() {
    refuses(
        |request| request.header("X-Token", "line\r\nX-Forged: hunter2"),
        "headers = X-Token: must have a value without control characters",
    )
    .await;
}

#[tokio::test]
async fn a_spawned_client_tells_the_headers_of_the_last_answer() {
    let listener = gateway_tests::Listener::bind().await;
    let (handle, mut events) = client(listener.url(), calm()).build().unwrap().spawn();
    let first = handle.response_headers().unwrap();
    assert_eq!(first.iter().count(), 0);

    let mut peer = Peer::accept_with(listener.tcp().await, "X-Node: a\r\n").await;
    peer.send(Frame::text("hello")).await;
    while !matches!(within(events.next()).await, Some(ClientEvent::Message(_))) {}

    let headers = handle.response_headers().unwrap();
    assert_eq!(headers.get("x-node"), Some("a"));
    assert_eq!(format!("{headers:?}"), "ResponseHeaders { count: 4, .. }");
    handle.close(CloseFrame::NORMAL).unwrap();
    peer.echo().await;
    while within(events.next()).await.is_some() {}
    assert_eq!(handle.response_headers().unwrap(), headers);
}
