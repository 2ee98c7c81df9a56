//! Connections, opened one after another by some that do so at once; each sees its upgrade done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::{Answer, Work, spent_in};
use crate::arguments::Common;
use crate::peers::{Socket, at_once};
use crate::server;
use crate::statistics::{Meter, allow_connections};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connects {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many are opened; all of them stay open.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How many are being opened at once.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
}

impl Work for Connects {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        allow_connections(self.connections)?;
        let begun = Arc::new(AtomicU32::new(0));
        let one_after_another = |_| {
            let (begun, common, all) = (Arc::clone(&begun), self.common.clone(), self.connections);
            async move {
                let mut open = Vec::new();
                loop {
                    let turn = begun.fetch_add(1, Ordering::Relaxed);
                    if turn >= all {
                        return Ok(open);
                    }
                    open.push(S::open(&common.target_in_turn(turn)).await?);
                }
            }
        };

        let meter = Meter::start();
        let open = at_once::<S, _, _>(self.at_once, one_after_another).await?;
        let spent = meter.stop();

        server::reset(self.common.server)?;
        drop(open);
        let mut answer = spent_in(spent);
        answer.insert("connections".to_owned(), self.connections.into());
        Ok(answer)
    }
}
