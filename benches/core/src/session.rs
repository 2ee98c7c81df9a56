//! What a driver's session costs: bytes through `gateway-wire`, whose frames are tungstenite's.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Config, Dialect as _, HeartbeatKind, Instant, NoDialect, Secret, Secrets, SocketId,
};
use gateway_dialects::preset;
use gateway_wire::{ClientEvent, JsonCorrelator, Message, Order, Repeat, RequestId, Session};

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    Case::new("session: text received", None, text_received),
    Case::new("session: flooded text", None, flooded_text),
    Case::new("session: flooded 207 B", None, flooded_event),
    Case::new("session: same, dialect without interest", None, flooded_past_a_dialect),
    Case::new("session: same, dialect sees it", None, flooded_through_a_dialect),
    Case::new("session: send", None, send),
    Case::new("session: call, bare send and receive", None, bare_call),
    Case::new("session: call, request and its answer", None, call),
];

/// A call of JSON-RPC without its id.
const CALL: &str = r#"{"jsonrpc":"2.0","method":"public/get_order_book","params":{"instrument_name":"BTC-PERPETUAL","depth":5}}"#;
/// The same with an id.
const NUMBERED: &str = r#"{"id":1000000,"jsonrpc":"2.0","method":"public/get_order_book","params":{"instrument_name":"BTC-PERPETUAL","depth":5}}"#;

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

#[inline(never)]
fn counted_call(session: &mut Session, now: Instant, call: &Message) -> Option<RequestId> {
    session.request(now, call, Duration::from_secs(5), Repeat::Never).ok()
}

#[inline(never)]
fn counted_answer(
    session: &mut Session,
    now: Instant,
    id: SocketId,
    bytes: &[u8],
    request: RequestId,
) {
    session.received(now, id, bytes);
    black_box(session.take_answer(request));
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

/// The text of an answer with this id.
fn answer_to(id: u64) -> Vec<u8> {
    let text =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"bids":[[64250.1,12.5]],"asks":[]}}}}"#);
    frame(&text)
}

/// A message out and a message in, which the application must match itself.
fn bare_call(rounds: u64) {
    let (mut session, id) = open();
    let bytes = answer_to(1_000_000);
    let mut now = Instant::from_millis(30_100);
    for _ in 0..rounds {
        now = now.saturating_add(Duration::from_micros(1));
        counted_send(&mut session, black_box(Message::text(NUMBERED)));
        write_all(&mut session, id);
        counted_read(&mut session, black_box(now), id, black_box(&bytes));
    }
}

/// The same as a request. Sixty-four others wait meanwhile.
fn call(rounds: u64) {
    let (session, id) = open();
    let correlator = JsonCorrelator::new("/id").expect("a pointer");
    let mut session = session.with_requests(Box::new(correlator));
    let message = Message::text(CALL);
    let mut now = Instant::from_millis(30_100);
    let mut number = 0;
    let mut others =
        || session.request(now, &message, Duration::from_secs(86_400), Repeat::Never).ok();
    while number < 64 && others().is_some() {
        number += 1;
    }
    write_all(&mut session, id);
    for _ in 0..rounds {
        number += 1;
        now = now.saturating_add(Duration::from_micros(1));
        let bytes = answer_to(number);
        let request = counted_call(&mut session, black_box(now), black_box(&message));
        write_all(&mut session, id);
        let request = request.expect("the connection is ready");
        counted_answer(&mut session, black_box(now), id, black_box(&bytes), request);
        assert!(!session.has_events(), "the answer is no event");
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
