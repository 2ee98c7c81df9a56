//! Hostile schedules: at each poll of a byte stream a plan may make it wait, give or take one byte, fail, end, or say nothing
//! any more.
//!
//! A [`World`] holds the sockets and the server behind them; it is deterministic, and its time is the driver's. Both drivers
//! run the same [`App`] on it, and the [`Verdict`] compares what the application was told with what the server saw.

mod app;
mod on_std;
mod on_tokio;
mod plan;
mod server;
mod verdict;
mod watch;
mod world;

pub use app::{App, Step};
pub use on_std::on_std;
pub use on_tokio::{HostileDial, Life, hostile_client, on_tokio, paused, while_alive};
pub use plan::{Fault, Op, Plan};
pub use server::{Seen, Server, Story};
pub use verdict::{Sum, Verdict};
pub use watch::Watch;
pub use world::World;
