//! How many calls of the transport, and of the clock, a message costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt as _};
use gateway_tests::{
    Frame, Listener, calm, client, memory, now, pair, pair_with, settle, until, until_ready,
    while_polling, within,
};
use gateway_tokio::core::{ConnectionState, Notice, UnixMillis};
use gateway_tokio::{Builder, Client, ClientEvent, Message};

fn burst(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| Frame::text(number.to_string()).bytes()).collect()
}

#[tokio::test]
async fn one_send_without_any_further_poll_arrives() {
    let (mut client, sockets, mut peer) = pair(calm(), 1 << 20).await;

    client.send("alone").await.unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("alone"));
    assert_eq!(sockets.calls.take(), [0, 1, 1]);
}

#[tokio::test]
async fn one_send_without_any_further_poll_arrives_on_a_real_socket() {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).build().unwrap();
    let (mut peer, _) = while_polling(&mut client, listener.peer()).await;
    until_ready(&mut client).await;
    while_polling(&mut client, settle()).await;

    client.send("alone").await.unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("alone"));
}

#[tokio::test]
async fn news_that_wait_to_be_told_hold_no_message_back() {
    let (memory, mut sockets) = memory(1 << 20);
    let mut client = client("ws://gateway.example", calm()).dial(memory).build().unwrap();
    let connected = |event: &ClientEvent| {
        let to = ConnectionState::Connected;
        matches!(event, ClientEvent::Notice(Notice::StateChanged { to: state, .. }) if *state == to)
    };
    let (mut peer, _) = tokio::join!(sockets.peer(), until(&mut client, connected));
    assert!(client.is_ready(), "and the news of it waits");

    client.send("alone").await.unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("alone"));
}

#[tokio::test]
async fn a_plain_loop_of_next_and_send_writes_once_for_all_messages_of_one_read() {
    for count in [1, 2, 31, 32, 33, 500] {
        let (mut client, sockets, mut peer) = pair(calm(), 1 << 20).await;
        peer.write(burst(count)).await;

        for _ in 0..count {
            let Some(ClientEvent::Message(message)) = within(client.next()).await else { panic!() };
            client.send(message).await.unwrap();
        }

        assert_eq!(sockets.calls.take(), [1, 1, 1], "{count} messages");
        for number in 0..count {
            assert_eq!(within(peer.frame()).await, Frame::text(number.to_string()));
        }
    }
}

/// Answers each of so many messages of one read with so many bytes.
async fn answer_each(client: &mut Client, count: usize, bytes: usize) {
    for _ in 0..count {
        let Some(ClientEvent::Message(_)) = within(client.next()).await else { panic!() };
        within(client.send("x".repeat(bytes))).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_corked_is_written_once_it_is_much_and_not_at_the_end_alone() {
    let (mut client, sockets, mut peer) = pair(calm(), 1 << 20).await;
    peer.write(burst(1_000)).await;

    answer_each(&mut client, 160, 94).await; // 160 frames of 100 bytes are just less than 16 KiB
    assert_eq!(sockets.calls.take(), [1, 0, 0]);
    answer_each(&mut client, 4, 94).await;
    assert_eq!(sockets.calls.take(), [0, 1, 1]);

    answer_each(&mut client, 836, 94).await;
    assert_eq!(sockets.calls.take(), [0, 6, 6]);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_offered_each_message_that_is_corked() {
    let (mut client, sockets, mut peer) = pair(calm(), 20 << 10).await;
    sockets.calls.take_refused();
    peer.write(burst(2_000)).await;

    answer_each(&mut client, 1_999, 94).await;

    // 200,000 bytes, a tenth of them taken.
    let refused = sockets.calls.take_refused();
    assert!((1..=12).contains(&refused), "{refused} writes that took nothing");
}

#[tokio::test]
async fn an_answer_to_one_of_many_messages_leaves_before_the_next_read() {
    let (mut client, sockets, mut peer) = pair(calm(), 1 << 20).await;
    peer.write(burst(3)).await;
    within(client.next()).await;
    client.send("answer").await.unwrap();
    assert_eq!(sockets.calls.take(), [1, 0, 0], "corked: input waits to be returned");

    within(client.next()).await;
    within(client.next()).await;
    let (frame, _) = while_polling(&mut client, peer.frame()).await;

    assert_eq!(frame, Frame::text("answer"));
}

#[tokio::test]
async fn the_sinks_send_flushes_each_and_feed_batches() {
    let (mut client, sockets, _peer) = pair(calm(), 1 << 20).await;
    for _ in 0..10 {
        SinkExt::send(&mut client, Message::text("each")).await.unwrap();
    }
    assert_eq!(sockets.calls.take(), [0, 10, 10]);

    for _ in 0..10 {
        client.feed(Message::text("together")).await.unwrap();
    }
    assert_eq!(sockets.calls.take(), [0, 0, 0]);
    SinkExt::flush(&mut client).await.unwrap();
    assert_eq!(sockets.calls.take(), [0, 1, 1]);
}

#[tokio::test]
async fn a_sink_that_is_fed_with_input_waiting_flushes_all_the_same() {
    let (mut client, _sockets, mut peer) = pair(calm(), 1 << 20).await;
    peer.write(burst(3)).await;
    within(client.next()).await;

    within(SinkExt::send(&mut client, Message::text("now"))).await.unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("now"));
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_takes_its_time_is_waited_for() {
    let (mut client, sockets, mut peer) = pair(calm(), 1 << 20).await;
    sockets.switch.hold_flushes();
    client.feed(Message::text("slow")).await.unwrap();

    let release = async {
        settle().await;
        assert_eq!(sockets.calls.take(), [0, 1, 0]);
        sockets.switch.release_flushes();
    };
    let started = now();
    within(futures_util::future::join(client.flush(), release)).await.0.unwrap();

    assert_eq!(now(), started, "not by the wake-up of a timer that comes by");
    assert_eq!(sockets.calls.take(), [0, 0, 1]);
    assert_eq!(within(peer.frame()).await, Frame::text("slow"));
}

#[tokio::test]
async fn a_flush_without_a_socket_returns_at_once() {
    let (memory, _sockets) = memory(1);
    let mut client = client("ws://gateway.example", calm()).dial(memory).build().unwrap();

    within(client.flush()).await.unwrap();
}

#[tokio::test]
async fn a_spawned_client_writes_together_what_waits_together() {
    let (client, sockets, mut peer) = pair(calm(), 1 << 20).await;
    let (handle, mut events) = client.spawn();

    let sends = (0..100).map(|number| handle.send(number.to_string()));
    let numbers = within(futures_util::future::join_all(sends)).await;

    assert_eq!(numbers.len(), 100);
    for number in 0..100 {
        assert_eq!(within(peer.frame()).await, Frame::text(number.to_string()));
    }
    let [_, writes, _] = sockets.calls.take();
    assert!(writes <= 5, "{writes} writes");
    drop(peer);
    while !matches!(within(events.next()).await, Some(ClientEvent::Disconnected { .. })) {}
}

#[tokio::test]
async fn the_wall_clock_is_read_for_timers_and_never_for_a_frame() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let wall = move || UnixMillis(counted.fetch_add(1, Ordering::SeqCst) as u64);
    let counting = |builder: Builder| builder.wall_clock(wall);
    let (mut client, _sockets, mut peer) = pair_with(calm(), 1 << 20, counting).await;
    let before = looks.load(Ordering::SeqCst);

    for _ in 0..20 {
        peer.write(burst(500)).await;
        for _ in 0..500 {
            let Some(ClientEvent::Message(message)) = within(client.next()).await else { panic!() };
            client.send(message).await.unwrap();
        }
    }

    assert_eq!(looks.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn both_halves_of_a_split_client_write_and_read() {
    let (client, sockets, mut peer) = pair(calm(), 1 << 20).await;
    let (mut sink, mut stream) = client.split();
    peer.write(burst(200)).await;

    for _ in 0..200 {
        let Some(ClientEvent::Message(message)) = within(stream.next()).await else { panic!() };
        sink.feed(message).await.unwrap();
    }
    sink.flush().await.unwrap();

    assert_eq!(sockets.calls.take(), [1, 1, 1]);
    for number in 0..200 {
        assert_eq!(within(peer.frame()).await, Frame::text(number.to_string()));
    }
}
