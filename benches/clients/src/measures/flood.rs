//! The server pushes, as fast as the client takes it.

use anyhow::Result;

use super::pipelined::one_more;
use super::{Answer, Work, answer};
use crate::arguments::Common;
use crate::exchange::{LEAST, Seen};
use crate::peers::Socket;
use crate::statistics::Meter;

#[derive(Debug, clap::Args)]
pub(crate) struct Flood {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many texts the server pushes.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..10_000_000_000))]
    messages: u64,
    /// The length of each.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(i64::from(LEAST)..1 << 20))]
    bytes: u32,
}

impl Work for Flood {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        let mut socket = S::open(&self.common.target()).await?;
        let mut seen = Seen::new(self.bytes);

        let meter = Meter::start();
        socket.send(&format!("go {} {}", self.messages, self.bytes)).await?;
        socket.flush().await?;
        for _ in 0..self.messages {
            socket.receive(&mut seen).await?;
        }
        let spent = meter.stop();

        let next = seen.texts().clone();
        one_more(&mut socket, &next, &mut seen).await?;
        let mut answer = answer(spent);
        answer.insert("messages".to_owned(), self.messages.into());
        Ok(answer)
    }
}
