//! Tests of the whole: drivers on real sockets, and on sockets in memory where time is the test's own.
//!
//! The tests stand in `tests/`, one idea a file; here is what they share. A server is always written by hand, frame
//! by frame, so that what goes over the wire is seen and not what a library makes of it.

mod bell;
mod blocking;
mod client;
mod clock;
mod cuts;
mod diarist;
pub mod hostile;
mod listener;
mod memory;
mod peer;
mod suite;
mod suite_std;
mod tally;

pub use blocking::{Served, serve};
pub use client::{
    calm, client, disconnected, drain, messages, texts, until, until_ready, while_polling,
};
pub use clock::{elapse, now, settle, within};
pub use cuts::Cuts;
pub use gateway_testkit::Frame;
pub use listener::{Certificates, Listener};
pub use memory::{Calls, Memory, Sockets, Switch, memory};
pub use peer::{Head, Peer, refuse};
pub use suite::run_on_tokio;
pub use suite_std::{run_on_std, run_on_std_and_count};
pub use tally::Tally;
