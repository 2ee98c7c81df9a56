//! A connection in its steady state allocates nothing: frames, heartbeats, notices, timers, sends.
//! Sizes are pinned by `run --check`, which runs this test as well.

use core::time::Duration;

use allocation_counter::measure;
use gateway_core::{
    Action, Config, Connection, Dialect, Event, Exchange, Frame, HeartbeatKind, Instant, Interest,
    Message, Notice, Outgoing, Received, SocketId, UnixMillis,
};
use std::sync::Arc;

const EVENTS: u64 = 1_000_000;

/// Pongs as peers write them, and data that looks like one. (A short text that says `"pong"` and is nested, or no
/// JSON, may cost serde_json one small allocation, while a ping is unanswered.)
const TEXTS: [&str; 9] = [
    r#"{"type":"pong"}"#,
    r#"{"type":"pong","timestamp":1700000000000}"#,
    "\n{ \"timestamp\" : 17.5 ,\t\"more\" : null, \"type\" : \"pong\" }\r\n",
    r#"{"type":"data","of":"pong"}"#,
    r#"{"operation":"pong","price":17}"#,
    r#"{"type":"ping","timestamp":17}"#,
    r#"{"price":17,"text":"a line\nand \"another\" one"}"#,
    r#"{"user":"pong","text":"a line\nand more","count":[]}"#,
    "plain",
];

fn ready(config: Config) -> (Connection, SocketId) {
    let mut connection = Connection::from_seed(Arc::new(config), 7);
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let Some(id) = connection.socket() else { panic!("a connect request opens a socket") };
    let _ = connection.handle(Instant::ZERO, Event::SocketOpened(id));
    assert!(connection.is_ready());
    (connection, id)
}

/// Hands over events for ever, half a second apart, and performs their actions as a driver does.
fn exercise(connection: &mut Connection, id: SocketId, text: &mut String) -> (u64, u64) {
    let (mut pings, mut delivered) = (0, 0);
    for count in 0..EVENTS {
        let now = Instant::ZERO
            .saturating_add(Duration::from_millis(500) * u32::try_from(count).unwrap());
        let event = match count % 16 {
            0..=4 => {
                let index = usize::try_from(count / 16).unwrap() % TEXTS.len();
                Event::FrameReceived(id, Frame::Text(TEXTS[index]))
            }
            5 => Event::FrameReceived(id, Frame::Binary(&[0; 64])),
            6 => Event::FrameReceived(id, Frame::Pong(b"17")),
            7 => Event::FrameReceived(id, Frame::Ping(b"?")),
            8 => Event::BytesReceived(id),
            9 => Event::SendRequested(Message::Text("hello")),
            10 => Event::WriteBlocked(id),
            11 => Event::SendRequested(Message::Binary(&[0; 64])),
            12 => Event::Flushed(id),
            13 => Event::WallClock(UnixMillis(1_700_000_000_000 + count * 500)),
            14 => Event::BytesReceived(SocketId::new(0)), // stale
            _ => Event::Tick,
        };
        for action in connection.handle(now, event) {
            match action {
                Action::Send(_, outgoing) => {
                    text.clear();
                    let _ = connection.encode(&outgoing, text);
                    pings += u64::from(matches!(
                        outgoing,
                        Outgoing::Ping(_) | Outgoing::WebSocketPing(_)
                    ));
                }
                Action::Deliver => delivered += 1,
                Action::AskProvider { .. }
                | Action::ReserveOpen(_)
                | Action::ReleaseOpen
                | Action::OpenSocket { .. }
                | Action::CloseSocket(_)
                | Action::AbortSocket(_)
                | Action::Drain(_)
                | Action::ResumeAt(_)
                | Action::ScheduleTimer(_)
                | Action::CancelTimer
                | Action::Notify(_) => {}
            }
        }
    }
    (pings, delivered)
}

fn config(kind: HeartbeatKind) -> Config {
    let minute = Duration::from_secs(60);
    let builder = Config::builder().heartbeat(kind).answer_pings(true).data_timeout(Some(minute));
    builder.build().unwrap()
}

#[test]
fn a_million_events_of_a_ready_connection_allocate_nothing() {
    for kind in [HeartbeatKind::Json, HeartbeatKind::Ping] {
        let (mut connection, id) = ready(config(kind));
        let mut text = String::with_capacity(256);
        let mut done = (0, 0);

        let counted = measure(|| done = exercise(&mut connection, id, &mut text));

        assert_eq!(counted.count_total, 0, "{kind:?}");
        let (pings, delivered) = done;
        assert!(pings > 10_000 && delivered > 300_000, "{done:?} of {kind:?} is no steady state");
        assert!(connection.is_ready() && connection.socket() == Some(id));
    }
}

/// Sends a ping of 100 bytes, and takes each text as its pong.
struct Beating;

impl Dialect for Beating {
    fn interest(&self) -> Interest {
        Interest::ALL
    }

    fn received(&mut self, _: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        exchange.pong(None);
        Received::Consume
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        let number = exchange.next_number();
        exchange.send_text(format_args!("{number:>100}"));
    }
}

#[test]
fn the_heartbeat_of_a_dialect_allocates_nothing_after_its_first_ping() {
    // Without a data timeout: pongs are no data.
    let config = Config::builder().heartbeat(HeartbeatKind::Dialect).build().unwrap();
    let mut connection = Connection::from_seed_with(Arc::new(config), 7, Beating);
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let Some(id) = connection.socket() else { panic!("a connect request opens a socket") };
    let _ = connection.handle(Instant::ZERO, Event::SocketOpened(id));
    let mut beat = || {
        let Some(now) = connection.next_deadline() else { panic!("a ping is due") };
        let _ = connection.handle(now, Event::Tick);
        let heard = connection.handle(now, Event::FrameReceived(id, Frame::Text("pong")));
        let is_pong = |action| matches!(action, Action::Notify(Notice::PongReceived { .. }));
        u32::from(heard.into_iter().any(is_pong))
    };
    let first: u32 = (0..10).map(|_| beat()).sum();
    let mut pongs = 0;

    let counted = measure(|| pongs = (0..10_000).map(|_| beat()).sum());

    assert_eq!(counted.count_total, 0);
    assert!(first > 0 && pongs >= 5_000, "{first} and {pongs} pongs are no steady state");
}

#[test]
fn the_counter_counts() {
    let counted = measure(|| drop(core::hint::black_box(String::from("x"))));

    assert_eq!(counted.count_total, 1);
}

#[test]
fn a_retry_allocates_nothing() {
    let (mut connection, _) = ready(Config::default());
    let mut now = Instant::ZERO;

    let counted = measure(|| {
        for _ in 0..1_000 {
            let Some(id) = connection.socket() else { break };
            let failed = Event::SocketFailed(id, gateway_core::Failure::Reset);
            let _ = connection.handle(now, failed);
            now = connection.next_deadline().unwrap_or(now);
            let _ = connection.handle(now, Event::Tick);
            let Some(id) = connection.socket() else { break };
            let _ = connection.handle(now, Event::SocketOpened(id));
        }
    });

    assert_eq!(counted.count_total, 0);
    assert_eq!(connection.statistics(now).attempts, 1_001);
}
