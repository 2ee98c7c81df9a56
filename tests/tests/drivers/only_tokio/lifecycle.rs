//! Tasks that wait are woken, and the end of a socket is read to its last byte.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::Stream as _;
use gateway_tests::{
    Frame, Peer, Sockets, calm, client, disconnected, drain, memory, now, pair, settle,
    while_polling,
};
use gateway_tokio::core::{
    CloseFrame, ConfigBuilder, GiveUpCause, Login, Notice, SendRejection, Verdict,
};
use gateway_tokio::{Client, ClientEvent, EndKind, Message};
use tokio::io::DuplexStream;

/// A client whose own login is under way, in a task of its own that takes its events.
async fn shared(config: ConfigBuilder) -> (Arc<Mutex<Client>>, Sockets, Peer<DuplexStream>) {
    let (client, sockets, peer) = pair(config, 1 << 16).await;
    let client = Arc::new(Mutex::new(client));
    let polled = Arc::clone(&client);
    tokio::spawn(async move {
        while poll_fn(|cx| Pin::new(&mut *polled.lock().unwrap()).poll_next(cx)).await.is_some() {}
    });
    settle().await;
    (client, sockets, peer)
}

#[tokio::test(start_paused = true)]
async fn a_verdict_on_an_external_login_wakes_the_task_that_polls_the_client() {
    let external = Login::External { timeout: Duration::from_secs(3_600) };
    for is_ready in [false, true] {
        let (client, _sockets, mut peer) = shared(calm().login(external.clone())).await;
        if is_ready {
            client.lock().unwrap().login_accepted();
            settle().await;
        }

        client.lock().unwrap().login_rejected(Verdict::Fatal);

        assert_eq!(peer.frame().await, Frame::close(1001, ""));
        settle().await;
        assert_eq!(client.lock().unwrap().gave_up(), Some(GiveUpCause::LoginRefused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_space_is_refused_with_the_login() {
    let external = Login::External { timeout: Duration::from_secs(3_600) };
    let config = || calm().login(external.clone()).close_timeout(Duration::from_secs(60));
    let large = || Message::binary(vec![0; 60_000]);
    let (mut client, _sockets, _peer) = pair(config(), 1 << 16).await;
    while client.try_send(large()).is_ok() {}
    let started = now();
    client.login_rejected(Verdict::Fatal);
    let error = client.send(large()).await.unwrap_err();
    assert_eq!((error.rejection(), now()), (SendRejection::NotReady, started));

    let (client, _sockets, _peer) = pair(config(), 1 << 16).await;
    let (handle, mut events) = client.spawn();
    tokio::spawn(async move { while events.next().await.is_some() {} });
    let sender = handle.clone();
    let waiting = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.send(large()).await {
                break error.rejection();
            }
        }
    });
    settle().await; // the write buffer is full, and one waits
    let started = now();
    handle.login_rejected(Verdict::Fatal).unwrap();
    assert_eq!((waiting.await.unwrap(), now()), (SendRejection::NotReady, started));
}

#[tokio::test(start_paused = true)]
async fn a_wish_from_another_task_wakes_the_one_that_polls() {
    let slow = Duration::from_secs(30);
    let (memory, mut sockets) = memory(1 << 16);
    let config = calm().max_delay(slow).initial_delay(slow);
    let client = client("ws://gateway.example", config).dial(memory).build().unwrap();
    let (handle, mut events) = client.spawn();
    drop(sockets.stream().await);
    while !matches!(events.next().await, Some(ClientEvent::Notice(Notice::RetryScheduled { .. }))) {
    }
    let started = now();

    handle.connect().unwrap();
    sockets.stream().await;
    handle.close(CloseFrame::NORMAL).unwrap();
    while events.next().await.is_some() {}

    assert_eq!(now() - started, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_polled_client_waits_for_its_states_too() {
    let (memory, mut sockets) = memory(1 << 16);
    let builder = client("ws://gateway.example", calm()).dial(memory).name("feed-7");
    let mut client = builder.build().unwrap();
    assert_eq!(client.name(), Some("feed-7"));

    let (ready, mut peer) = tokio::join!(client.ready(), sockets.peer());
    ready.unwrap();
    assert!(client.is_ready());
    client.close(CloseFrame::NORMAL);
    let (end, ()) = tokio::join!(client.closed(), async {
        assert_eq!(peer.frame().await, Frame::close(1000, ""));
        peer.send(Frame::close(1000, "")).await;
    });

    assert_eq!(
        (end.kind(), client.ready().await.unwrap_err().kind()),
        (EndKind::Closed, EndKind::Closed)
    );
    let events = drain(&mut client).await;
    assert!(matches!(events.last(), Some(ClientEvent::Notice(Notice::StateChanged { .. }))));
    assert!(client.send("late").await.unwrap_err().to_string().starts_with("feed-7: "));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_client_hangs_up_without_a_close() {
    let (client, _sockets, mut peer) = pair(calm(), 1 << 16).await;
    drop(client);
    assert_eq!(peer.rest().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_came_before_a_write_failed_is_heard() {
    let (mut client, sockets, mut peer) = pair(calm(), 1 << 16).await;
    peer.send(Frame::close(1008, "who are you")).await;
    sockets.switch.fail_writes();

    client.send("anybody?").await.unwrap();
    let events = drain(&mut client).await;

    assert_eq!(client.gave_up(), Some(GiveUpCause::CloseCode(1008)));
    assert_eq!(disconnected(&events).len(), 1);
    let stale = |event: &ClientEvent| matches!(event, ClientEvent::Notice(Notice::Stale { .. }));
    assert!(!events.iter().any(stale), "{events:?}");
}

#[tokio::test]
async fn a_socket_that_is_left_has_its_input_read_lest_a_reset_overtakes_the_close() {
    let (mut client, sockets, mut peer) = pair(calm(), 1 << 17).await;
    sockets.calls.take();
    let flood = Frame::binary([0; 1_000]).bytes().repeat(100);
    peer.write([Frame::text([0xff]).bytes(), flood].concat()).await;

    let (frames, _) = while_polling(&mut client, peer.rest()).await;

    assert_eq!(frames, [Frame::close(1007, "")]);
    let [reads, _, _] = sockets.calls.take();
    assert!(reads >= 2, "100 kB are more than one read");
}
