//! Hostile schedules: at each poll of a byte stream a plan may make it block, move one byte, fail,
//! end, or go silent.
//!
//! A [`World`] has the sockets and the server. It is deterministic, and uses the driver's time.
//! Both drivers run the same [`App`] on it, and the [`Verdict`] compares what the application was
//! told with what the server saw.

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
pub use on_tokio::{HostileDial, Life, hostile_client, on_spawned, on_tokio, paused, while_alive};
pub use plan::{Fault, Op, Plan};
pub use server::{Seen, Server, Story};
pub use verdict::{Sum, Verdict};
pub use watch::Watch;
pub use world::World;
