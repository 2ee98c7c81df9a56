//! A WebSocket connection that stays up, as a pure state machine: reconnect, backoff, heartbeat, login and
//! close, without sockets, clocks or threads.
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
mod policy;
mod retry;
mod state;
mod statistics;
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
pub use connection::{Connection, Encoded};
pub use dialect::{Dialect, JsonDialect, Recognised};
pub use event::{Event, EventKind, Failure, Frame, Message, Network, OpenError, RetryAfter};
pub use login::{JsonRule, Login, LoginAnswer, Secret};
pub use machine::Machine;
pub use policy::{Explanation, Policy, Rule, Sent, Verdict};
pub use state::{ConnectionState, SocketId};
pub use statistics::{RoundTrip, Statistics};
pub use time::{Instant, UnixMillis};
