//! Peers that flood, and applications that are too slow: everything stays bounded, and nothing
//! starves or spins.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt, StreamExt as _};
use gateway_tests::{
    Frame, calm, client, disconnected, elapse, memory, now, pair, settle, texts, while_polling,
    within,
};
use gateway_tokio::core::{
    CloseFrame, ConfigBuilder, ConnectionState, HeartbeatKind, Notice, SendRejection,
};
use gateway_tokio::{ClientEvent, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn beating() -> ConfigBuilder {
    calm()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(Duration::from_secs(30))
        .heartbeat_timeout(Duration::from_secs(5))
}

#[tokio::test(start_paused = true)]
async fn reading_goes_on_once_the_peer_takes_its_pongs() {
    let (mut client, _sockets, peer) = pair(calm(), 4_096).await;
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let pings = Frame::ping("x".repeat(100)).bytes().repeat(5_000);
    let flood = tokio::spawn(async move {
        writer.write_all(&pings).await.unwrap();
        writer.write_all(&Frame::text("after").bytes()).await.unwrap();
        writer
    });
    while_polling(&mut client, settle()).await;
    let pongs = tokio::spawn(async move {
        let (mut unread, mut count) = (Vec::new(), 0);
        while count < 5_000 {
            reader.read_buf(&mut unread).await.unwrap();
            while Frame::take(&mut unread).is_some() {
                count += 1;
            }
        }
    });

    let (_, events) = while_polling(&mut client, async {
        flood.await.unwrap();
        pongs.await.unwrap();
        settle().await;
    })
    .await;

    assert_eq!(texts(&events), ["after"]);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_piles_up_no_more_than_the_backlog_and_is_then_handed_back() {
    for payload in [0, 100] {
        let (mut client, _sockets, mut peer) = pair(calm(), 4_096).await;
        while client.feed(Message::text("x".repeat(1_000))).now_or_never().is_some() {}
        let bytes = Frame::text("x".repeat(payload)).bytes();
        let taken = AtomicUsize::new(0);

        let refused = tokio::select! {
            biased;
            () = async {
                loop {
                    peer.write(&bytes).await;
                    taken.fetch_add(bytes.len(), Ordering::SeqCst);
                    assert!(taken.load(Ordering::SeqCst) < 16 << 20, "it is bounded by nothing");
                }
            } => unreachable!("it writes for ever"),
            sent = client.send("waits") => sent.unwrap_err(),
            () = elapse(Duration::from_secs(60)) => panic!("two sides wait for each other"),
        };

        assert_eq!(refused.rejection(), SendRejection::Stalled);
        assert_eq!(refused.into_message().as_text(), Some("waits"));
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken < 2 << 20, "{taken} bytes were taken");
    }
}

#[tokio::test]
async fn the_halves_of_a_split_client_in_two_tasks_both_make_progress() {
    let (client, _sockets, mut peer) = pair(calm(), 256).await;
    let (mut sink, mut stream) = client.split();
    let server = tokio::spawn(async move {
        peer.echo().await;
    });
    let writer = tokio::spawn(async move {
        for number in 0..2_000 {
            sink.send(Message::text(number.to_string())).await.unwrap();
        }
        sink
    });
    let reader = tokio::spawn(async move {
        let mut number = 0;
        while number < 2_000 {
            if let Some(ClientEvent::Message(message)) = stream.next().await {
                assert_eq!(message.as_text().unwrap(), number.to_string());
                number += 1;
            }
        }
    });

    let mut sink = within(writer).await.unwrap();
    within(reader).await.unwrap();
    within(sink.close()).await.unwrap();
    within(server).await.unwrap();
}

#[tokio::test]
async fn a_stream_half_that_waits_is_woken_by_what_the_sink_half_reads() {
    let (client, _sockets, mut peer) = pair(calm(), 4_096).await;
    let (mut sink, mut stream) = client.split();
    let reader = tokio::spawn(async move {
        loop {
            if let Some(ClientEvent::Message(message)) = stream.next().await {
                return message;
            }
        }
    });
    settle().await;

    // The sink half is the last that polled: its waker alone would be woken.
    let sender =
        tokio::spawn(
            async move { sink.send(Message::text("x".repeat(8_000))).await.map(|()| sink) },
        );
    settle().await;
    peer.send(Frame::text("for the reader")).await;

    assert_eq!(within(reader).await.unwrap(), Message::text("for the reader"));
    peer.frame().await;
    let _sink = within(sender).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_spawned_client_with_a_full_queue_stops_reading_and_dies_of_nothing() {
    let (client, sockets, peer) = pair(beating(), 4_096).await;
    let (handle, mut events) = client.spawn();
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let pongs = tokio::spawn(async move {
        let mut unread = Vec::new();
        let mut heard = Vec::new();
        while reader.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
            while let Some(frame) = Frame::take(&mut unread) {
                heard.push(frame);
            }
        }
        heard
    });
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let flood = tokio::spawn(async move {
        for number in 0..60_000 {
            writer.write_all(&Frame::text(number.to_string()).bytes()).await.unwrap();
            count.store(number, Ordering::SeqCst);
        }
        writer
    });

    // Ten minutes in which the application takes nothing.
    elapse(Duration::from_secs(600)).await;
    let written = written.load(Ordering::SeqCst);
    // Each message also costs its place in the queue.
    assert!(written < 25_000, "the peer feels it after the backlog of 1 MiB, not at {written}");
    within(handle.send("we still write")).await.unwrap();

    let mut number = 0;
    while number < 60_000 {
        match within(events.next()).await.unwrap() {
            ClientEvent::Message(message) => {
                assert_eq!(message.as_text().unwrap(), number.to_string());
                number += 1;
            }
            ClientEvent::Disconnected { cause, .. } => panic!("{cause:?}"),
            _ => {}
        }
    }
    // From here on the heartbeat goes on: every byte that was read has shown that the peer lives.
    let writer = flood.await.unwrap();
    let pinged = async {
        while !matches!(events.next().await, Some(ClientEvent::Notice(Notice::PingSent { .. }))) {}
    };
    within(pinged).await;
    drop((writer, events));
    assert!(sockets.is_quiet());
    drop(handle);
    assert!(within(pongs).await.unwrap().contains(&Frame::text("we still write")));
}

/// Long messages fill the queue by their bytes, short ones by their count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_reaches_the_user_of_a_spawned_client_on_another_thread_whole_and_in_order() {
    const MESSAGES: usize = 10_000;
    let text = |number: usize| format!("{number} {}", "x".repeat(number / 1_000 % 2 * 12_000));
    let (client, _sockets, mut peer) = pair(calm(), 64 << 10).await;
    let (_handle, mut events) = client.spawn();
    let flood = tokio::spawn(async move {
        for number in 0..MESSAGES {
            peer.stream.write_all(&Frame::text(text(number)).bytes()).await.unwrap();
        }
        peer
    });

    let mut due = 0;
    while due < MESSAGES {
        let Some(event) = within(events.next()).await else { panic!("it ended at {due}") };
        if let ClientEvent::Message(message) = event {
            assert_eq!(message.as_text(), Some(text(due).as_str()));
            due += 1;
        }
    }
    drop(within(flood).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_spawned_client_that_is_closed_with_a_full_queue_lets_others_run() {
    let (client, _sockets, mut peer) = pair(calm(), 1 << 20).await;
    let (handle, mut events) = client.spawn();
    peer.write(Frame::text("x").bytes().repeat(1_000)).await;
    settle().await;

    handle.close(CloseFrame::NORMAL).unwrap();
    elapse(Duration::from_secs(10)).await; // past the close timeout: CLOSED, with events that wait

    let (mut messages, mut last) = (0, None);
    while let Some(event) = within(events.next()).await {
        messages += usize::from(matches!(event, ClientEvent::Message(_)));
        last = Some(event);
    }
    assert!(messages > 256);
    assert!(matches!(last, Some(ClientEvent::Notice(Notice::StateChanged { .. }))), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_closes_does_not_wake_itself_for_ever() {
    let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
    let started = now();
    let mut polls = 0;
    let mut close = Box::pin(SinkExt::close(&mut client));
    // The task is woken once by something else, in the middle of the close.
    let mut other = Box::pin(elapse(Duration::from_millis(500)).boxed());

    let closed = poll_fn(|cx| {
        polls += 1;
        assert!(polls < 100, "it spins");
        if other.poll_unpin(cx).is_ready() {
            other = Box::pin(std::future::pending().boxed());
        }
        close.poll_unpin(cx)
    });
    within(closed).await.unwrap();

    assert!(now() - started >= Duration::from_secs(2), "the close timeout has passed");
}

#[tokio::test]
async fn a_peer_whose_bytes_never_end_keeps_no_ping_from_leaving() {
    let interval = Duration::from_millis(20);
    let config = calm()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(interval)
        .heartbeat_timeout(interval);
    let (mut client, sockets, mut peer) = pair(config, 4_096).await;

    sockets.switch.babble(Frame::pong("unasked").bytes().repeat(10));
    let (_, events) = while_polling(&mut client, async {
        for _ in 0..5 {
            assert!(peer.frame().await.is_heartbeat());
        }
    })
    .await;

    assert!(texts(&events).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_spawned_client_queues_no_more_bytes_than_its_backlog() {
    let (memory, mut sockets) = memory(64 << 10);
    let client = client("ws://gateway.example", calm()).dial(memory).build().unwrap();
    let (_handle, _events) = client.spawn();
    let mut peer = sockets.peer().await;
    let message = Frame::binary(vec![7; 1 << 20]).bytes();
    let mut taken = 0;

    while taken < 100
        && tokio::time::timeout(Duration::from_secs(60), peer.write(&message)).await.is_ok()
    {
        taken += 1;
    }

    assert!(taken < 8, "{taken} MiB were taken for an application that takes nothing");
}

#[test]
fn a_client_may_be_closed_before_there_is_a_runtime() {
    let (memory, sockets) = memory(1);
    let mut client = client("ws://gateway.example", calm()).dial(memory).build().unwrap();

    client.close(CloseFrame::NORMAL);

    assert_eq!(client.state(), ConnectionState::Closed);
    assert!(sockets.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn a_slow_application_kills_no_link_and_the_pings_still_leave() {
    let (mut client, sockets, mut peer) = pair(beating(), 1 << 16).await;
    let burst: Vec<u8> = (0..500).flat_map(|n| Frame::text(n.to_string()).bytes()).collect();
    peer.write(burst).await;
    let pongs = tokio::spawn(async move {
        let mut pings = 0;
        while let Some(frame) = peer.next().await {
            assert!(frame.is_heartbeat(), "{frame:?}");
            pings += 1;
            peer.send(Frame::text(r#"{"type":"pong"}"#)).await;
        }
        pings
    });

    let mut events = Vec::new();
    while texts(&events).len() < 500 {
        elapse(Duration::from_secs(1)).await;
        events.push(client.next().await.unwrap());
    }
    assert_eq!(disconnected(&events), []);
    assert!(sockets.is_quiet());
    drop(client);

    // One event comes each second, and the clock is read with every eighth. So an interval takes less
    // than 38 s, and 500 s hold at least 13 of them.
    let pings = pongs.await.unwrap();
    assert!(pings >= 13, "{pings}");
}
