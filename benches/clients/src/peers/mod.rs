//! The clients that are measured, one file each, and what is asked of all of them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::exchange::Seen;

mod ezsockets;
mod fastwebsockets;
mod gateway;
mod gateway_std;
mod gateway_tokio;
#[cfg(feature = "nautilus")]
mod nautilus_network;
mod peer;
mod run;
mod runtime;
mod sockudo_ws;
mod stream_tungstenite;
mod tokio_tungstenite;
mod tokio_websockets;
mod tungstenite;
mod yawc;

pub(crate) use peer::Peer;
pub(crate) use run::{at_once, run, run_tasks};
pub(crate) use runtime::Runtime;

/// Where to connect to, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The interval of the heartbeat, where it is not the default. Only for those that have one.
    pub(crate) heartbeat: Option<Duration>,
    /// Sets TCP_NODELAY where that is not the default.
    pub(crate) no_delay: bool,
}

impl Target {
    fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

/// One connection, used in the plainest way that its library's documentation shows, with its own settings.
pub(crate) trait Socket: Sized + Send + 'static {
    /// Whether its calls block. Then none of its futures is ever pending.
    const BLOCKS: bool = false;

    /// Connects, until messages are taken.
    fn open(target: &Target) -> impl Future<Output = Result<Self>> + Send;

    /// Sends one text, with the library's own way to send one. Those that batch by hand only feed it.
    fn send(&mut self, text: &str) -> impl Future<Output = Result<()>> + Send;

    /// Flushes what was fed. There is nothing to be done where each send is flushed.
    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Waits for the next text, and shows it. Whatever else comes is read and let go; the end is an error.
    fn receive(&mut self, seen: &mut Seen) -> impl Future<Output = Result<()>> + Send;

    /// Lives on with a heartbeat of this interval and without messages, until it fails.
    fn rest(&mut self, _interval: Duration) -> impl Future<Output = Result<()>> + Send {
        async { bail!("it has no heartbeat, and is given none") }
    }
}
