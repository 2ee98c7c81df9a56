//! The server pushes, as fast as the client takes it.

use anyhow::Result;

use super::pipelined::one_more;
use super::{Answer, By, Job, Work, answer, go};
use crate::arguments::Common;
use crate::exchange::{LEAST, Seen, Texts};
use crate::peers::Socket;
use crate::statistics::Meter;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Flood {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many texts the server pushes.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..1 << 33))]
    messages: u64,
    /// The length of each.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(LEAST..1 << 20))]
    bytes: u32,
}

impl Work for Flood {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        let mut socket = S::open(&self.common.target()).await?;
        let mut seen = Seen::new(Texts::new(self.bytes));

        let meter = Meter::start();
        flood(&mut socket, self.messages, self.bytes, &mut seen).await?;
        let spent = meter.stop();

        one_more(&mut socket, &mut seen).await?;
        Ok(answer(spent, self.messages, self.bytes))
    }

    fn job(&self) -> Option<Job> {
        Some(Job {
            target: self.common.target(),
            texts: Texts::new(self.bytes),
            warm_up: None,
            messages: self.messages,
            by: By::Push,
        })
    }
}

/// The loop that is measured.
pub(super) async fn flood<S: Socket>(
    socket: &mut S,
    messages: u64,
    bytes: u32,
    seen: &mut Seen,
) -> Result<()> {
    socket.send(&go(messages, bytes)).await?;
    socket.flush().await?;
    for _ in 0..messages {
        socket.receive(seen).await?;
    }
    Ok(())
}
