//! A WebSocket client connection that stays up, on tokio: reconnect, backoff, heartbeat, login and
//! close.
//!
//! [`Client`] is a stream of events and a sink of messages. It connects when you first poll it.
//! Then it keeps a heartbeat, reconnects with backoff and jitter, logs in again, and closes within
//! a deadline. All of this happens while you poll it: there is no task and no channel. To run a
//! client in a task, and to use it from others, call [`Client::spawn`].
//!
//! The state machine in [`gateway_core`] makes all decisions. This crate does only the IO.
//!
//! ```no_run
//! use gateway_tokio::{Client, ClientEvent};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::builder("wss://gateway.example/feed").build()?;
//! while let Some(event) = client.next().await {
//!     if let ClientEvent::Message(message) = event {
//!         if let Err(refused) = client.send(message).await {
//!             println!("{refused}"); // not connected; the error contains the message
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Threads.** One thread per process watches for a suspend of the computer, for all clients. It
//! wakes up 12 times a minute, and ends with the last client. A client uses one helper thread while
//! it resolves a name, and one while it reads TLS files.
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
mod direct;
#[cfg(test)]
mod economy;
mod fleet;
mod host;
mod layers;
mod off_thread;
mod open;
mod outside;
mod resolve;
mod sink;
mod spawn;
mod sync;
mod wakers;

pub use builder::Builder;
pub use client::Client;
pub use dial::{Dial, Dialing, Transport};
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
pub use open::{Provider, Providing};
pub use sink::SinkError;
pub use spawn::{Events, Handle, HandleError, HandleErrorKind, Permit, States};
