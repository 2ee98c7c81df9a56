//! What an open connection weighs: after one echo, and at rest after a burst.
//!
//! A connection lives in a task, which waits for messages while it rests; that task is part of what is weighed, for every peer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::crowd::{Crowd, Stage, silent};
use super::flood::flood;
use super::pipelined::exchange;
use super::{Answer, Work, spent_in};
use crate::arguments::Common;
use crate::exchange::{Seen, Texts};
use crate::peers::{Socket, Target};
use crate::server;
use crate::statistics::{Meter, allow_connections, resident_bytes};

/// The length of each text.
const BYTES: u32 = 128;

/// What is still under way behind the last echo.
const QUIET: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Memory {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many are open.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How many texts the server pushes to each.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    burst: u64,
    /// For how many seconds they rest behind it.
    #[arg(long, default_value_t = 3)]
    settle: u64,
    /// Between two heartbeats, in milliseconds. Ours alone have one.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    interval_ms: u64,
}

impl Work for Memory {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        allow_connections(self.connections)?;
        let (common, messages) = (self.common.clone(), self.burst);
        let heartbeat = Duration::from_millis(self.interval_ms);
        let burst = Arc::new(Stage::new());
        let meter = Meter::start();
        let baseline = resident_bytes()?;

        let stage = Arc::clone(&burst);
        let open = move |turn| {
            let target = Target { heartbeat: Some(heartbeat), ..common.target_in_turn(turn) };
            let stage = Arc::clone(&stage);
            async move {
                let mut socket = S::open(&target).await?;
                let mut texts = Texts::new(BYTES);
                let mut seen = Seen::new(texts.clone());
                exchange(&mut socket, 1, 1, &mut texts, &mut seen).await?;
                Ok(live(socket, messages, stage))
            }
        };
        let mut crowd = Crowd::open::<S, _, _>(self.connections, open).await?;
        crowd.rest(QUIET).await?;
        let after_echo = resident_bytes()?;

        crowd.through(&burst).await?;
        crowd.rest(Duration::from_secs(self.settle)).await?;
        let after_burst = resident_bytes()?;
        let spent = meter.stop();

        server::reset(self.common.server)?;
        let mut answer = spent_in(spent);
        answer.insert("connections".to_owned(), self.connections.into());
        answer.insert("baseline_bytes".to_owned(), baseline.into());
        answer.insert("after_echo_bytes".to_owned(), after_echo.into());
        answer.insert("after_burst_bytes".to_owned(), after_burst.into());
        Ok(answer)
    }
}

#[expect(clippy::manual_async_fn, reason = "one of these would hold its arguments twice")]
fn live<S: Socket>(
    mut socket: S,
    messages: u64,
    burst: Arc<Stage>,
) -> impl Future<Output = Result<()>> + Send {
    async move {
        burst
            .pass(&mut socket, async |socket: &mut S| {
                flood(socket, messages, BYTES, &mut Seen::new(Texts::new(BYTES))).await
            })
            .await?;
        silent(&mut socket).await
    }
}
