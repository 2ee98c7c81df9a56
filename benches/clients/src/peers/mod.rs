//! The clients that are measured, one file each, and what is asked of all of them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use crate::exchange::Seen;
use crate::measures::{Answer, Work};

mod gateway_tokio;
mod tokio_tungstenite;
mod tungstenite;

/// Where to connect to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// The interval of the heartbeat, where it is not the default. Only for those that have one.
    pub(crate) heartbeat: Option<Duration>,
}

impl Target {
    fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

/// One connection, used in the plainest way that its library's documentation shows.
///
/// The libraries that block implement it too, and never wait in it: see [`blocking`].
pub(crate) trait Socket: Sized + Send + 'static {
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
}

/// The peers by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    GatewayTokio,
    TokioTungstenite,
    TokioTungsteniteBatched,
    Tungstenite,
    TungsteniteBatched,
}

/// Runs a measure on a peer, async ones on a runtime of one thread.
pub(crate) fn run(peer: Peer, work: &impl Work) -> Result<Answer> {
    match peer {
        Peer::GatewayTokio => on_tokio(work.run::<gateway_tokio::Polled>()),
        Peer::TokioTungstenite => on_tokio(work.run::<tokio_tungstenite::Each>()),
        Peer::TokioTungsteniteBatched => on_tokio(work.run::<tokio_tungstenite::Batched>()),
        Peer::Tungstenite => blocking(work.run::<tungstenite::Each>()),
        Peer::TungsteniteBatched => blocking(work.run::<tungstenite::Batched>()),
    }
}

fn on_tokio(work: impl Future<Output = Result<Answer>>) -> Result<Answer> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Runs a measure whose peer waits in its calls: nothing is ever pending.
fn blocking(work: impl Future<Output = Result<Answer>>) -> Result<Answer> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(work).poll(&mut cx) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => anyhow::bail!("this measure needs a runtime"),
    }
}
