//! A spawned client whose events are not read: its task continues heartbeats and retries, and its
//! memory is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gateway_tests::{Frame, client, elapse, memory, settle};
use gateway_tokio::core::{Config, HeartbeatKind};
use gateway_tokio::{ClientEvent, Events};
use tokio::runtime::{Builder, Runtime};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What waits: other events than `Missed`, and how many of them were dropped.
async fn waiting(events: &mut Events) -> (Vec<ClientEvent>, u64) {
    let (mut waiting, mut missed) = (Vec::new(), 0);
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event.expect("it is not over") {
                ClientEvent::Missed { count } => missed += count,
                event => waiting.push(event),
            },
            () = settle() => return (waiting, missed),
        }
    }
}

/// A runtime on one thread, whose allocations can be measured, with a clock that is paused.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Lets a day pass; how many bytes are held after it that were not held before.
fn grown_in_a_day(runtime: &Runtime) -> i64 {
    allocation_counter::measure(|| runtime.block_on(elapse(DAY))).bytes_current
}

#[test]
fn a_day_of_heartbeats_goes_on_though_nobody_takes_events() {
    let runtime = paused();
    let _inside = runtime.enter();
    let (dial, mut sockets) = memory(1 << 16);
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(Duration::from_secs(30));
    let client = client("ws://gateway.example", config).dial(dial).build().unwrap();
    let (handle, mut events) = client.spawn();
    let mut peer = runtime.block_on(sockets.peer());
    let pings = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pings);
    let server = tokio::spawn(async move {
        loop {
            if peer.frame().await.is_heartbeat() {
                counted.fetch_add(1, Ordering::SeqCst);
                peer.send(Frame::text(r#"{"type":"pong"}"#)).await;
            }
        }
    });

    let grown = grown_in_a_day(&runtime);

    assert!(grown < 100_000, "{grown} bytes more");
    let pings = pings.load(Ordering::SeqCst);
    assert!((2_878..=2_882).contains(&pings), "{pings} pings in a day");
    assert!(sockets.is_quiet(), "still the first socket");
    runtime.block_on(handle.send("still taken")).unwrap();
    let (waiting, missed) = runtime.block_on(waiting(&mut events));
    assert!(waiting.len() < 600, "{} events were kept", waiting.len());
    assert!(missed + waiting.len() as u64 >= 2 * pings as u64, "{missed} were missed");
    assert!(!waiting.iter().any(|event| matches!(event, ClientEvent::Disconnected { .. })));
    server.abort();
}
