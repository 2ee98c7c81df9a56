//! From the first connect to CLOSED: login, credentials, the upgrade request, close in every state.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::Stream as _;
use gateway_tests::{
    Frame, Head, Listener, Peer, Sockets, calm, client, disconnected, drain, elapse, memory, now,
    settle, texts, until, until_ready, while_polling,
};
use gateway_tokio::core::{
    AcceptanceRule, CloseCode, CloseFrame, ConfigBuilder, ConnectionState, Credentials,
    DisconnectCause, GiveUpCause, Login, Network, Notice, RefusalRule, Secret, SendRejection,
    Verdict,
};
use gateway_tokio::{Builder, Client, ClientEvent, LoginCredentials, Message};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

fn builder(config: ConfigBuilder) -> (Builder, Sockets) {
    let (memory, sockets) = memory(1 << 16);
    (client("ws://gateway.example/feed", config).dial(memory), sockets)
}

async fn pair(config: ConfigBuilder) -> (Client, Sockets, Peer<DuplexStream>) {
    let (builder, mut sockets) = builder(config);
    let mut client = builder.build().unwrap();
    let (peer, _) = while_polling(&mut client, sockets.peer()).await;
    while client.state() == ConnectionState::Connecting {
        client.next().await;
    }
    while_polling(&mut client, settle()).await;
    (client, sockets, peer)
}

fn login() -> Login {
    Login::Message {
        send: Secret::new(r#"{"token":"abc"}"#),
        accepted: AcceptanceRule::parse("/type=welcome").expect("a rule"),
        refused: RefusalRule::parse("/error/code=bad_token").into_iter().collect(),
        timeout: Duration::from_secs(10),
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_is_sent_first_and_its_acceptance_makes_ready() {
    let (mut client, _sockets, mut peer) = pair(calm().login(login())).await;
    assert_eq!(client.state(), ConnectionState::Connected);
    assert!(client.send("too early").await.is_err());

    let (_, events) = while_polling(&mut client, async {
        assert_eq!(peer.frame().await, Frame::text(r#"{"token":"abc"}"#));
        peer.send(Frame::text("a banner")).await;
        peer.send(Frame::text(r#"{"type":"welcome"}"#)).await;
        settle().await;
    })
    .await;

    assert_eq!(client.state(), ConnectionState::Authenticated);
    assert_eq!(texts(&events), ["a banner"]);
    client.send("now").await.unwrap();
    assert_eq!(peer.frame().await, Frame::text("now"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_asks_for_new_credentials_once_and_is_then_given_up() {
    let (builder, mut sockets) = builder(calm().login(login()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let credentials = move |which| {
        log.lock().unwrap().push(which);
        let number = log.lock().unwrap().len();
        async move { Ok(LoginCredentials::new().login(format!("login {number}"))) }
    };
    let mut client = builder.credentials(credentials).build().unwrap();

    let (logins, mut events) = while_polling(&mut client, async {
        let mut logins = Vec::new();
        for _ in 0..2 {
            let mut peer = sockets.peer().await;
            logins.push(peer.frame().await);
            peer.send(Frame::text(r#"{"error":{"code":"bad_token"}}"#)).await;
            assert_eq!(peer.rest().await, [Frame::close(1001, "")]);
        }
        logins
    })
    .await;
    events.extend(drain(&mut client).await);

    assert_eq!(logins, [Frame::text("login 1"), Frame::text("login 2")]);
    assert_eq!(*asked.lock().unwrap(), [Credentials::Cached, Credentials::Refresh]);
    assert_eq!(disconnected(&events), [DisconnectCause::LoginRefused(None); 2]);
    assert_eq!(client.gave_up(), Some(GiveUpCause::LoginRefused));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_a_close_1013_follows_is_tried_again_and_says_why() {
    const REFUSAL: &str = r#"{"error":{"code":"bad_token"},"retryable":true}"#;
    let (mut client, mut sockets, mut peer) = pair(calm().login(login())).await;
    let mut events = Vec::new();
    for _ in 0..3 {
        let (_, more) = while_polling(&mut client, async {
            peer.frame().await; // the login
            peer.send(Frame::text(REFUSAL)).await;
            peer.send(Frame::text("a message")).await;
            settle().await;
        })
        .await;
        events.extend(more);
        assert_eq!(client.state(), ConnectionState::Connected);
        let refused = client.send("early").await.unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::NotReady);

        let (next, more) = while_polling(&mut client, async {
            peer.send(Frame::close(1013, "starting")).await;
            assert_eq!(peer.rest().await.len(), 1, "the answer to the Close");
            sockets.peer().await
        })
        .await;
        events.extend(more);
        peer = next;
    }

    let (_, more) = while_polling(&mut client, async {
        peer.frame().await;
        peer.send(Frame::text(r#"{"type":"welcome"}"#)).await;
        settle().await;
    })
    .await;
    events.extend(more);

    assert_eq!(client.state(), ConnectionState::Authenticated);
    assert_eq!(texts(&events), ["a message"; 3]);
    let code = CloseCode::new(1013).ok();
    assert_eq!(disconnected(&events), [DisconnectCause::LoginRefused(code); 3]);
    let reasons = events.iter().filter_map(|event| match event {
        ClientEvent::LoginRefused { reason, .. } => Some(reason),
        ClientEvent::Disconnected { detail, .. } => Some(detail),
        _ => None,
    });
    assert!(reasons.map(|reason| &**reason).eq([REFUSAL; 6]), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_not_answered_ends_at_its_deadline() {
    let (mut client, _sockets, mut peer) = pair(calm().login(login())).await;
    let started = now();

    let (frames, events) = while_polling(&mut client, peer.rest()).await;

    assert_eq!(frames[1..], [Frame::close(1001, "")]);
    assert_eq!(disconnected(&events), [DisconnectCause::LoginTimeout]);
    let took = now() - started;
    assert!(took >= Duration::from_secs(10) && took <= Duration::from_secs(11), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_external_login_is_the_applications_own() {
    let external = Login::External { timeout: Duration::from_secs(10) };
    for accepted in [true, false] {
        let (mut client, _sockets, mut peer) = pair(calm().login(external.clone())).await;
        assert_eq!(client.state(), ConnectionState::Connected);
        let (_, events) = while_polling(&mut client, async {
            peer.send(Frame::text("challenge")).await;
            settle().await;
        })
        .await;
        assert_eq!(texts(&events), ["challenge"]);

        if accepted {
            client.login_accepted();
            assert_eq!(client.state(), ConnectionState::Authenticated);
            client.send("now").await.unwrap();
        } else {
            client.login_rejected(Verdict::Fatal);
            drain(&mut client).await;
            assert_eq!(client.gave_up(), Some(GiveUpCause::LoginRefused));
        }
    }
}

/// A client whose own login is under way, in a task of its own that takes its events.
async fn shared(config: ConfigBuilder) -> (Arc<Mutex<Client>>, Sockets, Peer<DuplexStream>) {
    let (client, sockets, peer) = pair(config).await;
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
    let (mut client, _sockets, _peer) = pair(config()).await;
    while client.try_send(large()).is_ok() {}
    let started = now();
    client.login_rejected(Verdict::Fatal);
    let error = client.send(large()).await.unwrap_err();
    assert_eq!((error.rejection(), now()), (SendRejection::NotReady, started));

    let (client, _sockets, _peer) = pair(config()).await;
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
    handle.login_rejected(Verdict::Fatal).await;
    assert_eq!((waiting.await.unwrap(), now()), (SendRejection::NotReady, started));
}

#[tokio::test(start_paused = true)]
async fn credentials_are_asked_for_on_each_attempt_and_a_failure_is_retried() {
    let (builder, mut sockets) = builder(calm());
    let asked = Arc::new(Mutex::new(0));
    let log = Arc::clone(&asked);
    let credentials = move |_| {
        *log.lock().unwrap() += 1;
        let number = *log.lock().unwrap();
        async move {
            match number {
                1 => Err("the vault is closed".into()),
                _ => {
                    Ok(LoginCredentials::new().header("Authorization", format!("Bearer {number}")))
                }
            }
        }
    };
    let mut client =
        builder.header("Authorization", "Bearer old").credentials(credentials).build().unwrap();

    let (tokens, events) = while_polling(&mut client, async {
        let mut tokens = Vec::new();
        for _ in 0..3 {
            let peer = sockets.peer().await;
            tokens.push(peer.head.header("authorization").unwrap().to_owned());
        }
        tokens
    })
    .await;

    assert_eq!(tokens, ["Bearer 2", "Bearer 3", "Bearer 4"]);
    let first = events.iter().find_map(|event| match event {
        ClientEvent::Disconnected { cause, detail, .. } => Some((cause.name(), detail.clone())),
        _ => None,
    });
    let (cause, detail) = first.unwrap();
    assert_eq!(cause, "open_failed");
    assert!(detail.contains("the vault is closed"), "{detail}");
}

#[tokio::test]
async fn headers_basic_authorization_and_subprotocols_arrive_and_the_choice_is_told() {
    let listener = Listener::bind().await;
    let url = listener.url().replace("ws://", "ws://ann:p%40ss@") + "/feed?since=7";
    let builder = client(url, calm()).header("X-Device", "7");
    let mut client = builder.subprotocol("v1.chat").subprotocol("v2.chat").build().unwrap();

    let (peer, _) = while_polling(&mut client, async {
        Peer::accept_with(listener.tcp().await, "Sec-WebSocket-Protocol: v2.chat\r\n").await
    })
    .await;
    until_ready(&mut client).await;

    assert!(format!("{:?}", peer.head).starts_with("GET /feed?since=7 HTTP/1.1\r\n"));
    assert_eq!(peer.head.header("x-device"), Some("7"));
    assert_eq!(peer.head.header("authorization"), Some("Basic YW5uOnBAc3M="));
    assert_eq!(peer.head.header("sec-websocket-protocol"), Some("v1.chat, v2.chat"));
    assert_eq!(peer.head.header("sec-websocket-version"), Some("13"));
    assert_eq!(client.subprotocol(), Some("v2.chat"));
}

#[tokio::test(start_paused = true)]
async fn close_before_the_first_poll_opens_nothing_that_stays() {
    let (builder, sockets) = builder(calm());
    let mut client = builder.build().unwrap();

    client.close(CloseFrame::NORMAL);
    drain(&mut client).await;

    assert_eq!(client.state(), ConnectionState::Closed);
    assert!(sockets.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn close_while_waiting_or_connecting_ends_at_once() {
    for refused in [true, false] {
        let slow = Duration::from_secs(30);
        let (builder, mut sockets) = builder(calm().max_delay(slow).initial_delay(slow));
        let mut client = builder.build().unwrap();
        let (stream, _) = while_polling(&mut client, sockets.stream()).await;
        if refused {
            drop(stream);
            until(&mut client, |event| {
                matches!(event, ClientEvent::Notice(Notice::RetryScheduled { .. }))
            })
            .await;
            assert_eq!(client.state(), ConnectionState::Disconnected);
        } else {
            assert_eq!(client.state(), ConnectionState::Connecting);
        }
        let started = now();

        client.close(CloseFrame::NORMAL);
        drain(&mut client).await;

        assert_eq!((client.state(), now() - started), (ConnectionState::Closed, Duration::ZERO));
        elapse(slow * 2).await;
        assert_eq!(client.next().await, None);
        assert!(sockets.is_quiet(), "no redial after a close");
    }
}

#[tokio::test(start_paused = true)]
async fn close_while_logging_in_or_ready_ends_with_the_answer_or_at_its_deadline() {
    for (config, answered) in [
        (calm(), true),
        (calm(), false),
        (calm().login(login()), true),
        (calm().login(login()), false),
    ] {
        let (mut client, _sockets, mut peer) = pair(config).await;
        let started = now();
        client.close(CloseFrame::new(4000, "enough").unwrap());
        assert_eq!(client.state(), ConnectionState::Closing);

        let (close, mut events) = while_polling(&mut client, async {
            loop {
                let frame = peer.frame().await;
                if frame.first == 0x88 {
                    break frame;
                }
            }
        })
        .await;
        assert_eq!(close, Frame::close(4000, "enough"));
        if answered {
            peer.send(close).await;
        }
        events.extend(drain(&mut client).await);

        let took = now() - started;
        let (cause, least) = match answered {
            true => (DisconnectCause::Requested, Duration::ZERO),
            false => (DisconnectCause::CloseTimeout, CLOSE_TIMEOUT),
        };
        assert_eq!(disconnected(&events), [cause]);
        assert!(least <= took && took <= least + Duration::from_millis(2), "{took:?}");
        assert_eq!(client.state(), ConnectionState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_not_read_ends_at_its_deadline_all_the_same() {
    let (memory, mut sockets) = memory(1_000);
    let mut client = client("ws://gateway.example", calm()).dial(memory).build().unwrap();
    let (_peer, _) = while_polling(&mut client, sockets.peer()).await;
    until_ready(&mut client).await;
    while_polling(&mut client, settle()).await;
    let filling = client.send("x".repeat(10_000));
    assert!(futures_util::FutureExt::now_or_never(filling).is_none());

    client.close(CloseFrame::NORMAL);
    client.close(CloseFrame::NORMAL);
    let events = drain(&mut client).await;

    assert_eq!(disconnected(&events), [DisconnectCause::CloseTimeout]);
    assert!(events.iter().any(|event| matches!(event, ClientEvent::Outcome(_))));
}

#[tokio::test(start_paused = true)]
async fn connect_after_closed_starts_a_new_life() {
    let (mut client, mut sockets, mut peer) = pair(calm()).await;
    client.close(CloseFrame::NORMAL);
    while_polling(&mut client, peer.frame()).await;
    drop(peer);
    drain(&mut client).await;

    client.connect();
    let (mut peer, _) = while_polling(&mut client, sockets.peer()).await;
    until_ready(&mut client).await;
    client.send("again").await.unwrap();

    assert_eq!(while_polling(&mut client, peer.frame()).await.0, Frame::text("again"));
}

#[tokio::test(start_paused = true)]
async fn connect_while_closing_leaves_the_old_socket_and_opens_a_new_one() {
    let (mut client, mut sockets, mut old) = pair(calm()).await;
    client.close(CloseFrame::NORMAL);

    client.connect();
    let (mut peer, _) = while_polling(&mut client, sockets.peer()).await;
    until_ready(&mut client).await;

    assert_eq!(old.rest().await, [Frame::close(1000, "")]);
    client.send("new").await.unwrap();
    assert_eq!(while_polling(&mut client, peer.frame()).await.0, Frame::text("new"));
}

#[tokio::test(start_paused = true)]
async fn connect_and_a_network_that_is_back_end_the_wait() {
    let slow = Duration::from_secs(30);
    let wishes: [fn(&mut Client); 2] =
        [Client::connect, |client| client.network_changed(Network::Online)];
    for wish in wishes {
        let (builder, mut sockets) = builder(calm().max_delay(slow).initial_delay(slow));
        let mut client = builder.build().unwrap();
        let (stream, _) = while_polling(&mut client, sockets.stream()).await;
        drop(stream);
        until(&mut client, |event| {
            matches!(event, ClientEvent::Notice(Notice::RetryScheduled { .. }))
        })
        .await;
        let started = now();

        wish(&mut client);
        while_polling(&mut client, sockets.stream()).await;

        assert_eq!(now() - started, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wish_from_another_task_wakes_the_one_that_polls() {
    let slow = Duration::from_secs(30);
    let (builder, mut sockets) = builder(calm().max_delay(slow).initial_delay(slow));
    let (handle, mut events) = builder.build().unwrap().spawn();
    drop(sockets.stream().await);
    while !matches!(events.next().await, Some(ClientEvent::Notice(Notice::RetryScheduled { .. }))) {
    }
    let started = now();

    handle.connect().await;
    sockets.stream().await;
    handle.close(CloseFrame::NORMAL).await;
    while events.next().await.is_some() {}

    assert_eq!(now() - started, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_client_hangs_up_without_a_close() {
    let (client, _sockets, mut peer) = pair(calm()).await;
    drop(client);
    assert_eq!(peer.rest().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_client_dropped_while_connecting_leaves_nothing_open() {
    let (builder, mut sockets) = builder(calm());
    let mut client = builder.build().unwrap();
    let (mut stream, _) = while_polling(&mut client, sockets.stream()).await;
    drop(client);
    let mut request = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut request).await.unwrap();
}

#[tokio::test]
async fn a_servers_restart_is_ridden_through() {
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).build().unwrap();
    for number in 0..5 {
        let (mut peer, _) = while_polling(&mut client, listener.peer()).await;
        until_ready(&mut client).await;
        client.send(number.to_string()).await.unwrap();
        let (frames, _) = while_polling(&mut client, async {
            let first = peer.frame().await;
            peer.send(Frame::close(1012, "restarting")).await;
            [vec![first], peer.rest().await].concat()
        })
        .await;
        assert_eq!(frames, [Frame::text(number.to_string()), Frame::close(1012, "restarting")]);
    }
    assert_eq!(client.statistics().opened, 5);
}

#[tokio::test]
async fn ten_thousand_small_frames_in_one_write_arrive_in_order() {
    let (mut client, _sockets, mut peer) = pair(calm()).await;
    let burst: Vec<u8> = (0..10_000).flat_map(|n| Frame::text(n.to_string()).bytes()).collect();
    let writer = tokio::spawn(async move {
        peer.write(burst).await;
        peer
    });

    let mut number = 0;
    while number < 10_000 {
        let event = gateway_tests::within(client.next()).await.unwrap();
        if let ClientEvent::Message(message) = event {
            assert_eq!(message.as_text().unwrap(), number.to_string());
            number += 1;
        }
    }
    drop(writer.await.unwrap());
}

#[tokio::test]
async fn frames_that_come_together_with_the_answer_are_delivered() {
    let (builder, mut sockets) = builder(calm());
    let mut client = builder.build().unwrap();

    let (_stream, _) = while_polling(&mut client, async {
        let mut stream = sockets.stream().await;
        let answer = Head::read(&mut stream).await.acceptance("");
        let first = Frame::text("first").bytes();
        stream.write_all(&[answer.as_bytes(), &first].concat()).await.unwrap();
        stream
    })
    .await;
    let events = until(&mut client, |event| matches!(event, ClientEvent::Message(_))).await;

    assert_eq!(texts(&events), ["first"]);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_came_before_a_write_failed_is_heard() {
    let (mut client, sockets, mut peer) = pair(calm()).await;
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
    let (mut client, sockets, mut peer) = pair(calm()).await;
    sockets.calls.take();
    let flood = Frame::binary([0; 1_000]).bytes().repeat(60);
    peer.write([Frame::text([0xff]).bytes(), flood].concat()).await;

    let (frames, _) = while_polling(&mut client, peer.rest()).await;

    assert_eq!(frames, [Frame::close(1007, "")]);
    let [reads, _, _] = sockets.calls.take();
    assert!(reads >= 2, "60 kB are more than one read");
}
