//! A WebSocket client connection that stays up, on threads, without an async runtime.
//!
//! [`Client`] is an iterator of events, and sends messages. It connects when you first ask it for
//! an event. Then it keeps a heartbeat, reconnects with backoff and jitter, logs in again, and
//! closes within a deadline. All of this happens on the thread that calls it. It waits in the
//! operating system's poller, through [mio](https://docs.rs/mio). Only these wake it up: its
//! socket, its deadlines, its [`Sender`]s, its helper thread, and, after a suspend, the suspend
//! watch.
//!
//! The state machine in [`gateway_core`] makes all decisions. `gateway-tokio` is the same client on
//! tokio, with the same builder, settings, events and errors.
//!
//! ```no_run
//! use gateway_std::{Client, ClientEvent};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::builder("wss://gateway.example/feed").build()?;
//! while let Some(event) = client.next() {
//!     if let ClientEvent::Message(message) = event {
//!         if let Err(refused) = client.send(message) {
//!             println!("{refused}"); // not connected; the error contains the message
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Threads.** A connection uses one of your threads, and three file descriptors: its socket, its
//! poller, and the poller's waker. What may block runs on a helper thread, which ends when it is
//! done: your own code for `attempt` or `dial`, name resolution, and reading TLS files. One more
//! thread per process watches for a suspend of the computer, for all clients, those of
//! `gateway-tokio` included. It wakes up 12 times a minute, and ends with the last client.
//!
//! **Logs.** The codec's crate, tungstenite, logs requests and payloads through the `log` crate at
//! level trace. If your application forwards `log` and sends secrets, filter out `tungstenite`.
//!
//! **Features.** `metrics`, off by default: the builder's method `metrics` reports the connection's
//! state, causes, delays, round trips and buffers through the facade of the crate
//! [`metrics`](https://docs.rs/metrics).

mod builder;
mod client;
mod clock;
mod dial;
mod errand;
mod fleet;
mod inside;
mod mailbox;
mod os;
mod permit;
mod race;
mod sender;
mod states;
mod system;
mod tls;

pub use builder::Builder;
pub use client::{Client, TimedOut};
pub use dial::{Dial, Transport};
pub use errand::Provider;
pub use fleet::{Fleet, FleetBuilder, FleetEvents};
pub use gateway_core as core;
pub use gateway_wire::{
    Accepted, Account, Attempt, Behind, ClientEvent, CorrelationError, Correlator, Counts, End,
    EndKind, Endpoint, Fate, FleetAccount, FleetError, FlushError, FlushErrorKind, JsonCorrelator,
    Limits, Message, MessageId, Name, OnReadyError, OpenFailure, OpenStep, Outbox, Outcome,
    ProviderError, Proxy, ProxyServer, Rate, Request, RequestCounts, RequestError,
    RequestErrorKind, ResponseHeaders, SendError, SharedBudget, Status, Text, Tls,
};
#[cfg(feature = "metrics")]
pub use gateway_wire::{METRICS, Metric, MetricKind};
pub use os::Os;
pub use permit::{Permit, ReserveError, ReserveErrorKind};
pub use sender::{Receipt, Sender};
pub use states::States;
pub use system::System;

/// Compiles the README's programs, and runs its property test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
