//! A WebSocket connection that stays up, on tokio.
//!
//! [`Client`] is a stream of what happened and a sink of messages. It connects when first polled, keeps a heartbeat,
//! reconnects with backoff and jitter, logs in again, and closes within a deadline, all while it is polled: no task,
//! no channel. (tungstenite, underneath, logs requests and payloads through the `log` crate at trace: an application that
//! bridges `log` and has secrets filters `tungstenite` out.) What it decides is decided by [`gateway_core`], a pure state machine; this crate only does the IO.
//!
//! One thread serves all clients of the process: it wakes up 12 times a minute to notice a suspend of the machine, and ends
//! with the last client.
//!
//! ```no_run
//! use gateway_tokio::{Client, ClientEvent};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::builder("wss://gateway.example/feed").build()?;
//! while let Some(event) = client.next().await {
//!     if let ClientEvent::Message(message) = event {
//!         if let Err(refused) = client.send(message).await {
//!             println!("{refused}"); // lost meanwhile: it reconnects, and the message is in there
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod builder;
mod client;
mod clock;
mod dial;
mod direct;
#[cfg(test)]
mod economy;
mod host;
mod off_thread;
mod open;
mod resolve;
mod sink;
mod spawn;
mod wakers;

pub use builder::Builder;
pub use client::Client;
pub use dial::{Dial, Dialing, Transport};
pub use gateway_core as core;
pub use gateway_wire::{
    ClientEvent, Endpoint, Fate, FlushError, Limits, LoginCredentials, Message, MessageId,
    OpenFailure, OpenStep, Outcome, ProviderError, SendError, Text, Tls,
};
pub use open::{Provider, Providing};
pub use sink::SinkError;
pub use spawn::{Events, Handle, Receipt};
