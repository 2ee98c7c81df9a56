//! A WebSocket connection that stays up, as a pure state machine: reconnect, backoff, heartbeat, login and
//! close, without sockets, clocks or threads.
//!
//! You hand a [`Connection`] each fact as an [`Event`] with the time, and perform the [`Actions`] that it returns, in
//! order. The same configuration, seed and events give the same actions, on every platform; so a whole day of
//! a connection's life is tested in microseconds.
//!
//! ```text
//!             events (facts)                      actions (orders)
//!  socket opened, frame received, ──▶ Connection ──▶ open socket, send frame, schedule timer,
//!  tick at instant T, connect, close  (no IO,        close socket, deliver message, notify
//!             ▲                        no clock)             │
//!             └─────────────── your driver ◀─────────────────┘
//! ```
//!
//! # Which crate you want
//!
//! An application takes a driver: `gateway-tokio`, or `gateway-std` without a runtime. Who embeds it in another event loop
//! takes the engine of `gateway-wire`, a driver short of waiting, and finds `examples/mio_loop.rs` as a guide; who brings frames and
//! buffers of their own is right here. [`Backoff`] and [`Policy`] are of use alone.
//!
//! # A whole driver
//!
//! One thread, blocking, with the `tungstenite` crate for frames. A driver decides nothing: it collects one
//! fact, hands it over, and carries out what comes back.
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
//!     /// Hands over one fact and carries out what follows; `message` is what the fact carries, if anything.
//!     fn tell(&mut self, event: Event<'_>, message: Option<&Wire>) {
//!         for action in self.connection.handle(self.now(), event) {
//!             match action {
//!                 Action::OpenSocket { id, .. } => self.to_open = Some(id),
//!                 Action::Send(_, outgoing) => {
//!                     let mut text = String::new();
//!                     let frame = match self.connection.encode(&outgoing, &mut text) {
//!                         Some(Encoded::Text) => Wire::text(text),
//!                         Some(Encoded::Ping) => Wire::Ping(text.into()),
//!                         Some(Encoded::Close(code)) => {
//!                             Wire::Close(Some(WireClose { code: code.number().into(), reason: "".into() }))
//!                         }
//!                         None => message.cloned().unwrap_or(Wire::Close(None)), // what the event carries
//!                     };
//!                     if let Some((_, socket)) = &mut self.socket {
//!                         let _ = socket.send(frame); // a failure is read as one
//!                     }
//!                 }
//!                 Action::CloseSocket(_) | Action::AbortSocket(_) => (self.to_open, self.socket) = (None, None),
//!                 Action::Deliver => println!("{message:?}"),
//!                 Action::Notify(notice) => println!("{notice:?}"),
//!                 Action::ScheduleTimer(_) | Action::CancelTimer => {} // next_deadline says the same
//!             }
//!         }
//!     }
//!
//!     /// Opens a socket; this one blocks, a driver that keeps the connect deadline opens aside.
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
//!     /// Waits for the socket or for the deadline, whichever is first.
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
//!             let at_least = time::Duration::from_millis(1); // zero would mean for ever
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
//! # What a driver owes the machine
//!
//! 1. Every action is performed, in order, before the next event is handed over.
//! 2. What a socket reports carries its id, also when it comes late.
//! 3. The driver's clock decides whether the deadline is due; a Tick too early is harmless.
//! 4. Frames that have already arrived are handed over before a Tick: a live link is not killed by a pause of our own.
//!    A peer that never lets a read block gets a bounded number of frames past the deadline, then the Tick.
//! 5. The codec answers Ping and Close by itself; the machine never does.
//! 6. After [`Action::CloseSocket`] nothing of that socket stays open. After [`Action::AbortSocket`] nothing of it arrives, either.
//! 7. [`Event::WallClock`] is reported when a timer wakes the driver or a suspend was noticed, never for a frame.
//! 8. A ping is written at once. If the write leaves part of it, the driver reports [`Event::PingHeld`], then
//!    [`Event::WriteProgressed`] each time the transport takes bytes, and [`Event::PingHanded`] when the ping is flushed.
//!    A driver that reports none of them has its pings judged from their order.
//!
//! # Features
//!
//! `std` (default) only passes `std` on to the dependencies. Without it the crate needs `alloc` alone.
#![no_std]
#![warn(clippy::pedantic, clippy::exhaustive_enums)]
#![allow(
    clippy::module_name_repetitions, // `policy::Policy` reads well where it is used
    clippy::match_same_arms, // a table names every row, also where two rows agree
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
mod heartbeat;
mod login;
mod machine;
mod observer;
mod policy;
mod ready;
mod retry;
mod state;
mod statistics;
mod tally;
mod time;
mod transitions;

pub use action::{
    Action, Actions, ActionsIter, Because, Credentials, DisconnectCause, GiveUpCause, Notice,
    Outgoing, RetryCause, SendRejection,
};
pub use backoff::{Backoff, Multiplier, Strategy};
pub use close::{CloseCode, CloseFrame, InvalidCloseFrame};
pub use config::{
    Config, ConfigBuilder, ConfigError, ConfigErrors, HeartbeatKind, format_duration,
    parse_duration,
};
pub use connection::{Connection, Encoded, SeededConnection};
pub use dialect::{Dialect, JsonDialect, Recognised};
pub use event::{
    Backlog, Event, EventKind, Failure, Frame, Message, Network, OpenError, RetryAfter,
};
pub use login::{AcceptanceRule, JsonRule, Login, LoginAnswer, RefusalRule, Secret};
pub use machine::Machine;
pub use observer::{Observed, Observer};
pub use policy::{Explanation, Policy, Rule, Sent, Verdict};
pub use state::{ConnectionState, SocketId};
pub use statistics::{RoundTrip, Statistics};
pub use time::{Instant, UnixMillis};
