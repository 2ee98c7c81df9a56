//! Tests of the drivers on real sockets, and on sockets in memory with virtual time.
//!
//! The tests are in `tests/`, one idea a file. This library is what they share. The program's tests
//! use its listener, its frames and its certificates. Servers are always written frame by frame, so
//! that a test sees the wire and not a library's view of it.

mod air;
mod bell;
mod blocking;
mod certificates;
mod client;
mod clock;
mod cuts;
mod diarist;
mod either;
mod fleet;
pub mod hostile;
mod listener;
mod memory;
mod on_text;
mod peer;
mod proxy;
mod subject;
mod suite;
mod suite_std;

pub use blocking::{Served, serve};
pub use certificates::{Certificates, Made, params, showing};
pub use client::{
    calm, client, disconnected, drain, messages, pair, pair_with, texts, until, until_ready,
    while_polling,
};
pub use clock::{GUARD, elapse, now, settle, within};
pub use cuts::Cuts;
pub use either::{Driver, Either, Provided};
pub use fleet::AnyFleet;
pub use gateway_testkit::Frame;
pub use listener::Listener;
pub use memory::{Calls, Memory, Sockets, Switch, memory};
pub use on_text::OnText;
pub use peer::{Head, Peer, refuse};
pub use proxy::{Asked, ProxyKind, relay};
pub use suite::{run_on_spawned, run_on_tokio};
pub use suite_std::{run_on_std, run_on_std_and_count};
