//! A WebSocket connection that stays up, on the standard library's threads: no async runtime.
//!
//! [`Client`] is an iterator of what happened, and sends messages. It connects when it is first asked for an event, keeps a
//! heartbeat, reconnects with backoff and jitter, logs in again, and closes within a deadline, all on the thread that
//! calls it. It waits in the operating system's poller (by [mio](https://docs.rs/mio)) and wakes up for its socket, its
//! deadlines, and its [`Sender`]s alone. What it decides is decided by [`gateway_core`], a pure state machine;
//! `gateway-tokio` is the same on tokio: builder, settings, events and errors are one.
//!
//! (tungstenite, underneath, logs requests and payloads through the `log` crate at trace: an application that bridges `log`
//! and has secrets filters `tungstenite` out.)
//!
//! ```no_run
//! use gateway_std::{Client, ClientEvent};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::builder("wss://gateway.example/feed").build()?;
//! while let Some(event) = client.next() {
//!     if let ClientEvent::Message(message) = event {
//!         if let Err(refused) = client.send(message) {
//!             println!("{refused}"); // lost meanwhile: it reconnects, and the message is in there
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A connection costs one thread of yours, and three file descriptors: its socket, and its poller with the poller's waker.
//! A host's name is resolved, and credentials are asked for, on a helper thread that ends when it has the answer.
//! One more thread serves all clients of the process, of both drivers: it wakes up 12 times a minute to notice a suspend of
//! the machine, and ends with the last client.

mod builder;
mod client;
mod clock;
mod dial;
mod errand;
mod os;
mod race;
mod sender;
mod system;
mod tls;

pub use builder::Builder;
pub use client::{Client, TimedOut};
pub use dial::{Dial, Transport};
pub use errand::Provider;
pub use gateway_core as core;
pub use gateway_wire::{
    ClientEvent, Endpoint, Fate, FlushError, Limits, LoginCredentials, Message, MessageId,
    OpenFailure, OpenStep, Outcome, ProviderError, SendError, Text, Tls,
};
pub use os::Os;
pub use sender::{Receipt, Sender};
pub use system::System;

/// Compiles the README's programs, and runs its property test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
