//! The loop on a fake board, whose time passes when the loop waits: a drop, a dead peer, and one that never stops talking.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gateway_bare_metal::{Application, Board, Device, News, NoRoom, OUTBOX, Payload, Wakeup};
use gateway_core::{
    Config, ConnectionState, DisconnectCause, Failure, Frame, HeartbeatKind, Instant, Message,
    Notice, SocketId,
};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(5);
const ON_THE_WAY: Duration = Duration::from_millis(20);

/// What the server does on one socket.
#[derive(Clone, Copy)]
enum Peer {
    /// Answers heartbeats, and says "ok" to everything else.
    Lives,
    /// As [`Peer::Lives`], and is gone after this time without a word.
    DropsAfter(Duration),
    /// Takes everything and says nothing.
    IsSilent,
    /// Says so many things at once, when the second heartbeat is due.
    Chatters(usize),
}

#[derive(Default)]
struct Fake {
    now: Instant,
    /// What each socket's peer will do, in the order of opening; after these, all live.
    peers: VecDeque<Peer>,
    arrivals: Vec<(Instant, SocketId, News, &'static str)>,
    opened: Vec<(SocketId, Peer)>,
    closed: Vec<(Instant, SocketId)>,
    sent: Vec<(SocketId, String)>,
    /// How many arrivals were still waiting when the last text was sent.
    waiting: usize,
}

impl Fake {
    fn with(peers: impl Into<VecDeque<Peer>>) -> Self {
        Self { peers: peers.into(), ..Self::default() }
    }

    fn arrives(&mut self, after: Duration, socket: SocketId, news: News, text: &'static str) {
        self.arrivals.push((self.now.saturating_add(after), socket, news, text));
    }

    fn sent_on(&self, number: u64) -> Vec<&str> {
        let on = self.sent.iter().filter(|(socket, _)| socket.number() == number);
        on.map(|(_, text)| text.as_str()).collect()
    }
}

impl Board for Fake {
    fn now(&self) -> Instant {
        self.now
    }

    fn entropy(&mut self) -> [u64; 2] {
        [7, 11]
    }

    fn open(&mut self, socket: SocketId) {
        let peer = self.peers.pop_front().unwrap_or(Peer::Lives);
        self.opened.push((socket, peer));
        self.arrives(ON_THE_WAY, socket, News::Opened, "");
        match peer {
            Peer::DropsAfter(span) => self.arrives(span, socket, News::Ended(Failure::Eof), ""),
            Peer::Chatters(count) => {
                for _ in 0..count {
                    self.arrives(ON_THE_WAY + INTERVAL, socket, News::Text, "chatter");
                }
            }
            Peer::Lives | Peer::IsSilent => {}
        }
    }

    fn send(&mut self, socket: SocketId, frame: Frame<'_>) {
        let Frame::Text(text) = frame else { return };
        self.sent.push((socket, text.to_owned()));
        self.waiting = self.arrivals.len();
        let peer = self.opened.iter().find(|(id, _)| *id == socket).map(|(_, peer)| *peer);
        if let Some(Peer::Lives | Peer::DropsAfter(_)) = peer {
            let answer = if text.contains("ping") { r#"{"type":"pong"}"# } else { "ok" };
            self.arrives(ON_THE_WAY, socket, News::Text, answer);
        }
    }

    fn close(&mut self, socket: SocketId) {
        self.closed.push((self.now, socket));
        self.arrivals.retain(|(_, id, ..)| *id != socket);
    }

    async fn wait(&mut self, deadline: Option<Instant>, payload: &mut Payload) -> Wakeup {
        let first = (0..self.arrivals.len()).min_by_key(|index| self.arrivals[*index].0);
        let first = first.filter(|index| {
            deadline.is_none_or(|deadline| self.arrivals[*index].0 <= deadline.max(self.now))
        });
        let Some(first) = first else {
            self.now = self.now.max(deadline.expect("something will happen"));
            return Wakeup::Due;
        };
        let (at, socket, news, text) = self.arrivals.remove(first);
        self.now = self.now.max(at);
        payload.clear();
        payload.extend_from_slice(text.as_bytes()).expect("a short text");
        Wakeup::Network(socket, news)
    }
}

/// What the application was told.
#[derive(Default)]
struct Told {
    messages: Vec<String>,
    causes: Vec<DisconnectCause>,
}

impl Application for Told {
    fn message(&mut self, message: Message<'_>) {
        let Message::Text(text) = message else { panic!("this server speaks text") };
        self.messages.push(text.to_owned());
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::Disconnected { cause, .. } = notice {
            self.causes.push(cause);
        }
    }
}

fn device(peers: impl Into<VecDeque<Peer>>) -> Device<Fake> {
    let config = Config::builder()
        .heartbeat(HeartbeatKind::Json)
        .heartbeat_interval(INTERVAL)
        .heartbeat_timeout(TIMEOUT)
        .build();
    Device::new(Fake::with(peers), Arc::new(config.expect("valid settings")))
}

/// Runs the loop until `done`, on the smallest executor: the fake's waits are over at once.
fn run(device: &mut Device<Fake>, told: &mut Told, done: impl Fn(&Device<Fake>, &Told) -> bool) {
    for _ in 0..1_000 {
        if done(device, told) {
            return;
        }
        let step = pin!(device.step(told)).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(step, Poll::Ready(()));
    }
    panic!("still not done: {device:?}");
}

#[test]
fn readings_that_were_taken_while_away_are_sent_after_the_reconnect() {
    let mut told = Told::default();
    let mut device = device([Peer::DropsAfter(Duration::from_secs(1))]);
    device.connect(&mut told);
    device.post("20.5").unwrap();
    run(&mut device, &mut told, |device, _| device.state() == ConnectionState::Connected);
    run(&mut device, &mut told, |device, _| device.state() == ConnectionState::Disconnected);
    device.post("20.6").unwrap();
    device.post("20.7").unwrap();
    run(&mut device, &mut told, |_, told| told.messages.len() == 3);

    assert_eq!(told.causes, [DisconnectCause::Lost(Failure::Eof)]);
    let heartbeat = r#"{"type":"ping"}"#; // without a time: this board knows none
    assert_eq!(device.board().sent_on(1), ["20.5"]);
    assert_eq!(device.board().sent_on(2), ["20.6", "20.7"]);
    run(&mut device, &mut told, |device, _| device.board().sent_on(2).len() == 4);
    assert_eq!(device.board().sent_on(2)[2..], [heartbeat, heartbeat], "one each interval");

    device.close(&mut told);
    run(&mut device, &mut told, |device, _| device.state() == ConnectionState::Closed);
}

#[test]
fn a_dead_peer_is_left_and_another_socket_opened() {
    let mut told = Told::default();
    let mut device = device([Peer::IsSilent]);
    device.connect(&mut told);
    run(&mut device, &mut told, |device, _| device.board().opened.len() == 2);

    // The first heartbeat left an interval after the connection was ready.
    let dead_at = Instant::ZERO.saturating_add(ON_THE_WAY + INTERVAL + TIMEOUT);
    assert_eq!(device.board().closed, [(dead_at, SocketId::new(1))]);
    assert_eq!(told.causes, [DisconnectCause::PongTimeout]);
    run(&mut device, &mut told, |device, _| device.state() == ConnectionState::Connected);
}

#[test]
fn a_peer_that_never_stops_talking_delays_no_heartbeat_for_ever() {
    let mut told = Told::default();
    let mut device = device([Peer::Chatters(100)]);
    device.board_mut().arrives(Duration::from_secs(1), SocketId::new(1), News::Text, "alive");
    device.connect(&mut told);
    run(&mut device, &mut told, |device, _| device.board().sent_on(1).len() == 1);

    assert!(device.board().waiting > 50, "{} arrivals waited", device.board().waiting);
}

#[test]
fn the_outbox_is_bounded() {
    let mut device = device([]);
    for _ in 0..OUTBOX {
        device.post("20.5").unwrap();
    }
    assert_eq!(device.post("20.5"), Err(NoRoom));
    assert_eq!(device.post(&"x".repeat(1_000)), Err(NoRoom));
}
