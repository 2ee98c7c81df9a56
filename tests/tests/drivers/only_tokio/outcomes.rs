//! Every accepted message has exactly one outcome, and it is true.

use futures_util::{FutureExt as _, SinkExt as _};
use gateway_tests::{
    Frame, Listener, Tally, calm, client, pair, pair_with, settle, until_ready, while_polling,
};
use gateway_tokio::core::SocketId;
use gateway_tokio::{Client, ClientEvent, Fate, Message};

fn numbered(number: u64) -> String {
    format!("{number:0>100}")
}

/// Corks messages until the write buffer is full; says how many were taken.
async fn fill(client: &mut Client) -> u64 {
    let mut taken = 0;
    while client.feed(Message::text(numbered(taken + 1))).now_or_never().is_some() {
        taken += 1;
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn without_report_sent_only_what_was_not_sent_is_told() {
    let (mut client, sockets, peer) = pair(calm(), 2_000).await;
    for number in 1..=5 {
        client.send(numbered(number)).await.unwrap();
    }
    let taken = 5 + fill(&mut client).await;

    sockets.switch.kill();
    drop(peer);
    let (_, events) = while_polling(&mut client, settle()).await;
    let mut tally = Tally::default();
    tally.add(&events);

    let [sent, maybe_sent, rejected] = tally.counts();
    assert_eq!(sent, 0);
    assert!(maybe_sent <= 1);
    let first = tally.numbers().next().unwrap();
    assert_eq!((maybe_sent + rejected) as u64, taken - first + 1);
    assert!(first > 5, "what was flushed is sent");
}

#[tokio::test(start_paused = true)]
async fn the_outcomes_come_after_the_news_of_the_death_and_before_the_next_attempt() {
    let (mut client, sockets, _peer) = pair(calm(), 2_000).await;
    client.feed(Message::text("corked")).await.unwrap();

    sockets.switch.kill();
    let (_, events) = while_polling(&mut client, settle()).await;

    let at = |fits: fn(&ClientEvent) -> bool| events.iter().position(fits).unwrap();
    let gone = at(|event| matches!(event, ClientEvent::Disconnected { .. }));
    let outcome = at(|event| matches!(event, ClientEvent::Outcome(_)));
    assert!(gone < outcome);
}

#[tokio::test(start_paused = true)]
async fn a_farewell_whose_flush_fails_is_not_called_sent() {
    let (mut client, sockets, mut peer) =
        pair_with(calm(), 2_000, |builder| builder.report_sent(true)).await;
    sockets.switch.hold_flushes();
    assert!(client.send(numbered(1)).now_or_never().is_none(), "it waits for its flush");
    sockets.switch.fail_flushes();

    // The peer's Close ends the socket with an answering Close, whose flush fails.
    let (_, events) = while_polling(&mut client, async {
        peer.send(Frame::close(1012, "")).await;
        settle().await;
    })
    .await;

    let mut tally = Tally::default();
    tally.add(&events);
    assert_eq!(tally.fate(1), Some(Fate::MaybeSent { socket: SocketId::new(1) }));
}

#[tokio::test]
async fn on_a_real_socket_that_is_reset_the_outcomes_add_up() {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).report_sent(true).build().unwrap();
    let (mut peer, _) = while_polling(&mut client, listener.peer()).await;
    until_ready(&mut client).await;

    // The server reads a little and no more: its window, and then our buffer, fill up.
    let mut taken = 0;
    let mut tally = Tally::default();
    let large = "x".repeat(50_000);
    while client.feed(Message::text(large.as_str())).now_or_never().is_some() {
        taken += 1;
        let _ = client.flush().now_or_never();
    }
    let arrived = [peer.frame().await, peer.frame().await];
    peer.stream.set_zero_linger().unwrap();
    drop(peer);
    let (_, events) = while_polling(&mut client, listener.peer()).await;
    tally.add(&events);

    assert_eq!(arrived.each_ref().map(|frame| frame.payload.len()), [50_000; 2]);
    assert_eq!(tally.counts().iter().sum::<usize>(), taken);
    for number in 1..=2 {
        assert_ne!(tally.fate(number), Some(Fate::Rejected), "message {number} arrived");
    }
    assert_eq!(tally.fate(taken as u64), Some(Fate::Rejected), "the last was never begun");
}
