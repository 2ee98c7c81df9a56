//! What idle connections with a JSON heartbeat cost in processor time.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::crowd::Crowd;
use super::{Answer, Work, spent_in};
use crate::arguments::Common;
use crate::peers::{Socket, Target};
use crate::server;
use crate::statistics::{Meter, allow_connections};

/// What is still under way behind the last upgrade.
const QUIET: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Idle {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many are open.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// For how long it is measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Between two heartbeats, in milliseconds.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    interval_ms: u64,
}

impl Work for Idle {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        allow_connections(self.connections)?;
        server::reset(self.common.server)?;
        let interval = Duration::from_millis(self.interval_ms);
        let common = self.common.clone();
        let open = move |turn| {
            let target = Target { heartbeat: Some(interval), ..common.target_in_turn(turn) };
            async move { Ok(live(S::open(&target).await?, interval)) }
        };
        let mut crowd = Crowd::open::<S, _, _>(self.connections, open).await?;
        crowd.rest(QUIET).await?;

        let before = server::pings(self.common.server)?.len();
        let meter = Meter::start();
        crowd.rest(Duration::from_secs(self.seconds)).await?;
        let spent = meter.stop();
        let pings = server::pings(self.common.server)?.len() - before;

        server::reset(self.common.server)?;
        ensure!(pings > 0 || self.seconds * 1000 <= self.interval_ms, "no heartbeat came");
        let mut answer = spent_in(spent);
        answer.insert("connections".to_owned(), self.connections.into());
        answer.insert("pings".to_owned(), pings.into());
        Ok(answer)
    }
}

#[expect(clippy::manual_async_fn, reason = "one of these would hold its arguments twice")]
fn live<S: Socket>(mut socket: S, interval: Duration) -> impl Future<Output = Result<()>> + Send {
    async move { socket.rest(interval).await }
}
