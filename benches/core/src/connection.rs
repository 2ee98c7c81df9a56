//! What the machine itself costs: events through `Connection::handle`, each action looked at as a driver looks at it.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Config, Connection, Event, Failure, Frame, HeartbeatKind, Instant, Message, Outgoing, SocketId,
    UnixMillis,
};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case::new("data frame", Some(120), data_frame),
    Case::new("early tick", Some(75), early_tick),
    Case::new("reconnect cycle", Some(3_100), reconnect_cycle),
    Case::new("data frame, ping out", None, data_frame_while_a_ping_is_out),
    Case::new("send requested", None, send_requested),
    Case::new("pong frame", None, pong_frame),
    Case::new("heartbeat beat", None, heartbeat_beat),
];

const TEXT: &str = r#"{"stream":"trades","price":"64250.10","size":"0.0125"}"#;
const PONG: &str = r#"{"type":"pong","timestamp":1767225600000}"#;
const PING: Outgoing = Outgoing::Ping(Some(NEW_YEAR));
const NEW_YEAR: UnixMillis = UnixMillis(1_767_225_600_000);

// The doors.

#[inline(never)]
fn counted_text(connection: &mut Connection, now: Instant, id: SocketId, text: &str) {
    for action in &connection.handle(now, Event::FrameReceived(id, Frame::Text(text))) {
        black_box(action);
    }
}

#[inline(never)]
fn counted_tick(connection: &mut Connection, now: Instant) {
    for action in &connection.handle(now, Event::Tick) {
        black_box(action);
    }
}

#[inline(never)]
fn counted_send(connection: &mut Connection, now: Instant, text: &str) {
    for action in &connection.handle(now, Event::SendRequested(Message::Text(text))) {
        black_box(action);
    }
}

#[inline(never)]
fn counted_failure(connection: &mut Connection, now: Instant, id: SocketId, failure: Failure) {
    for action in &connection.handle(now, Event::SocketFailed(id, failure)) {
        black_box(action);
    }
}

#[inline(never)]
fn counted_open(connection: &mut Connection, now: Instant, id: SocketId) {
    for action in &connection.handle(now, Event::SocketOpened(id)) {
        black_box(action);
    }
}

#[inline(never)]
fn counted_encoding(connection: &mut Connection, outgoing: &Outgoing, into: &mut String) {
    black_box(connection.encode(outgoing, into));
}

// The cases.

/// A text while ready, between two heartbeats.
fn data_frame(rounds: u64) {
    let mut stage = Stage::ready();
    stage.hear_pong();
    for _ in 0..rounds {
        stage.pass(Duration::from_micros(1));
        stage.hear(TEXT);
    }
}

/// The same while a ping is unanswered: the text might be its pong.
fn data_frame_while_a_ping_is_out(rounds: u64) {
    let mut stage = Stage::ready();
    for _ in 0..rounds {
        stage.pass(Duration::from_micros(1));
        stage.hear(TEXT);
    }
}

/// A timer that fired before its time.
fn early_tick(rounds: u64) {
    let mut stage = Stage::ready();
    stage.hear_pong();
    for _ in 0..rounds {
        stage.pass(Duration::from_micros(1));
        stage.tick();
    }
}

fn send_requested(rounds: u64) {
    let mut stage = Stage::ready();
    stage.hear_pong();
    for _ in 0..rounds {
        stage.pass(Duration::from_micros(1));
        counted_send(&mut stage.connection, black_box(stage.now), black_box(TEXT));
    }
}

/// The pong alone; the ping before it is not counted.
fn pong_frame(rounds: u64) {
    let mut stage = Stage::ready();
    stage.hear_pong();
    for _ in 0..rounds {
        stage.pass_to_deadline();
        let _ = stage.connection.handle(stage.now, Event::Tick);
        stage.pass(Duration::from_millis(20));
        stage.hear(PONG);
    }
}

/// A tick that pings, the ping's text, and its pong.
fn heartbeat_beat(rounds: u64) {
    let mut stage = Stage::ready();
    stage.hear_pong();
    for _ in 0..rounds {
        stage.pass_to_deadline();
        stage.tick();
        stage.encode_ping();
        stage.pass(Duration::from_millis(20));
        stage.hear(PONG);
    }
}

/// A connection that was stable is lost, retried when that is due, opened, and pings.
fn reconnect_cycle(rounds: u64) {
    let mut stage = Stage::ready();
    for _ in 0..rounds {
        stage.hear_pong();
        stage.pass(Duration::from_secs(20));
        let (id, failure) = (stage.id(), black_box(Failure::Reset));
        counted_failure(&mut stage.connection, black_box(stage.now), id, failure);
        stage.pass_to_deadline();
        stage.tick();
        stage.pass(Duration::from_millis(30));
        let id = stage.id();
        counted_open(&mut stage.connection, black_box(stage.now), id);
        assert!(stage.connection.is_ready(), "an open socket without a login is ready");
        stage.pass_to_deadline();
        stage.tick();
        stage.encode_ping();
    }
}

/// A connection with a JSON heartbeat, and the time.
struct Stage {
    connection: Connection,
    now: Instant,
    scratch: String,
}

impl Stage {
    /// Open for an interval: the first ping is out.
    fn ready() -> Self {
        let config = Config::builder().heartbeat(HeartbeatKind::Json).build();
        let config = config.expect("the defaults are valid");
        let connection = Connection::from_seed(Arc::new(config), 7);
        let mut stage =
            Self { connection, now: Instant::from_millis(1), scratch: String::with_capacity(64) };
        let _ = stage.connection.handle(stage.now, Event::WallClock(NEW_YEAR));
        let _ = stage.connection.handle(stage.now, Event::ConnectRequested);
        let opened = Event::SocketOpened(stage.id());
        stage.pass(Duration::from_millis(30));
        let _ = stage.connection.handle(stage.now, opened);
        assert!(stage.connection.is_ready(), "an open socket without a login is ready");
        stage.pass_to_deadline();
        let _ = stage.connection.handle(stage.now, Event::Tick);
        stage
    }

    /// The first ping's answer, not counted.
    fn hear_pong(&mut self) {
        self.pass(Duration::from_millis(20));
        let pong = Event::FrameReceived(self.id(), Frame::Text(PONG));
        let actions = self.connection.handle(self.now, pong);
        assert!(!actions.is_empty(), "a pong is told");
    }

    fn hear(&mut self, text: &str) {
        let id = self.id();
        counted_text(&mut self.connection, black_box(self.now), id, black_box(text));
    }

    fn tick(&mut self) {
        counted_tick(&mut self.connection, black_box(self.now));
    }

    fn encode_ping(&mut self) {
        self.scratch.clear();
        counted_encoding(&mut self.connection, black_box(&PING), &mut self.scratch);
        assert!(!self.scratch.is_empty(), "a ping has a text");
    }

    fn pass(&mut self, span: Duration) {
        self.now = self.now.saturating_add(span);
    }

    fn pass_to_deadline(&mut self) {
        self.now = self.connection.next_deadline().expect("a heartbeat or a retry is due");
    }

    fn id(&self) -> SocketId {
        black_box(self.connection.socket().expect("an open socket"))
    }
}
