//! Large texts there and back, a few under way, behind some that are not counted.
//!
//! How fast the server answers depends on what it did before: it keeps memory that it needed once. So all clients make
//! it work as long as they do in the part that is counted.

use anyhow::Result;

use super::pipelined::{exchange, one_more};
use super::{Answer, By, Job, Work, answer, warmed_up};
use crate::arguments::Common;
use crate::exchange::{LEAST, Seen, Texts};
use crate::peers::Socket;
use crate::statistics::Meter;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Large {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many texts go there and back.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..1 << 33))]
    messages: u64,
    /// How many go before them.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..1 << 33))]
    warm_up: u64,
    /// How many are under way at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,
    /// The length of each.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(LEAST..1 << 20))]
    bytes: u32,
}

impl Work for Large {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        let mut socket = S::open(&self.common.target()).await?;
        let texts = Texts::large(self.bytes);
        let (mut seen, mut texts) = (Seen::new(texts.clone()), texts);
        let mut some = async |messages| {
            let meter = Meter::start();
            exchange(&mut socket, messages, self.in_flight, &mut texts, &mut seen).await?;
            anyhow::Ok(meter.stop())
        };

        let before = some(self.warm_up).await?;
        let spent = some(self.messages).await?;

        one_more(&mut socket, &mut seen).await?;
        Ok(warmed_up(answer(spent, self.messages, self.bytes), before))
    }

    fn job(&self) -> Option<Job> {
        Some(Job {
            target: self.common.target(),
            texts: Texts::large(self.bytes),
            warm_up: Some(self.warm_up),
            messages: self.messages,
            by: By::Echoes(self.in_flight),
        })
    }
}
