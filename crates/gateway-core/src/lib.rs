//! A state machine that keeps a WebSocket client connection up. It does no IO: it has no sockets,
//! clocks or threads.
//!
//! The machine decides when to connect, ping, log in, retry, close and give up. You pass each fact
//! to [`Connection::handle`] as an [`Event`], with the time. It returns [`Actions`], which you
//! perform in order. The time is an argument, so a test runs a whole day of a connection's life in
//! about a millisecond. The same configuration, seed and events give the same actions on every
//! platform.
//!
//! In these docs, *the machine* is the state machine. [`Connection`] is the machine with its
//! settings, randomness, dialect and statistics. The guide and `gateway-wire` call a `Connection`
//! *the core*. *The driver* is the code around the machine that owns sockets and clocks. *The
//! application* is the code that uses the driver.
//!
//! ```text
//!             events (facts)                      actions (orders)
//!  socket opened, frame received, ──▶ Connection ──▶ open socket, send frame, schedule timer,
//!  tick at instant T, connect, close  (no IO,        close socket, deliver message, notify
//!             ▲                        no clock)             │
//!             └─────────────── your driver ◀─────────────────┘
//! ```
//!
//! # Which crate do I need?
//!
//! - For an application, use a driver: `gateway-tokio`, or `gateway-std` without an async runtime.
//! - For another event loop, use the engine of `gateway-wire`. It does everything that a driver
//!   does except wait: your event loop waits for sockets and for the deadline, and then calls the
//!   engine. `examples/mio_loop.rs` shows how.
//! - If you have your own WebSocket frame codec and buffers, use this crate.
//! - [`Backoff`] and [`Policy`] are also useful without the rest.
//!
//! # A whole driver
//!
//! This driver blocks one thread, and uses the `tungstenite` crate for frames. A driver decides
//! nothing: it collects one fact, passes it to the machine, and performs the actions.
//!
//! ```no_run
//! use std::{io, net::TcpStream, sync::Arc, time};
//! use gateway_core::{
//!     Action, CloseFrame, Config, Connection, Encoded, Event, Failure, Frame, Instant, Message, OpenError,
//!     SocketId,
//! };
//! use tungstenite::protocol::{CloseFrame as WireClose, Message as Wire};
//! use tungstenite::{WebSocket, stream::MaybeTlsStream};
//!
//! type Socket = WebSocket<MaybeTlsStream<TcpStream>>;
//!
//! struct Driver {
//!     connection: Connection,
//!     epoch: time::Instant,
//!     to_open: Option<SocketId>,
//!     socket: Option<(SocketId, Socket)>,
//! }
//!
//! impl Driver {
//!     fn now(&self) -> Instant {
//!         Instant::from_nanos(self.epoch.elapsed().as_nanos() as u64)
//!     }
//!
//!     /// Passes one event to the machine and performs the actions. `message` is the event's
//!     /// message, if it has one.
//!     fn tell(&mut self, event: Event<'_>, message: Option<&Wire>) {
//!         for action in self.connection.handle(self.now(), event) {
//!             match action {
//!                 Action::AskProvider { .. } => {} // only with `ask_provider`
//!                 Action::ReserveOpen(_) | Action::ReleaseOpen => {} // only with `shared_budget`
//!                 Action::OpenSocket { id, .. } => self.to_open = Some(id),
//!                 Action::Send(_, outgoing) => {
//!                     let mut text = String::new();
//!                     let frame = match self.connection.encode(&outgoing, &mut text) {
//!                         Some(Encoded::Text) => Wire::text(text),
//!                         Some(Encoded::Ping) => Wire::Ping(text.into()),
//!                         Some(Encoded::Close(code)) => {
//!                             Wire::Close(Some(WireClose { code: code.number().into(), reason: "".into() }))
//!                         }
//!                         Some(Encoded::Binary(bytes)) => Wire::binary(bytes.to_vec()),
//!                         None => message.cloned().unwrap_or(Wire::Close(None)), // the event's message
//!                     };
//!                     if let Some((_, socket)) = &mut self.socket {
//!                         let _ = socket.send(frame); // the next read reports a failure
//!                     }
//!                 }
//!                 Action::CloseSocket(_) | Action::AbortSocket(_) => (self.to_open, self.socket) = (None, None),
//!                 Action::Deliver => println!("{message:?}"),
//!                 Action::Notify(notice) => println!("{notice:?}"),
//!                 Action::Drain(_) => {} // only with `renew_after`
//!                 Action::ResumeAt(_) => {} // only with a dialect
//!                 Action::ScheduleTimer(_) | Action::CancelTimer => {} // see `step`
//!             }
//!         }
//!     }
//!
//!     /// Opens a socket. This call blocks, so it does not keep the connect deadline. A driver for
//!     /// production must not block here.
//!     fn open(&mut self, id: SocketId) {
//!         match tungstenite::connect("ws://127.0.0.1:9001") {
//!             Ok((socket, _)) => {
//!                 self.socket = Some((id, socket));
//!                 self.tell(Event::SocketOpened(id), None);
//!             }
//!             Err(_) => self.tell(Event::OpenFailed(id, OpenError::Io), None),
//!         }
//!     }
//!
//!     /// Waits for the socket or the deadline, whichever comes first.
//!     fn step(&mut self) {
//!         if let Some(id) = self.to_open.take() {
//!             return self.open(id);
//!         }
//!         let wait = self.connection.next_deadline().map(|at| at.saturating_duration_since(self.now()));
//!         let Some((id, socket)) = &mut self.socket else {
//!             std::thread::park_timeout(wait.unwrap_or(time::Duration::MAX));
//!             return self.tell(Event::Tick, None);
//!         };
//!         let id = *id;
//!         if let MaybeTlsStream::Plain(tcp) = socket.get_ref() {
//!             let at_least = time::Duration::from_millis(1); // zero is an error
//!             let _ = tcp.set_read_timeout(wait.map(|wait| wait.max(at_least)));
//!         }
//!         match socket.read() {
//!             Ok(message) => match &message {
//!                 Wire::Text(text) => self.tell(Event::FrameReceived(id, Frame::Text(text)), Some(&message)),
//!                 Wire::Binary(bytes) => self.tell(Event::FrameReceived(id, Frame::Binary(bytes)), Some(&message)),
//!                 Wire::Ping(bytes) => self.tell(Event::FrameReceived(id, Frame::Ping(bytes)), None),
//!                 Wire::Pong(bytes) => self.tell(Event::FrameReceived(id, Frame::Pong(bytes)), None),
//!                 Wire::Close(frame) => {
//!                     let frame = frame.as_ref().and_then(|f| CloseFrame::new(f.code.into(), &f.reason).ok());
//!                     self.tell(Event::FrameReceived(id, Frame::Close(frame)), None);
//!                 }
//!                 Wire::Frame(_) => {}
//!             },
//!             Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
//!                 self.tell(Event::Tick, None);
//!             }
//!             Err(_) => self.tell(Event::SocketFailed(id, Failure::Eof), None),
//!         }
//!     }
//! }
//!
//! let connection = Connection::from_seed(Arc::new(Config::default()), 7);
//! let mut driver = Driver { connection, epoch: time::Instant::now(), to_open: None, socket: None };
//! driver.tell(Event::ConnectRequested, None);
//! loop {
//!     driver.step();
//!     if driver.connection.is_ready() {
//!         let hello = Wire::text("hello");
//!         driver.tell(Event::SendRequested(Message::Text("hello")), Some(&hello));
//!     }
//! }
//! ```
//!
//! # What must a driver do?
//!
//! 1. Perform all actions of an event, in order, before you pass the next event.
//! 2. Report every event of a socket with that socket's id, even if the event comes late.
//! 3. Report a [`Tick`](Event::Tick) when your clock has reached the deadline. If your timer fires
//!    before that, a Tick changes nothing, and you must set the timer again.
//! 4. Before you report a Tick, report all frames that have already arrived. Otherwise, after a
//!    pause of your process, a timeout fires although the pong has arrived. A peer may send so fast
//!    that a read never blocks. So once the deadline has passed, read at most a fixed number of
//!    further frames, then report the Tick.
//! 5. Let the codec answer Ping and Close. The machine never answers them.
//! 6. After [`Action::CloseSocket`], leave nothing of that socket open. After
//!    [`Action::AbortSocket`], also make sure that none of its bytes arrive at the peer.
//! 7. Report [`Event::WallClock`] each time a timer wakes the driver, so that the machine notices a
//!    suspend. Report it also if the platform tells you of one. Do not report it for a frame.
//! 8. Write a ping at once. If the write leaves part of it in your buffer, report
//!    [`Event::PingHeld`]. Then report [`Event::WriteProgressed`] each time the transport takes
//!    bytes. When a ping is flushed, report [`Event::PingHanded`] if the ping was held, or if it
//!    has more than 64 KiB of unproven bytes. If you report none of these, the ping's timeout
//!    starts when the machine returns the ping as an action, and has no allowance.
//! 9. After [`Action::Drain`], report [`Event::Drained`] as soon as your write buffer is empty and
//!    flushed. Without this report, a renewal waits for `close_timeout`.
//! 10. If `ask_provider` is set: after [`Action::AskProvider`], get the attempt's request, and report
//!     [`Event::ProviderAnswered`] or [`Event::ProviderFailed`]. Keep the request for
//!     [`Action::OpenSocket`] with the same id. [`Action::CloseSocket`] means that it is not needed
//!     any more.
//! 11. If `shared_budget` is set: after [`Action::ReserveOpen`], reserve an open in the budget, and
//!     report it with [`Event::OpenReserved`] before any other event. After [`Action::ReleaseOpen`],
//!     release it. See [`OpenSchedule`].
//!
//! # What do the terms mean?
//!
//! - *Ready*: the connection accepts application messages. It is CONNECTED if no login is
//!   configured, and AUTHENTICATED if one is.
//! - *Stable*: ready for at least max(`stable_after`, the last delay). A stable connection resets
//!   the retry count, and with it the delay. It does not reset [`Statistics::attempts`], which
//!   counts all attempts.
//! - *Sign of life*: any byte from the peer. In strict mode, only a pong.
//! - *Hand-over* of a ping: its last byte was flushed to the transport. The ping's timeout starts
//!   then.
//! - *Held* ping: the transport has not yet taken all of it.
//! - *Unproven* bytes of a ping: bytes that you sent after the newest answered ping or, if none was
//!   answered, since the socket opened. The ping's own bytes are included. No pong has shown yet
//!   that they arrived.
//! - *Allowance*: the time that a ping's timeout is extended for unproven bytes. It is (unproven −
//!   64 KiB) / `slowest_link`, from 0 to 30 s.
//! - *Resume*: the driver reads from the socket again after a pause, because the application has
//!   taken events.
//! - *Least delay*: the shortest delay that a `Retry-After` header or the policy allows.
//! - *Suspend*: the computer slept. The wall clock moves ahead of monotonic time, so the API calls
//!   it a clock jump.
//! - *Provider*: your code that gives the request of each attempt: its URL, headers and login.
//! - *Stale* event: an event of an old or unknown socket; a second `SocketOpened` or `OpenFailed` of
//!   one socket; while a socket is still opening, any event of it except these two. While the
//!   provider is asked, any event of the attempt except `ProviderAnswered` and `ProviderFailed`.
//!
//! # Features
//!
//! `std` (default) enables the `std` features of the dependencies, and nothing else. Without it the
//! crate needs only `alloc`.
#![no_std]
#![warn(clippy::pedantic, clippy::exhaustive_enums)]
#![allow(
    clippy::module_name_repetitions, // `policy::Policy` reads well where it is used
    clippy::match_same_arms, // a table names every row, even if two rows agree
    clippy::struct_excessive_bools // settings that are switches
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod backoff;
mod close;
mod config;
mod connection;
mod context;
mod dialect;
mod event;
#[doc(hidden)]
pub mod every;
mod heartbeat;
mod json_heartbeat;
#[doc(hidden)]
pub mod json_pointer;
mod json_rule;
#[doc(hidden)]
pub mod json_value;
mod login;
mod machine;
mod mean;
mod observer;
mod policy;
mod ready;
mod retry;
mod retry_budget;
mod secrets;
mod sending;
#[doc(hidden)]
pub mod snapshot;
mod state;
mod statistics;
mod tally;
mod thousandths;
mod time;
mod transitions;
mod uniform;

pub use action::{
    Action, Actions, ActionsIter, Because, Credentials, DisconnectCause, GiveUpCause, Notice,
    Outgoing, RetryCause, SendRejection,
};
pub use backoff::{Backoff, Multiplier, Strategy};
pub use close::{CloseCode, CloseFrame, InvalidCloseFrame};
pub use config::{
    Config, ConfigBuilder, ConfigError, ConfigErrors, HeartbeatKind, Setting, format_duration,
    parse_duration,
};
pub use connection::{Connection, Encoded, SeededConnection};
pub use dialect::{
    Dialect, DialectCall, DialectCallKind, Duties, Effect, Exchange, Interest, NoDialect, Part,
    Received, Spoken,
};
pub use event::{
    Backlog, Event, EventKind, Failure, Frame, Message, Network, OpenError, RetryAfter,
};
pub use json_heartbeat::{JsonHeartbeat, Recognised};
pub use json_rule::JsonRule;
pub use login::{AcceptanceRule, Login, LoginAnswer, RefusalRule, Secret};
pub use machine::Machine;
pub use observer::{Observed, Observer};
pub use policy::{Explanation, Policy, Rule, Sent, Verdict};
pub use retry_budget::{OpenSchedule, RetryBudget};
pub use secrets::Secrets;
pub use sending::{MessageFate, RequestEnd, SendingFact};
pub use state::{ConnectionState, SocketId};
pub use statistics::{RoundTrip, Statistics};
pub use time::{Instant, UnixMillis};
pub use uniform::Uniform;
