//! The engine with a stream in memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use gateway_core::{
    Config, Credentials, DisconnectCause, Failure, HeartbeatKind, NoDialect, Notice, OpenError,
    RetryAfter, SendRejection, UnixMillis,
};
use tungstenite::handshake::derive_accept_key;

use super::*;
use crate::endpoint::Endpoint;
use crate::handshake::Handshake;
use crate::log::captured::logged;
use crate::open_failure::OpenFailure;
use crate::outcome::Fate;
use crate::provider::{Attempt, Request};

/// A stream whose server accepts the upgrade, unless it has a refusal. After the upgrade it accepts
/// `takes` bytes.
#[derive(Default)]
pub(super) struct Server {
    now: Cell<Instant>,
    written: RefCell<Vec<u8>>,
    answered: Cell<bool>,
    refusal: Cell<Option<&'static str>>,
    /// The request cannot be written past this many bytes.
    breaks_after: Cell<Option<usize>>,
    /// How the stream ends after the answer: in order, or with an error.
    ends: Cell<Option<Result<(), io::ErrorKind>>>,
    /// What comes in the same read as the answer to the upgrade.
    behind_the_answer: Cell<&'static [u8]>,
    takes: Cell<usize>,
    /// How many writes it took, and how many flushes, since it was last asked.
    calls: Cell<[usize; 2]>,
    wall: Cell<u64>,
    holds_flushes: Cell<bool>,
    has_moved: Cell<bool>,
    aborted: Cell<bool>,
    dropped_after_abort: Cell<Option<bool>>,
    /// What the provider gives for the next attempts.
    requests: RefCell<VecDeque<Request>>,
}

pub(super) struct Stream(Rc<Server>);

impl ByteStream for Stream {
    fn read<T>(&mut self, _: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        if let (Some(_), Some(refusal)) = (self.0.breaks_after.get(), self.0.refusal.get()) {
            return Ok(take(refusal.as_bytes()));
        }
        let request = String::from_utf8_lossy(&self.0.written.borrow()).into_owned();
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let (Some(key), false) = (key, self.0.answered.replace(true)) else {
            return match self.0.ends.get() {
                None => Err(io::ErrorKind::WouldBlock.into()),
                Some(Ok(())) => Ok(take(&[])),
                Some(Err(kind)) => Err(kind.into()),
            };
        };
        if let Some(refusal) = self.0.refusal.get() {
            return Ok(take(refusal.as_bytes()));
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        Ok(take(&[answer.as_bytes(), self.0.behind_the_answer.get()].concat()))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(most) = self.0.breaks_after.get() {
            let mut written = self.0.written.borrow_mut();
            let count = bytes.len().min(most - written.len());
            written.extend_from_slice(&bytes[..count]);
            return if count > 0 { Ok(count) } else { Err(io::ErrorKind::BrokenPipe.into()) };
        }
        if !self.0.answered.get() {
            self.0.written.borrow_mut().extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        match bytes.len().min(self.0.takes.get()) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                self.0.takes.set(self.0.takes.get() - count);
                self.0.count(0);
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.count(1);
        match self.0.holds_flushes.get() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(()),
        }
    }

    fn take_progress(&mut self) -> bool {
        self.0.has_moved.take()
    }

    fn shutdown(&mut self) {
        panic!("an aborted stream is not ended in order");
    }

    fn abort(&mut self) {
        self.0.aborted.set(true);
    }

    fn fails_whole(&self) -> bool {
        true
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.dropped_after_abort.set(Some(self.0.aborted.get()));
    }
}

pub(super) struct Memory(Rc<Server>);

impl Host for Memory {
    type Dialing = ();
    type Stream = Stream;

    fn now(&self) -> Instant {
        self.0.now.get()
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(self.0.wall.get())
    }

    fn ask(&mut self, _: SocketId, _: Attempt) -> Asking {
        let mut given = self.0.requests.borrow_mut().pop_front();
        let own = Endpoint::builder("ws://memory/").build().unwrap();
        Asking::new(own, move || Poll::Ready(Ok(given.take().unwrap())))
    }

    fn dial(&mut self, _: SocketId, _: Credentials, _: Option<Arc<Endpoint>>) {}

    fn poll_dialing(&mut self, (): &mut ()) -> Poll<Result<Dialled<Stream>, OpenFailure>> {
        let endpoint = Endpoint::builder("ws://memory/").build().unwrap();
        let handshake = Handshake::start(&endpoint);
        Poll::Ready(Ok(Dialled { stream: Stream(Rc::clone(&self.0)), handshake }))
    }
}

fn engine() -> (Engine<Memory>, Rc<Server>) {
    engine_with(HeartbeatKind::Off)
}

fn engine_with(heartbeat: HeartbeatKind) -> (Engine<Memory>, Rc<Server>) {
    let config = Config::builder().heartbeat(heartbeat).build().unwrap();
    let session = Session::new(Arc::new(config), 7, Box::new(NoDialect)).with_sent_reported(true);
    let server = Rc::new(Server::default());
    let mut engine = Engine::new(session, Memory(Rc::clone(&server)));
    engine.begin();
    let _ = engine.carry_out_orders();
    (engine, server)
}

/// A ready engine with a heartbeat, and its server, which accepts everything. The application has
/// taken no event.
pub(super) fn ready_engine() -> (Engine<Memory>, Rc<Server>) {
    let (mut engine, server) = engine_with(HeartbeatKind::Ping);
    server.takes.set(usize::MAX);
    while engine.look() == Progress::Made {}
    assert!(engine.session().is_ready());
    (engine, server)
}

impl Server {
    pub(super) fn set_wall(&self, wall: UnixMillis) {
        self.wall.set(wall.0);
    }

    fn count(&self, index: usize) {
        let mut calls = self.calls.get();
        calls[index] += 1;
        self.calls.set(calls);
    }

    /// The number of bytes written since this server accepts everything.
    pub(super) fn taken(&self) -> usize {
        usize::MAX - self.takes.get()
    }
}

fn abort(engine: &mut Engine<Memory>) {
    let id = engine.session.socket().unwrap();
    // The core leaves an open socket first, so its own order is replaced.
    engine.session.failed(Instant::ZERO, id, Failure::Reset, "dead");
    while engine.session.next_order().is_some() {}
    engine.session.push_order(Order::Abort { id });
    let _ = engine.carry_out_orders();
}

/// An engine that was not driven yet, ten seconds after its clock was started.
fn new_engine(more: impl FnOnce(Session) -> Session) -> (Engine<Memory>, Rc<Server>) {
    let config = Config::builder().heartbeat(HeartbeatKind::Off).build().unwrap();
    let session = more(Session::new(Arc::new(config), 7, Box::new(NoDialect)));
    let server = Rc::new(Server::default());
    server.now.set(Instant::from_millis(10_000));
    server.takes.set(usize::MAX);
    (Engine::new(session, Memory(Rc::clone(&server))), server)
}

fn asking(session: Session) -> Session {
    session.with_requests(Box::new(crate::correlation::JsonCorrelator::new("/id").unwrap()))
}

#[test]
fn what_is_sent_before_the_engine_is_driven_has_its_whole_time() {
    let endpoint = Endpoint::builder("ws://memory/").build().unwrap();
    let span = Duration::from_secs(1);
    let outbox = crate::Outbox::default().time_to_live(span);
    let (mut engine, _server) = new_engine(|session| session.with_outbox(outbox, &endpoint));
    engine.send(Message::text("one")).unwrap();
    assert_eq!(engine.session().deadline(), Some(Instant::from_millis(11_000)));

    let (mut engine, _server) = new_engine(asking);
    engine.request(&Message::text("{}"), span, Repeat::OnReconnect).unwrap();
    assert_eq!(engine.session().deadline(), Some(Instant::from_millis(11_000)));
}

#[test]
fn a_drain_that_comes_before_the_engine_is_driven_connects_for_a_request_that_waits() {
    let (mut engine, server) = new_engine(asking);
    let span = Duration::from_secs(60);
    let _ = engine.request(&Message::text("{}"), span, Repeat::OnReconnect).unwrap();

    engine.drain(CloseFrame::NORMAL, span);
    let _ = engine.carry_out_orders();
    while engine.look() == Progress::Made {}

    assert!(engine.session().is_connection_ready() && engine.session().is_draining());
    assert!(server.taken() > 0, "the request has left");
}

#[test]
fn an_abort_resets_the_stream_and_each_message_has_its_outcome() {
    let (mut engine, server) = engine();
    while engine.look() == Progress::Made {}
    let first = engine.send("written".into()).unwrap();
    server.takes.set(usize::MAX);
    let _ = engine.write();
    let second = engine.send("partly written".into()).unwrap();
    let third = engine.send("not written".into()).unwrap();
    server.takes.set(5);
    let _ = engine.write();

    abort(&mut engine);

    assert_eq!(server.dropped_after_abort.get(), Some(true));
    let outcomes: Vec<_> = std::iter::from_fn(|| engine.take_event())
        .filter_map(|event| match event {
            ClientEvent::Outcome(outcome) => Some((outcome.first, outcome.count(), outcome.fate)),
            _ => None,
        })
        .collect();
    let socket = SocketId::new(1);
    assert_eq!(
        outcomes,
        [
            (first.id(), 1, Fate::Sent { socket }),
            (second.id(), 1, Fate::MaybeSent { socket }),
            (third.id(), 1, Fate::Rejected),
        ]
    );
}

#[test]
fn a_stream_that_is_upgrading_is_aborted_too() {
    let (mut engine, server) = engine();
    let _ = engine.look(); // dialled
    abort(&mut engine);
    assert_eq!(server.dropped_after_abort.get(), Some(true));
    assert_eq!(engine.look(), Progress::Blocked, "there is no socket left");
}

#[test]
fn a_flush_that_waits_has_not_stalled_while_bytes_move_in_it() {
    let (mut engine, server) = engine();
    while engine.look() == Progress::Made {}
    server.takes.set(usize::MAX);
    server.holds_flushes.set(true);
    engine.send("in the stream's own buffer".into()).unwrap();
    engine.wait_for_flush().unwrap();
    let _ = engine.write();
    let first_try = Some(Instant::from_millis(1_250));
    assert_eq!(engine.session.deadline(), first_try, "an eighth of an idle send_stall");

    for (now, has_moved, due) in [(800, true, 2_050), (900, false, 2_050)] {
        server.now.set(Instant::from_millis(now));
        server.has_moved.set(has_moved);
        let _ = engine.write();
        assert_eq!(engine.session.deadline(), Some(Instant::from_millis(due)));
    }
}

#[test]
fn space_that_the_stream_does_not_report_is_found_long_before_the_wait_stalls() {
    let (mut engine, server) = engine();
    while engine.look() == Progress::Made {}
    engine.send(vec![0; 300 << 10].into()).unwrap();
    let _ = engine.write();
    engine.wait_for_space();
    while engine.look() == Progress::Made {}
    server.takes.set(1_000); // and nothing wakes the driver

    // The driver's loop, from where it waits for the deadline.
    server.now.set(engine.session.deadline().unwrap());
    while engine.session.poll_space().is_pending() {
        while engine.look() == Progress::Made {}
        match engine.due() {
            Some(now) => engine.fire(now),
            None => server.now.set(engine.session.deadline().unwrap()),
        }
    }

    assert_eq!(engine.session.poll_space(), Poll::Ready(Err(SendRejection::Stalled)));
    assert_eq!(server.now.get(), Instant::from_millis(11_250), "the space was found at 1.25 s");
}

#[test]
fn what_comes_behind_the_upgrade_waits_like_any_other_input_until_there_is_room() {
    let (mut engine, server) = engine();
    server.behind_the_answer.set(&[0x81, 0x01, b'x']);
    engine.hold(true);
    while engine.look() == Progress::Made {}
    assert!(engine.session.is_ready() && !engine.session.has_messages());

    engine.hold(false);
    let _ = engine.look();

    assert!(engine.session.has_messages());
}

#[test]
fn a_flush_that_ends_is_progress_for_what_waits_behind_it() {
    let (mut engine, server) = engine();
    while engine.look() == Progress::Made {}
    server.holds_flushes.set(true);
    server.takes.set(6 + "first".len());
    engine.send("first".into()).unwrap();
    engine.send("second".into()).unwrap();
    engine.wait_for_flush().unwrap();
    let _ = engine.write();

    server.now.set(Instant::from_millis(9_000));
    server.holds_flushes.set(false);
    let _ = engine.write();

    assert_eq!(engine.session.deadline(), Some(Instant::from_millis(10_250)));
}

#[test]
fn a_refusal_whose_body_does_not_come_is_a_refusal_at_the_end_of_the_stream_or_after_a_second() {
    const REFUSAL: &str = "HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nslow";
    for ends in [Some(Ok(())), Some(Err(io::ErrorKind::ConnectionReset)), None] {
        let (mut engine, server) = engine();
        server.refusal.set(Some(REFUSAL));
        server.ends.set(ends);
        while engine.look() == Progress::Made {}
        if ends.is_none() {
            let a_second = Instant::ZERO.saturating_add(Session::BODY_WAIT);
            assert_eq!(engine.session.deadline(), Some(a_second));
            server.now.set(a_second);
            engine.fire(a_second);
        }

        let told = std::iter::from_fn(|| engine.take_event()).find_map(|event| match event {
            ClientEvent::Disconnected { cause, detail, .. } => Some((cause, detail)),
            _ => None,
        });

        let (cause, detail) = told.unwrap();
        let retry_after = Some(RetryAfter::Seconds(7));
        let refused = OpenError::Http { status: 429, retry_after };
        assert_eq!(cause, DisconnectCause::OpenFailed(refused), "{ends:?}");
        assert_eq!(&*detail, "the server answered 429: slow");
    }
}

#[test]
fn a_refusal_of_a_request_that_cannot_be_written_whole_counts() {
    let (mut engine, server) = engine();
    server.refusal.set(Some("HTTP/1.1 431 x\r\n\r\n"));
    server.breaks_after.set(Some(10));
    while engine.look() == Progress::Made {}

    let causes = std::iter::from_fn(|| engine.take_event()).filter_map(|event| match event {
        ClientEvent::Disconnected { cause, .. } => Some(cause),
        _ => None,
    });
    let refused = OpenError::Http { status: 431, retry_after: None };
    assert_eq!(causes.collect::<Vec<_>>(), [DisconnectCause::OpenFailed(refused)]);
}

/// A look is what a driver does under its lock.
#[test]
fn a_look_writes_a_part_of_a_large_message_and_the_last_look_flushes() {
    const MESSAGE: usize = 4 << 20;
    let (mut engine, server) = ready_engine();
    let before = server.taken();
    server.calls.take();
    engine.send(vec![7; MESSAGE].into()).unwrap();

    let mut looks = 0;
    while engine.look() == Progress::Made {
        looks += 1;
        assert!(server.taken() - before <= looks * 2 * WRITE, "after {looks} looks");
    }

    assert!(server.taken() - before > MESSAGE);
    assert_eq!(server.calls.take(), [MESSAGE.div_ceil(WRITE) + 1, 1]); // a header of 14 bytes
    assert!(engine.session().is_flushed());
}

#[test]
fn a_write_outside_of_a_look_writes_all_of_it() {
    let (mut engine, _server) = ready_engine();
    engine.send(vec![7; 4 << 20].into()).unwrap();

    assert!(engine.write_sent().is_none());

    assert!(engine.session().is_flushed());
}

/// Each look has bytes to write, as with other threads that send without a pause.
#[test]
fn a_deadline_fires_though_each_look_finds_bytes_to_write() {
    let (mut engine, server) = ready_engine();
    server.now.set(engine.session().deadline().unwrap());
    let pings = |engine: &mut Engine<Memory>| {
        let events = std::iter::from_fn(|| engine.take_event());
        events.filter(|event| matches!(event, ClientEvent::Notice(Notice::PingSent { .. }))).count()
    };

    for _ in 0..EVENTS_BETWEEN_LOOKS {
        engine.send("one more".into()).unwrap();
        assert_eq!(engine.look(), Progress::Made);
        engine.fire_if_busy();
    }

    assert_eq!(pings(&mut engine), 1);
}

/// What has arrived is processed first: it may be the pong.
#[test]
fn a_deadline_that_is_due_waits_for_the_bytes_that_have_arrived() {
    let (mut engine, server) = engine_with(HeartbeatKind::Ping);
    server.takes.set(usize::MAX);
    server.behind_the_answer.set(b"\x81\x01x\x81\x01y");
    while !engine.session().is_ready() {
        assert_eq!(engine.look(), Progress::Made);
    }
    server.now.set(engine.session().deadline().unwrap());
    for _ in 0..EVENTS_BETWEEN_LOOKS - 1 {
        assert!(!engine.is_look_due());
    }

    engine.send("a look that writes and reads".into()).unwrap();
    assert_eq!(engine.look(), Progress::Made);
    engine.fire_if_busy();

    assert_eq!(server.taken(), "a look that writes and reads".len() + 6, "no ping yet");
}

/// A provider moves the attempts: the log names the server of each, and nothing else of its URL.
#[test]
fn the_log_names_the_server_of_an_attempt_that_a_provider_has_moved() {
    for is_deferred in [false, true] {
        let config = Config::builder().heartbeat(HeartbeatKind::Off).ask_provider(true);
        let session = Session::new(Arc::new(config.build().unwrap()), 7, Box::new(NoDialect));
        let own = Endpoint::builder("ws://memory/").build().unwrap();
        let session = session.with_identity(None, &own);
        let server = Rc::new(Server::default());
        let mut engine = Engine::new(session, Memory(Rc::clone(&server)));
        let mut log = is_deferred.then(|| engine.session_mut().defer_log());
        let moved = Request::new().url("ws://ann:hunter1@[::1]:9000/hunter2?key=hunter3");
        let same = Request::new().url("ws://memory/hunter4").header("X", "hunter5");
        server.requests.borrow_mut().extend([moved.clone(), same, moved]);
        server.refusal.set(Some("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"));

        let lines = logged(tracing::Level::INFO, || {
            engine.begin();
            for attempt in 1..=3 {
                if attempt == 3 {
                    server.refusal.set(None);
                }
                while engine.carry_out_orders() || engine.look() == Progress::Made {}
                server.answered.set(false);
                server.written.borrow_mut().clear();
                if attempt < 3 {
                    let retry_at = engine.session.deadline().unwrap();
                    server.now.set(retry_at);
                    engine.fire(retry_at);
                }
            }
            server.ends.set(Some(Ok(())));
            server.answered.set(true);
            while engine.carry_out_orders() || engine.look() == Progress::Made {}
            if let Some(log) = &mut log {
                log.write(engine.session_mut().take_log_lines());
            }
        });

        assert!(!lines.contains("hunter") && !lines.contains("ann"), "{lines}");
        let shown: Vec<_> = lines
            .lines()
            .map(|line| line.split_once("gateway_wire::log: ").unwrap().1)
            .map(|line| {
                (line.split_once(" socket=").unwrap().0, line.contains("server=\"[::1]:9000\""))
            })
            .collect();
        let expected = [
            ("DISCONNECTED -> CONNECTING", false), // the request is not there yet
            ("CONNECTING -> DISCONNECTED", true),
            ("DISCONNECTED -> CONNECTING", false),
            ("CONNECTING -> DISCONNECTED", false), // the client's own server
            ("DISCONNECTED -> CONNECTING", false),
            ("CONNECTING -> CONNECTED", true),
            ("CONNECTED -> DISCONNECTED", true),
        ];
        assert_eq!(shown, expected, "{lines}");
    }
}
