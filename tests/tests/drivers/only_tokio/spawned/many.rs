//! Many tasks on one handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_tests::{Frame, calm, memory, pair, settle, within};
use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Handle, Limits};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const TASKS: usize = 64;
const EACH: usize = 200;

/// Sends in so many tasks at once. Returns how many messages had arrived when the first task was done.
fn senders(handle: &Handle) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let handle = handle.clone();
        tasks.spawn(async move {
            let mut last = None;
            for number in 0..EACH {
                let id = handle.send(format!("{task} {number}")).await.unwrap().id();
                assert!(last < Some(id), "numbers follow the order of the sends");
                last = Some(id);
            }
        });
    }
    tasks
}

/// Reads all messages, and checks that none is lost or doubled and that those of each task are in
/// order. Returns for each task how many messages of all tasks arrived before its first one.
async fn read_all(peer: &mut gateway_tests::Peer<tokio::io::DuplexStream>) -> Vec<usize> {
    let mut seen = BTreeMap::<usize, usize>::new();
    let mut first = vec![0; TASKS];
    for arrived in 0..TASKS * EACH {
        let frame = within(peer.frame()).await;
        let (task, number) = frame.as_text().split_once(' ').unwrap();
        let (task, number): (usize, usize) = (task.parse().unwrap(), number.parse().unwrap());
        let due = seen.entry(task).or_default();
        assert_eq!(number, *due, "of task {task}");
        if number == 0 {
            first[task] = arrived;
        }
        *due += 1;
    }
    assert!(seen.len() == TASKS && seen.values().all(|count| *count == EACH));
    first
}

async fn exchange(high_water: usize) -> Vec<usize> {
    let (dial, mut sockets) = memory(4_096);
    let mut limits = Limits::default();
    limits.high_water = high_water;
    let builder = gateway_tests::client("ws://gateway.example", calm()).limits(limits);
    let (handle, _events) = builder.dial(dial).build().unwrap().spawn();
    let mut peer = sockets.peer().await;
    within(handle.ready()).await.unwrap();

    let mut tasks = senders(&handle);
    let first = read_all(&mut peer).await;

    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    first
}

#[tokio::test]
async fn many_tasks_on_one_handle_lose_and_reorder_nothing_and_none_starves() {
    for high_water in [100, 10_000, 256 << 10] {
        let first = exchange(high_water).await;
        // A task that sends in a loop lets the others in: by its budget, or when it waits its turn.
        let latest = first.iter().max().unwrap();
        assert!(*latest < TASKS * 130, "a task's first message was number {latest}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_tasks_on_many_threads_lose_and_reorder_nothing() {
    for high_water in [100, 10_000, 256 << 10] {
        exchange(high_water).await;
    }
}

/// Tasks send, read, look, wait and reconnect while the peer floods: every message has one outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn tasks_that_do_everything_at_once_get_in_nobodys_way() {
    let (client, mut sockets, peer) = pair(calm(), 16 << 10).await;
    let (handle, mut events) = client.spawn();
    let server = tokio::spawn(async move {
        let mut peer = Some(peer);
        while let Some(mut one) = peer.take() {
            let flood = Frame::text("flood").bytes().repeat(20);
            while one.next().await.is_some_and(|frame| frame.first != 0x88) {
                if one.stream.write_all(&flood).await.is_err() {
                    break;
                }
            }
            drop(one);
            tokio::select! {
                next = sockets.peer() => peer = Some(next),
                () = settle_long() => {}
            }
        }
    });
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let handle = handle.clone();
        tasks.spawn(async move {
            let mut taken = 0_u64;
            for number in 0..500 {
                if task == 0 && number % 100 == 99 {
                    handle.reconnect().unwrap();
                }
                let sent = match (task + number) % 4 {
                    0 => handle.send("send").await,
                    1 => handle.try_send("try"),
                    2 => match handle.reserve(10).await {
                        Ok(permit) => permit.send("permit"),
                        Err(_) => continue,
                    },
                    _ => {
                        let _ = handle.ready().await;
                        handle.statistics().unwrap();
                        continue;
                    }
                };
                taken += u64::from(sent.is_ok());
            }
            taken
        });
    }
    let first = Arc::new(Notify::new());
    let has_first = Arc::clone(&first);
    let reader = tokio::spawn(async move {
        let mut messages = 0;
        while let Some(event) = events.next().await {
            if let gateway_tokio::ClientEvent::Message(_) = event {
                messages += 1;
                has_first.notify_one();
            }
        }
        messages
    });

    let mut taken = 0;
    while let Some(count) = within(tasks.join_next()).await {
        taken += count.unwrap();
    }
    // All of them may be done before the peer has answered once.
    within(handle.ready()).await.unwrap();
    within(handle.send("last")).await.unwrap();
    within(first.notified()).await;
    handle.close(CloseFrame::NORMAL).unwrap();
    within(handle.closed()).await;

    assert!(within(reader).await.unwrap() > 0);
    assert!(handle.statistics().unwrap().opened >= 2);
    assert!(taken > 100, "{taken} of 3,000");
    server.abort();
}

/// A socket that the client opens comes sooner.
async fn settle_long() {
    for _ in 0..1_000 {
        settle().await;
    }
}
