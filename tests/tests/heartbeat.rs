//! The heartbeat on the wire, in memory and on a paused clock: every instant is exact.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gateway_tests::{
    Frame, Peer, Sockets, calm, client, disconnected, elapse, memory, now, settle, texts, until,
    until_ready, while_polling,
};
use gateway_tokio::core::{
    ConfigBuilder, DisconnectCause, HeartbeatKind, Notice, Strategy, UnixMillis,
};
use gateway_tokio::{Builder, Client, ClientEvent};
use tokio::io::{AsyncWriteExt as _, DuplexStream};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);
/// The runtime's timers count whole milliseconds, and round up.
const TICK: Duration = Duration::from_millis(2);

fn beating() -> ConfigBuilder {
    calm().heartbeat(HeartbeatKind::Json).heartbeat_interval(INTERVAL).heartbeat_timeout(TIMEOUT)
}

fn builder(config: ConfigBuilder) -> (Builder, Sockets) {
    let (memory, sockets) = memory(1 << 16);
    (client("ws://gateway.example", config).dial(memory), sockets)
}

/// A client that has just become ready, and its peer.
async fn pair(config: ConfigBuilder) -> (Client, Sockets, Peer<DuplexStream>) {
    let (builder, mut sockets) = builder(config);
    let mut client = builder.build().unwrap();
    let (peer, _) = while_polling(&mut client, sockets.peer()).await;
    until_ready(&mut client).await;
    (client, sockets, peer)
}

async fn pong(peer: &mut Peer<DuplexStream>) {
    peer.send(Frame::text(r#"{"type":"pong"}"#)).await;
}

fn pings_sent(events: &[ClientEvent]) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, ClientEvent::Notice(Notice::PingSent { .. })))
        .count()
}

#[tokio::test(start_paused = true)]
async fn the_first_ping_leaves_one_interval_after_ready_and_then_one_each_interval() {
    let (mut client, _sockets, mut peer) = pair(beating()).await;
    let started = now();

    let (instants, _) = while_polling(&mut client, async {
        let mut instants = Vec::new();
        for _ in 0..5 {
            let frame = peer.frame().await;
            assert!(frame.is_heartbeat(), "{frame:?}");
            instants.push(now() - started);
            pong(&mut peer).await;
        }
        instants
    })
    .await;

    for (number, instant) in (0..).zip(instants) {
        let due = INTERVAL * (number + 1);
        assert!(due <= instant && instant <= due + TICK * (number + 1), "{number}: {instant:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_carries_the_wall_clock_and_its_pong_gives_the_round_trip() {
    let (builder, mut sockets) = builder(beating());
    let wall = UnixMillis(1_700_000_000_000);
    let mut client = builder.wall_clock(move || wall).build().unwrap();

    while_polling(&mut client, async {
        let mut peer = sockets.peer().await;
        assert_eq!(peer.frame().await, Frame::text(r#"{"type":"ping","timestamp":1700000000000}"#));
        elapse(Duration::from_millis(80)).await;
        peer.send(Frame::text(r#"{"timestamp":1700000000000,"type":"pong"}"#)).await;
        settle().await;
    })
    .await;

    let round_trip = client.statistics().round_trip.last.unwrap();
    assert!(round_trip >= Duration::from_millis(80) && round_trip <= Duration::from_millis(82));
}

#[tokio::test(start_paused = true)]
async fn pongs_are_consumed_in_any_shape_and_what_only_looks_like_one_is_delivered() {
    let (mut client, _sockets, mut peer) = pair(beating()).await;

    let (_, events) = while_polling(&mut client, async {
        for text in [
            "{\n \"id\" : 7, \"timestamp\" : null ,\"type\" : \"pong\" }",
            r#"{"type":"pong"}"#,
            r#"{"type":"data","of":"pong"}"#,
        ] {
            peer.frame().await;
            peer.send(Frame::text(text)).await;
            if text.contains("data") {
                elapse(Duration::from_secs(1)).await;
            }
        }
    })
    .await;

    assert_eq!(texts(&events), [r#"{"type":"data","of":"pong"}"#]);
    assert_eq!(disconnected(&events), []);
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_dead_at_the_timeout_and_is_left_without_a_close() {
    let (mut client, mut sockets, mut peer) = pair(beating()).await;
    let started = now();

    let (frames, events) = while_polling(&mut client, async {
        let frames = peer.rest().await;
        sockets.stream().await;
        frames
    })
    .await;

    let took = now() - started;
    let due = INTERVAL + TIMEOUT;
    assert!(took >= due && took <= due + TICK * 10, "{took:?}");
    assert_eq!(frames.len(), 1, "a ping and no Close: {frames:?}");
    assert_eq!(disconnected(&events), [DisconnectCause::PongTimeout]);
}

#[tokio::test(start_paused = true)]
async fn our_own_sending_keeps_no_dead_peer_alive() {
    let (mut client, _sockets, _peer) = pair(beating()).await;
    let started = now();

    let cause = loop {
        let event = tokio::select! {
            event = client.next() => event.unwrap(),
            () = elapse(Duration::from_millis(100)) => {
                client.send("are you there?").await.unwrap();
                continue;
            }
        };
        if let ClientEvent::Disconnected { cause, .. } = event {
            break cause;
        }
    };

    assert_eq!(cause, DisconnectCause::PongTimeout);
    assert!(now() - started <= INTERVAL + TIMEOUT + TICK * 2);
}

#[tokio::test(start_paused = true)]
async fn any_frame_and_even_a_part_of_one_is_life() {
    let (mut client, _sockets, mut peer) = pair(beating()).await;

    let (_, events) = while_polling(&mut client, async {
        for bytes in
            [Frame::pong("").bytes(), Frame::ping("").bytes(), Frame::text("hello").bytes()]
        {
            peer.frame().await;
            peer.write(&bytes).await;
            if bytes[0] == 0x89 {
                assert_eq!(peer.frame().await, Frame::pong(""));
            }
        }
        peer.frame().await;
        peer.write(&Frame::text("a long message").bytes()[..3]).await;
        peer.frame().await;
    })
    .await;

    assert_eq!(disconnected(&events), []);
}

#[tokio::test(start_paused = true)]
async fn web_socket_pings_are_numbered_and_answered_by_pongs() {
    let (mut client, _sockets, mut peer) = pair(beating().heartbeat(HeartbeatKind::Ping)).await;

    let (_, events) = while_polling(&mut client, async {
        for number in ["1", "2", "3"] {
            assert_eq!(peer.frame().await, Frame::ping(number));
            peer.send(Frame::pong(number)).await;
        }
        settle().await;
    })
    .await;

    let pongs = events.iter().filter(|event| {
        matches!(event, ClientEvent::Notice(Notice::PongReceived { round_trip: Some(_), .. }))
    });
    assert_eq!(pongs.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn with_the_heartbeat_off_a_day_of_silence_is_no_death() {
    let (mut client, sockets, mut peer) = pair(calm()).await;

    let (_, events) = while_polling(&mut client, async {
        elapse(Duration::from_secs(86_400)).await;
        peer.send(Frame::text("good morning")).await;
        settle().await;
    })
    .await;

    assert_eq!(texts(&events), ["good morning"]);
    assert_eq!((disconnected(&events), pings_sent(&events)), (vec![], 0));
    assert!(sockets.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn the_peers_own_pings_are_answered_where_that_is_configured() {
    let (mut client, _sockets, mut peer) = pair(calm().answer_pings(true)).await;

    let (_, events) = while_polling(&mut client, async {
        peer.send(Frame::text(r#"{"type":"ping","timestamp":9}"#)).await;
        assert_eq!(peer.frame().await, Frame::text(r#"{"type":"pong","timestamp":9}"#));
    })
    .await;

    assert!(texts(&events).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_keeps_no_ping_from_leaving_on_time() {
    let (mut client, _sockets, peer) = pair(beating()).await;
    let started = now();
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let flood = tokio::spawn(async move {
        let burst = Frame::text("x".repeat(100)).bytes().repeat(200);
        loop {
            tokio::time::advance(Duration::from_millis(500)).await;
            if writer.write_all(&burst).await.is_err() {
                return;
            }
        }
    });
    let pings = tokio::spawn(async move {
        let (mut unread, mut instants) = (Vec::new(), Vec::new());
        while instants.len() < 3 {
            while let Some(frame) = Frame::take(&mut unread) {
                assert!(frame.is_heartbeat());
                instants.push(now() - started);
            }
            tokio::io::AsyncReadExt::read_buf(&mut reader, &mut unread).await.unwrap();
        }
        instants
    });

    let (instants, _) = while_polling(&mut client, pings).await;
    flood.abort();

    for (number, instant) in (0..).zip(instants.unwrap()) {
        let due = INTERVAL * (number + 1);
        assert!(due <= instant && instant <= due + Duration::from_secs(2), "{instant:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_application_kills_no_link_and_the_pings_still_leave() {
    let (mut client, sockets, mut peer) = pair(beating()).await;
    let burst: Vec<u8> = (0..500).flat_map(|n| Frame::text(n.to_string()).bytes()).collect();
    peer.write(burst).await;
    let pongs = tokio::spawn(async move {
        let mut pings = 0;
        while let Some(frame) = peer.next().await {
            assert!(frame.is_heartbeat(), "{frame:?}");
            pings += 1;
            pong(&mut peer).await;
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

    // One event each second, the clock read with every eighth: 500 s hold at least 13 intervals of less than 38 s.
    let pings = pongs.await.unwrap();
    assert!(pings >= 13, "{pings}");
}

#[tokio::test(start_paused = true)]
async fn an_application_that_was_away_for_an_hour_finds_a_live_link_alive() {
    let (mut client, mut sockets, mut peer) = pair(beating()).await;
    while_polling(&mut client, async {
        peer.frame().await;
        pong(&mut peer).await;
        settle().await;
    })
    .await;
    elapse(Duration::from_secs(3_600)).await;
    peer.send(Frame::text("still here")).await;

    let (_, events) = while_polling(&mut client, async {
        assert!(peer.frame().await.is_heartbeat());
        pong(&mut peer).await;
        elapse(TIMEOUT * 2).await;
    })
    .await;

    assert_eq!(texts(&events), ["still here"]);
    assert_eq!((disconnected(&events), pings_sent(&events)), (vec![], 1));
    assert!(tokio::time::timeout(TICK, sockets.stream()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn after_a_death_the_redials_keep_the_bounds_of_the_backoff() {
    let config = beating()
        .initial_delay(Duration::from_secs(1))
        .max_delay(Duration::from_secs(30))
        .jitter(Strategy::Decorrelated);
    let (mut client, mut sockets, _peer) = pair(config).await;
    let mut announced = Vec::new();

    let (instants, events) = while_polling(&mut client, async {
        let mut instants = Vec::new();
        for _ in 0..6 {
            drop(sockets.stream().await);
            instants.push(now());
        }
        instants
    })
    .await;
    for event in events {
        if let ClientEvent::Notice(Notice::RetryScheduled { attempt, delay, .. }) = event {
            announced.push((attempt, delay));
        }
    }

    for (index, (attempt, delay)) in announced.iter().enumerate() {
        let capped = Duration::from_secs(1 << index.min(5)).min(Duration::from_secs(30));
        assert_eq!(usize::try_from(*attempt).unwrap(), index + 1);
        assert!(
            *delay >= Duration::from_secs(1) && *delay <= (capped * 3).min(Duration::from_secs(30))
        );
    }
    for (pair, (_, delay)) in instants.windows(2).zip(&announced[1..]) {
        let waited = pair[1] - pair[0];
        assert!(*delay <= waited && waited <= *delay + TICK, "{waited:?} for {delay:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_suspend_the_peer_is_probed_at_once_with_a_short_deadline() {
    let wall = Arc::new(AtomicU64::new(1_700_000_000_000));
    let (builder, mut sockets) = builder(beating());
    let clock = Arc::clone(&wall);
    let mut client =
        builder.wall_clock(move || UnixMillis(clock.load(Ordering::SeqCst))).build().unwrap();

    let ((), mut events) = while_polling(&mut client, async {
        let mut peer = sockets.peer().await;
        peer.frame().await;
        pong(&mut peer).await;
        // The paused clock goes on to the next ping, due in 30 s; the wall clock says that hours have gone by.
        wall.fetch_add(4 * 3_600_000, Ordering::SeqCst);
        peer.frame().await;
        assert!(peer.rest().await.is_empty(), "one probe and no burst");
    })
    .await;

    let retried =
        |event: &ClientEvent| matches!(event, ClientEvent::Notice(Notice::RetryScheduled { .. }));
    events.extend(until(&mut client, retried).await);
    let jumps = events
        .iter()
        .filter(|event| matches!(event, ClientEvent::Notice(Notice::ClockJumped { .. })));
    assert_eq!(jumps.count(), 1);
    assert_eq!(disconnected(&events), [DisconnectCause::PongTimeout]);
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_twice_in_a_day_of_health() {
    let (builder, mut sockets) = builder(beating());
    let (clock, started) = (now(), UnixMillis(1_700_000_000_000));
    let wall = move || {
        let since = u64::try_from((now() - clock).as_millis()).unwrap();
        UnixMillis(started.0 + since)
    };
    let mut client = builder.wall_clock(wall).build().unwrap();

    let (pings, events) = while_polling(&mut client, async {
        let mut peer = sockets.peer().await;
        let mut pings = 0;
        while now() - clock < Duration::from_secs(86_400) {
            assert!(peer.frame().await.is_heartbeat());
            pings += 1;
            pong(&mut peer).await;
        }
        settle().await;
        pings
    })
    .await;

    assert_eq!(pings, 86_400 / 30);
    assert_eq!(pings_sent(&events), pings);
    let pongs = events
        .iter()
        .filter(|event| matches!(event, ClientEvent::Notice(Notice::PongReceived { .. })));
    assert_eq!(pongs.count(), pings);
    // Two changes of state and one Ready, and no more.
    assert_eq!(events.len(), 2 * pings + 3, "{:?}", &events[..10]);
}
