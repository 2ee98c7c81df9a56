//! The parts that all drivers of [`gateway_core`] share: bytes in, bytes out.
//!
//! A driver opens sockets, reads and writes bytes, and reads the clock. This crate and the core do
//! the rest. *The core* is the crate `gateway-core`. Of a [`Session`], it is the
//! [`Connection`](gateway_core::Connection) in it.
//!
//! ```text
//!   bytes read ──▶ ┌──────────────── Session ────────────────┐ ──▶ events for the application
//!   bytes taken ─▶ │  Codec ──frames──▶ Connection (the core) │ ──▶ bytes to write
//!   time, opened ▶ │    ▲                   │ actions         │ ──▶ orders: open, drop
//!                  │    └── Output, Ledger ◀┘                 │ ──▶ the next deadline
//!                  └──────────────────────────────────────────┘
//! ```
//!
//! In the figure, the codec turns bytes into frames and frames into bytes. `Output` is the write
//! buffer. `Ledger` numbers the messages, and finds the [`Outcome`] of each.
//!
//! A [`Session`] does no IO. The [`Engine`] contains a session, and does everything that a driver
//! does except wait. It opens sockets through a [`Host`], which the driver implements, and reads
//! and writes non-blocking [`ByteStream`]s. A driver adds the wait loop of its runtime.
//!
//! Three other parts use the operating system themselves. [`SuspendWatch`] has a thread and reads
//! clocks. [`Tls`] reads certificate files, the platform's trust store and clocks.
//! [`system_resolver`] resolves names.
//!
//! If you use a driver, import these types from it: the drivers re-export them. If you write a
//! driver, start with [`Engine`]. If your IO does not fit [`ByteStream`], start with [`Session`].
//!
//! # Features
//!
//! `metrics` reports metrics through the facade of the crate `metrics`. It is off by default.

mod addresses;
pub mod codec;
mod correlation;
mod counts;
mod end;
mod endpoint;
mod engine;
mod escape;
mod event;
mod event_queue;
mod fleet;
mod guarded;
mod handshake;
mod headers;
mod hidden;
mod log;
mod message;
mod metrics;
mod name;
mod open_failure;
mod outbox;
mod outcome;
mod output;
mod provider;
mod proxy;
mod queue;
mod rate;
mod read_buffer;
mod requests;
mod resolver;
mod route;
mod session;
mod settings;
mod shared_budget;
mod status;
mod suspend;
mod tls;

pub use addresses::{ATTEMPT_DELAY, AddressBook, interleave};
pub use correlation::{CorrelationError, Correlator, JsonCorrelator};
pub use counts::{Counts, RequestCounts};
pub use end::{End, EndKind};
pub use endpoint::{Endpoint, EndpointBuilder};
pub use engine::{ByteStream, Dialled, Engine, Host, Left, Progress};
pub use event::ClientEvent;
pub use fleet::{
    Account, Departure, FleetAccount, FleetError, FleetSettings, Inbox, InboxReader, Roster, Source,
};
pub use gateway_core as core;
pub use guarded::DialectFactory;
pub use handshake::{Handshake, Opened, ResponseHeaders, parse_retry_after};
pub use log::{DeferredLog, LogLines};
pub use message::{Message, Text};
#[cfg(feature = "metrics")]
pub use metrics::{METRICS, Metric, MetricKind};
pub use name::{Name, Prefix};
pub use open_failure::{OpenFailure, OpenStep};
pub use outbox::Outbox;
pub use outcome::{Accepted, Fate, MessageId, Outcome, SendError};
pub use provider::{Asking, Attempt, ProviderError, Request, Secrets};
pub use proxy::{Proxy, ProxyServer, Tunnel};
pub use rate::Rate;
pub use read_buffer::with_read_buffer;
pub use requests::{NoAnswer, Repeat, RequestError, RequestErrorKind, RequestId};
pub use resolver::{Resolver, system_resolver};
pub use route::{Hop, Layer, Route, Router, TlsLayer};
pub use session::{
    Behind, BoxDialect, BoxObserver, FlushError, FlushErrorKind, Limits, OnReadyError, Order,
    Position, Session, SocketEnd, Space, Unread,
};
pub use settings::{Opens, Parts, Provider, Settings, WallClock};
pub use shared_budget::{BudgetClock, SharedBudget};
pub use status::Status;
pub use suspend::{Suspend, SuspendDetector, SuspendWatch};
pub use tls::Tls;
