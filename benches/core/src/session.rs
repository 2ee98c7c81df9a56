//! What a driver's session costs: bytes through `gateway-wire`, whose frames are tungstenite's.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Config, Dialect as _, HeartbeatKind, Instant, NoDialect, Secret, Secrets, SocketId,
};
use gateway_dialects::preset;
use gateway_wire::{ClientEvent, Message, Order, Session};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case::new("session: text received", None, text_received),
    Case::new("session: flooded text", None, flooded_text),
    Case::new("session: flooded 207 B", None, flooded_event),
    Case::new("session: same, dialect without interest", None, flooded_past_a_dialect),
    Case::new("session: same, dialect sees it", None, flooded_through_a_dialect),
    Case::new("session: send", None, send),
];

const TEXT: &str = r#"{"stream":"trades","price":"64250.10","size":"0.0125"}"#;
const PONG: &str = r#"{"type":"pong"}"#;

// The doors.

#[inline(never)]
fn counted_read(session: &mut Session, now: Instant, id: SocketId, bytes: &[u8]) {
    session.received(now, id, bytes);
    black_box(session.next_event());
}

#[inline(never)]
fn counted_flood(session: &mut Session, now: Instant, id: SocketId, bytes: &[u8]) {
    session.received(now, id, bytes);
    while let Some(event) = session.next_event() {
        black_box(&event);
    }
}

#[inline(never)]
fn counted_send(session: &mut Session, message: Message) {
    let _ = black_box(session.send(message));
}

// The cases.

/// A read of one frame, and its message handed to the application.
fn text_received(rounds: u64) {
    let (mut session, id) = open();
    let bytes = frame(TEXT);
    let mut now = Instant::from_millis(30_100);
    for _ in 0..rounds {
        now = now.saturating_add(Duration::from_micros(1));
        counted_read(&mut session, black_box(now), id, black_box(&bytes));
        assert!(!session.has_events(), "a message is one event");
    }
}

/// A text of 128 bytes out of a read with many, handed to the application. A round is one of them.
fn flooded_text(rounds: u64) {
    const A_READ: u64 = 64;
    let (mut session, id) = open();
    let text = "x".repeat(128);
    let frame = [&[0x81, 126, 0, 128], text.as_bytes()].concat();
    let bytes = frame.repeat(64);
    let mut now = Instant::from_millis(30_100);
    for _ in 0..rounds.div_ceil(A_READ) {
        now = now.saturating_add(Duration::from_micros(1));
        counted_flood(&mut session, black_box(now), id, black_box(&bytes));
        assert!(!session.has_events(), "a message is one event");
    }
}

/// An event of Discord's.
const EVENT: &str = r#"{"t":"MESSAGE_CREATE","s":42,"op":0,"d":{"id":"1234567890","channel_id":"9876543210","content":"a message of a length that is usual for a chat, and a little more, and then some.","tts":false,"pinned":false}}"#;

/// The same with an event of Discord's.
fn flooded_event(rounds: u64) {
    flood(open(), rounds);
}

/// The same past a dialect that wants to see texts of four bytes.
fn flooded_past_a_dialect(rounds: u64) {
    flood(open_with("ping", &[]), rounds);
}

/// The same through a dialect that looks for the operation and the sequence number of each event.
fn flooded_through_a_dialect(rounds: u64) {
    let hello = r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#;
    let ready = r#"{"t":"READY","s":1,"op":0,"d":{"session_id":"x","resume_gateway_url":"wss://x.example"}}"#;
    flood(open_with("discord", &[hello, ready]), rounds);
}

fn flood((mut session, id): (Session, SocketId), rounds: u64) {
    const A_READ: u64 = 64;
    let length = u16::try_from(EVENT.len()).expect("a short text").to_be_bytes();
    let bytes = [&[0x81, 126], &length[..], EVENT.as_bytes()].concat().repeat(64);
    let mut now = Instant::from_millis(30_100);
    for _ in 0..rounds.div_ceil(A_READ) {
        now = now.saturating_add(Duration::from_micros(1));
        counted_flood(&mut session, black_box(now), id, black_box(&bytes));
        assert!(!session.has_events(), "a message is one event");
    }
}

/// Ready with a preset, which these messages log in.
fn open_with(name: &str, login: &[&str]) -> (Session, SocketId) {
    let mut dialect = preset(name).expect("it is a preset").dialect();
    let secrets = Secrets::new(vec![("token".into(), Secret::new("x"))]).expect("valid");
    dialect.secrets(&secrets);
    let config = Arc::new(Config::default().with_dialect(dialect.duties()));
    let mut session = Session::new(config, 7, dialect);
    session.connect(Instant::from_millis(1));
    let Some(Order::Open { id, .. }) = session.next_order() else {
        unreachable!("a connect request opens a socket");
    };
    session.opened(Instant::from_millis(30), id);
    for text in login {
        session.received(Instant::from_millis(40), id, &frame(text));
    }
    assert!(session.is_ready(), "{name} has logged in");
    write_all(&mut session, id);
    while session.next_event().is_some() {}
    (session, black_box(id))
}

/// A message into the outgoing buffer; what makes the message and what empties the buffer is not counted.
fn send(rounds: u64) {
    let (mut session, id) = open();
    for _ in 0..rounds {
        counted_send(&mut session, black_box(Message::text(TEXT)));
        assert!(session.pending().len() > TEXT.len(), "a frame is a head and the text");
        write_all(&mut session, id);
    }
}

/// Ready, its first ping written and answered.
fn open() -> (Session, SocketId) {
    let config = Config::builder().heartbeat(HeartbeatKind::Json).build();
    let config = Arc::new(config.expect("the defaults are valid"));
    let mut session = Session::new(config, 7, Box::new(NoDialect));
    session.connect(Instant::from_millis(1));
    let Some(Order::Open { id, .. }) = session.next_order() else {
        unreachable!("a connect request opens a socket");
    };
    session.opened(Instant::from_millis(30), id);
    session.tick(Instant::from_millis(30_030));
    write_all(&mut session, id);
    session.write_ended(Instant::from_millis(30_030), id, true);
    session.received(Instant::from_millis(30_050), id, &frame(PONG));
    while let Some(event) = session.next_event() {
        assert!(matches!(event, ClientEvent::Notice(_)), "the pong is no message");
    }
    (session, black_box(id))
}

fn write_all(session: &mut Session, id: SocketId) {
    session.written(id, session.pending().len());
    session.flushed(id);
}

/// A server's text frame: unmasked, of at most 125 bytes.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[0x81, length], text.as_bytes()].concat()
}
