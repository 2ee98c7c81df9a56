//! Every accepted message has exactly one outcome, and it is true.

use futures_util::{FutureExt as _, SinkExt as _};
use gateway_tests::{
    Frame, Listener, Peer, Sockets, Tally, calm, client, memory, settle, until_ready, while_polling,
};
use gateway_tokio::core::{CloseFrame, SendRejection, SocketId};
use gateway_tokio::{Builder, Client, ClientEvent, Fate, Message};
use tokio::io::{AsyncReadExt as _, DuplexStream};

/// A ready client on a socket in memory that holds little, and its peer.
async fn pair(more: impl FnOnce(Builder) -> Builder) -> (Client, Sockets, Peer<DuplexStream>) {
    let (memory, mut sockets) = memory(2_000);
    let builder = client("ws://gateway.example", calm()).dial(memory);
    let mut client = more(builder).build().unwrap();
    let (peer, _) = while_polling(&mut client, sockets.peer()).await;
    until_ready(&mut client).await;
    while_polling(&mut client, settle()).await;
    (client, sockets, peer)
}

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
async fn a_death_sorts_every_message_and_the_peers_view_agrees() {
    let (mut client, mut sockets, mut peer) = pair(|builder| builder.report_sent(true)).await;
    let taken = fill(&mut client).await;
    assert!(taken > 1_000, "256 KiB hold more than {taken}");
    let (_, events) = while_polling(&mut client, settle()).await;
    let mut tally = Tally::default();
    tally.add(&events);

    sockets.switch.kill();
    // What the transport took the peer reads, to the last byte.
    let mut bytes = Vec::new();
    let (_, events) = while_polling(&mut client, peer.stream.read_to_end(&mut bytes)).await;
    tally.add(&events);
    sockets.switch.revive();
    let (_, events) = while_polling(&mut client, sockets.peer()).await;
    tally.add(&events);

    assert!(tally.numbers().eq(1..=taken), "each has an outcome");
    let mut arrived = Vec::new();
    while let Some(frame) = Frame::take(&mut bytes) {
        arrived.push(frame.as_text().parse::<u64>().unwrap());
    }
    let whole = arrived.len() as u64;
    assert!(arrived.iter().copied().eq(1..=whole));
    let socket = SocketId::new(1);
    for number in 1..=taken {
        let fate = tally.fate(number).unwrap();
        match number {
            _ if number <= whole => assert_eq!(fate, Fate::Sent { socket }, "{number}"),
            // The message of which the peer has a part.
            _ if number == whole + 1 => assert_eq!(fate, Fate::MaybeSent { socket }, "{number}"),
            _ => assert_eq!(fate, Fate::Rejected, "{number}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_report_sent_only_what_was_not_sent_is_told() {
    let (mut client, sockets, peer) = pair(|builder| builder).await;
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
async fn what_was_taken_and_not_flushed_is_maybe_sent() {
    let (mut client, sockets, mut peer) = pair(|builder| builder.report_sent(true)).await;
    sockets.switch.hold_flushes();
    assert!(client.send(numbered(1)).now_or_never().is_none(), "it waits for its flush");
    assert_eq!(peer.frame().await, Frame::text(numbered(1)));

    sockets.switch.kill();
    let (_, events) = while_polling(&mut client, settle()).await;

    let mut tally = Tally::default();
    tally.add(&events);
    assert_eq!(tally.fate(1), Some(Fate::MaybeSent { socket: SocketId::new(1) }));
}

#[tokio::test(start_paused = true)]
async fn corked_messages_are_rejected_when_the_socket_dies_under_them() {
    let (mut client, sockets, _peer) = pair(|builder| builder).await;
    for number in 1..=3 {
        client.feed(Message::text(numbered(number))).await.unwrap();
    }

    sockets.switch.kill();
    let (_, events) = while_polling(&mut client, settle()).await;

    let mut tally = Tally::default();
    tally.add(&events);
    assert_eq!(tally.counts(), [0, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_outcomes_come_after_the_news_of_the_death_and_before_the_next_attempt() {
    let (mut client, sockets, _peer) = pair(|builder| builder).await;
    client.feed(Message::text("corked")).await.unwrap();

    sockets.switch.kill();
    let (_, events) = while_polling(&mut client, settle()).await;

    let at = |fits: fn(&ClientEvent) -> bool| events.iter().position(fits).unwrap();
    let gone = at(|event| matches!(event, ClientEvent::Disconnected { .. }));
    let outcome = at(|event| matches!(event, ClientEvent::Outcome(_)));
    assert!(gone < outcome);
}

#[tokio::test(start_paused = true)]
async fn messages_before_a_close_are_sent_and_told_so() {
    let (mut client, _sockets, mut peer) = pair(|builder| builder.report_sent(true)).await;
    for number in 1..=3 {
        client.feed(Message::text(numbered(number))).await.unwrap();
    }
    client.close(CloseFrame::NORMAL);

    let (frames, mut events) = while_polling(&mut client, async {
        let mut frames = Vec::new();
        while frames.len() < 4 {
            frames.push(peer.frame().await);
        }
        peer.send(frames[3].clone()).await;
        frames
    })
    .await;
    events.extend(gateway_tests::drain(&mut client).await);

    assert_eq!(frames[3], Frame::close(1000, ""));
    let mut tally = Tally::default();
    tally.add(&events);
    assert_eq!(tally.counts(), [3, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_farewell_whose_flush_fails_is_not_called_sent() {
    let (mut client, sockets, mut peer) = pair(|builder| builder.report_sent(true)).await;
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

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_taken_comes_back() {
    let (memory, mut sockets) = memory(2_000);
    let mut client = client("ws://gateway.example", calm()).dial(memory).build().unwrap();

    let error = client.send("too early").await.unwrap_err();
    assert_eq!(error.rejection(), SendRejection::NotReady);
    assert_eq!(error.into_message(), Message::text("too early"));

    let (_peer, _) = while_polling(&mut client, sockets.peer()).await;
    until_ready(&mut client).await;
    client.close(CloseFrame::NORMAL);
    let error = client.send("too late").await.unwrap_err();
    assert_eq!(error.rejection(), SendRejection::Closed);
    assert_eq!(error.into_message(), Message::text("too late"));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_room_goes_on_when_the_peer_reads_again() {
    let (mut client, _sockets, mut peer) = pair(|builder| builder).await;
    let taken = fill(&mut client).await;
    let reader = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while numbers.len() as u64 <= taken {
            numbers.push(peer.frame().await.as_text().parse::<u64>().unwrap());
        }
        numbers
    });

    let id = gateway_tests::within(client.send(numbered(taken + 1))).await.unwrap();

    assert_eq!(id.number(), taken + 1);
    let (arrived, _) = while_polling(&mut client, reader).await;
    assert!(arrived.unwrap().into_iter().eq(1..=taken + 1));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_room_ends_with_its_socket() {
    let (mut client, sockets, _peer) = pair(|builder| builder).await;
    fill(&mut client).await;
    let switch = std::sync::Arc::clone(&sockets.switch);
    tokio::spawn(async move { switch.kill() });

    let error = gateway_tests::within(client.send("no room")).await.unwrap_err();

    assert_eq!(error.into_message(), Message::text("no room"));
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
