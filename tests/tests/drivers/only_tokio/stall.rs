//! A peer that accepts nothing: a waiting `send` or `flush` returns after `send_stall`, and no
//! message is lost without an outcome.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt};
use gateway_tests::{
    Frame, Peer, calm, elapse, now, pair, pair_with, serve, settle, while_polling, within,
};
use gateway_tokio::core::{HeartbeatKind, SendRejection};
use gateway_tokio::{Client, ClientEvent, FlushErrorKind, Message, SinkError};
use tokio::io::{AsyncReadExt as _, DuplexStream};

/// The default of `send_stall`.
const STALL: Duration = Duration::from_secs(10);

/// The runtime's timers count whole milliseconds, and round up.
const TICK: Duration = Duration::from_millis(2);

/// Fills the write buffer; how many messages that took.
fn fill(client: &mut Client) -> usize {
    (0..).take_while(|_| client.try_send("x".repeat(1_000)).is_ok()).count()
}

/// Reads so many bytes each second.
async fn sip(peer: &mut Peer<DuplexStream>, bytes: usize) {
    let mut buffer = vec![0; bytes];
    loop {
        elapse(Duration::from_secs(1)).await;
        peer.stream.read_exact(&mut buffer).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_without_space_is_handed_back_once_the_transport_took_nothing_for_send_stall() {
    let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let started = now();

    let refused = within(client.send("waits")).await.unwrap_err();

    assert_eq!(refused.rejection(), SendRejection::Stalled);
    assert_eq!(refused.into_message().as_text(), Some("waits"));
    assert!((STALL..=STALL + TICK).contains(&(now() - started)), "{:?}", now() - started);
}

#[tokio::test(start_paused = true)]
async fn a_send_waits_as_long_as_the_transport_takes_something() {
    let (mut client, _sockets, mut peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let started = now();

    let sent = tokio::select! {
        sent = client.send("waits") => sent,
        () = sip(&mut peer, 1_000) => unreachable!("it reads for ever"),
    };

    sent.unwrap();
    assert!(now() - started > 20 * STALL, "256 KiB at 1,000 bytes a second");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_come_in_do_not_keep_a_send_waiting() {
    let (mut client, _sockets, mut peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let started = now();
    let talk = async {
        loop {
            elapse(Duration::from_secs(1)).await;
            peer.send(Frame::text("I never read")).await;
        }
    };

    let refused = tokio::select! {
        refused = client.send("waits") => refused.unwrap_err(),
        () = talk => unreachable!("it talks for ever"),
    };

    assert_eq!(refused.rejection(), SendRejection::Stalled);
    assert!(now() - started <= STALL + TICK);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_taken_is_waited_for_once_and_not_by_each_send_behind_it() {
    let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
    let started = now();

    for _ in 0..50 {
        within(client.send("x".repeat(1_000))).await.unwrap();
    }

    assert!(now() - started <= STALL + TICK, "{:?}", now() - started);
}

#[tokio::test(start_paused = true)]
async fn a_lost_socket_ends_the_wait_of_a_send_at_once() {
    let (mut client, sockets, _peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let started = now();

    let lose = async {
        settle().await;
        sockets.switch.kill();
    };
    let (refused, ()) = within(futures_util::future::join(client.send("waits"), lose)).await;

    let refused = refused.unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::NotReady);
    assert_eq!(refused.into_message().as_text(), Some("waits"));
    assert_eq!(now(), started);
}

#[tokio::test(start_paused = true)]
async fn the_heartbeat_goes_on_while_a_send_waits() {
    let interval = Duration::from_secs(2);
    let config = calm().heartbeat(HeartbeatKind::Json).heartbeat_interval(interval);
    let (mut client, _sockets, _peer) = pair(config.heartbeat_timeout(interval), 4_096).await;
    fill(&mut client);

    // The peer is silent: it is dead before the wait stalls.
    let refused = within(client.send("waits")).await.unwrap_err();

    assert_eq!(refused.rejection(), SendRejection::NotReady);
    assert_eq!(client.statistics().opened, 1);
    assert!(client.statistics().last_disconnect.is_some());
}

#[tokio::test(start_paused = true)]
async fn two_sides_that_wait_for_each_other_part_and_nothing_is_lost() {
    let (mut client, _sockets, mut peer) = pair(calm(), 4_096).await;
    const FLOOD: usize = 20_000;
    // Reads nothing before all of its own is read.
    let server = tokio::spawn(async move {
        peer.write(Frame::text("x".repeat(200)).bytes().repeat(FLOOD)).await;
        let mut answers = 0;
        while peer.next().await.is_some_and(|frame| frame.first == 0x81) {
            answers += 1;
        }
        answers
    });

    let (mut answered, mut stalled) = (0, 0);
    let mut unanswered = VecDeque::new();
    while answered < FLOOD {
        let message = match unanswered.pop_front() {
            Some(message) => message,
            None => next_message(&mut client).await,
        };
        let Err(refused) = client.send(message).await else {
            answered += 1;
            continue;
        };
        assert_eq!(refused.rejection(), SendRejection::Stalled);
        stalled += 1;
        unanswered.push_front(refused.into_message());
        while let Some(Some(ClientEvent::Message(message))) = client.next().now_or_never() {
            unanswered.push_back(message);
        }
    }
    client.flush().await.unwrap();
    drop(client);

    assert!(stalled > 0);
    assert_eq!((answered, server.await.unwrap()), (FLOOD, FLOOD));
}

async fn next_message(client: &mut Client) -> Message {
    loop {
        if let Some(ClientEvent::Message(message)) = client.next().await {
            return message;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_stalls_says_so_and_a_later_one_goes_on() {
    let (mut client, _sockets, mut peer) = pair_with(calm(), 4_096, |b| b.name("feed-7")).await;
    client.try_send("x".repeat(10_000)).unwrap();
    let started = now();

    let stalled = within(client.flush()).await.unwrap_err();
    assert_eq!((stalled.kind(), stalled.name()), (FlushErrorKind::Stalled, Some("feed-7")));
    assert!(stalled.to_string().starts_with("feed-7: the transport took no byte"), "{stalled}");
    assert!((STALL..=STALL + TICK).contains(&(now() - started)));

    let (flushed, frame) = futures_util::future::join(client.flush(), peer.frame()).await;
    assert_eq!((flushed, frame), (Ok(()), Frame::text("x".repeat(10_000))));
}

#[tokio::test(start_paused = true)]
async fn a_sink_says_whether_its_message_was_taken_when_it_stalls() {
    let (mut client, _sockets, mut peer) = pair_with(calm(), 4_096, |b| b.name("feed-7")).await;

    let taken = within(SinkExt::send(&mut client, Message::text("x".repeat(10_000)))).await;
    assert!(
        matches!(&taken, Err(SinkError::Flush(error)) if error.kind() == FlushErrorKind::Stalled),
        "{taken:?}"
    );
    let filled = fill(&mut client);
    let refused = within(client.feed(Message::text("waits"))).await;
    let Err(refused @ SinkError::Stalled { .. }) = refused else { panic!("{refused:?}") };
    assert!(refused.to_string().starts_with("feed-7: the write buffer is full"), "{refused}");

    let (flushed, _) = futures_util::future::join(SinkExt::flush(&mut client), async {
        for _ in 0..=filled {
            peer.frame().await;
        }
    })
    .await;
    flushed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn both_halves_of_a_split_client_go_on_when_the_sink_stalls() {
    let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let (mut sink, mut stream) = futures_util::StreamExt::split(client);
    let reader = tokio::spawn(async move {
        // It is this half that the timer wakes as well.
        futures_util::StreamExt::next(&mut stream).await
    });

    let refused = within(sink.send(Message::text("waits"))).await;

    assert!(matches!(refused, Err(SinkError::Stalled { .. })), "{refused:?}");
    reader.abort();
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_shortens_no_later_wait() {
    let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    assert!(tokio::time::timeout(STALL / 2, client.send("dropped")).await.is_err());
    while_polling(&mut client, elapse(2 * STALL)).await;
    let started = now();

    let refused = within(client.send("waits")).await.unwrap_err();

    assert_eq!(refused.rejection(), SendRejection::Stalled);
    assert!(now() - started >= STALL);
}

#[tokio::test(start_paused = true)]
async fn all_messages_that_wait_for_a_spawned_client_are_handed_back_when_it_stalls() {
    let (mut client, _sockets, mut peer) = pair(calm(), 4_096).await;
    let filled = fill(&mut client);
    let (handle, _events) = client.spawn();
    let started = now();

    for _ in 0..2 {
        let sends = (0..20).map(|number| handle.send(number.to_string()));
        let refused = within(futures_util::future::join_all(sends)).await;
        for (number, refused) in refused.into_iter().enumerate() {
            let refused = refused.unwrap_err();
            assert_eq!(refused.rejection(), SendRejection::Stalled);
            assert_eq!(refused.into_message().as_text(), Some(number.to_string().as_str()));
        }
    }
    assert!((2 * STALL..=2 * (STALL + TICK)).contains(&(now() - started)));

    let send = handle.send("taken");
    let read = async {
        for _ in 0..filled {
            peer.frame().await;
        }
        peer.frame().await
    };
    let (sent, frame) = within(futures_util::future::join(send, read)).await;
    sent.unwrap();
    assert_eq!(frame, Frame::text("taken"));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_a_spawned_client_is_handed_back_when_it_closes() {
    let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
    fill(&mut client);
    let (handle, _events) = client.spawn();

    let close = async {
        settle().await;
        handle.close(gateway_tokio::core::CloseFrame::NORMAL).unwrap();
    };
    let (refused, ()) = within(futures_util::future::join(handle.send("waits"), close)).await;

    assert_eq!(refused.unwrap_err().rejection(), SendRejection::Closed);
}

#[test]
fn a_span_that_is_too_short_or_too_long_is_refused_by_name() {
    for (span, is_valid) in [
        (Duration::from_millis(99), false),
        (Duration::from_millis(100), true),
        (Duration::from_secs(3_600), true),
        (Duration::from_millis(3_600_001), false),
        (Duration::MAX, false),
    ] {
        let built = gateway_std::Client::builder("ws://localhost").send_stall(span).build();
        match built {
            Ok(_) => assert!(is_valid, "{span:?}"),
            Err(errors) => {
                assert!(!is_valid, "{span:?}");
                let errors = errors.to_string();
                assert!(
                    errors.contains("send_stall") && errors.contains("100ms to 1h"),
                    "{errors}"
                );
            }
        }
    }
}

/// A blocking client of a server that reads nothing until the test allows it.
fn blocking() -> (gateway_std::Client, std::sync::mpsc::Sender<()>, gateway_tests::Served<usize>) {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let server = serve(async move |listener| {
        let mut peer = listener.peer().await;
        let _ = tokio::task::spawn_blocking(move || wait.recv()).await;
        let mut messages = 0;
        while peer.next().await.is_some_and(|frame| frame.first == 0x82) {
            messages += 1;
        }
        messages
    });
    let builder = gateway_std::Client::builder(&server.url).config(calm().build().unwrap());
    let mut client = builder.seed(7).send_stall(Duration::from_millis(100)).build().unwrap();
    while !client.is_ready() {
        client.recv().unwrap();
    }
    (client, go, server)
}

#[test]
fn a_blocking_send_and_those_of_other_threads_are_handed_back_when_the_peer_takes_nothing() {
    let (mut client, go, server) = blocking();
    let mut taken = 0;
    let refused = loop {
        match client.send(vec![7; 1 << 20]) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.rejection(), SendRejection::Stalled);
    assert_eq!(refused.into_message().len(), 1 << 20);

    // These wait in the mailbox, first while this thread waits for a flush, then while it waits for events.
    let sender = client.sender();
    let early = sender.enqueue(vec![1; 10]).unwrap();
    assert_eq!(client.flush().unwrap_err().kind(), FlushErrorKind::Stalled);
    assert_eq!(early.wait().unwrap_err().rejection(), SendRejection::Stalled);
    let late = std::thread::spawn(move || sender.send(vec![2; 10]));
    while !late.is_finished() {
        let _ = client.recv_timeout(Duration::from_millis(10));
    }
    let refused = late.join().unwrap().unwrap_err();
    assert_eq!(refused.rejection(), SendRejection::Stalled);
    assert_eq!(refused.into_message().len(), 10);

    go.send(()).unwrap();
    client.send(vec![3; 10]).unwrap();
    client.flush().unwrap();
    drop(client);
    assert_eq!(server.join(), taken + 1);
}

/// Begins to flush the sink, with a message that the transport does not take whole, and drops that future.
fn cut_off_a_flush(client: &mut Client) {
    client.try_send("x".repeat(10_000)).unwrap();
    assert!(SinkExt::flush(client).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_flush_of_the_sink_that_was_cut_off_waits_for_what_was_sent_since() {
    for way in ["try_send", "send", "feed"] {
        let (mut client, _sockets, mut peer) = pair(calm(), 4_096).await;
        cut_off_a_flush(&mut client);

        let second = "y".repeat(10_000);
        match way {
            "try_send" => assert!(client.try_send(second).is_ok()),
            "send" => assert!(client.send(second).now_or_never().is_none()),
            _ => client.feed(Message::text(second)).await.unwrap(),
        }

        let read_first = async {
            peer.frame().await;
            settle().await;
        };
        tokio::select! {
            biased;
            flushed = SinkExt::flush(&mut client) => panic!("{way}: {flushed:?}, and it is not written"),
            () = read_first => {}
        }
        let (flushed, _) =
            futures_util::future::join(SinkExt::flush(&mut client), peer.frame()).await;
        flushed.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_of_the_sink_that_was_cut_off_stalls_also_behind_another_wait_that_did() {
    for way in ["flush", "send", "feed"] {
        let (mut client, _sockets, _peer) = pair(calm(), 4_096).await;
        cut_off_a_flush(&mut client);
        fill(&mut client);
        assert!(SinkExt::flush(&mut client).now_or_never().is_none());

        match way {
            "flush" => assert_eq!(
                within(client.flush()).await.unwrap_err().kind(),
                FlushErrorKind::Stalled
            ),
            "send" => assert!(within(client.send("waits")).await.is_err()),
            _ => assert!(within(client.feed(Message::text("waits"))).await.is_err()),
        }

        let flushed = within(SinkExt::flush(&mut client)).await;
        assert!(
            matches!(&flushed, Err(SinkError::Flush(error)) if error.kind() == FlushErrorKind::Stalled),
            "{way}: {flushed:?}"
        );
    }
}
