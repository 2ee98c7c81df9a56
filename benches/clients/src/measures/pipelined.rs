//! Texts out, echoes back, with a full window: single sends until it is full, then one received, one sent.

use anyhow::Result;

use super::{Answer, By, Job, Work, answer};
use crate::arguments::Common;
use crate::exchange::{LEAST, Seen, Texts};
use crate::peers::Socket;
use crate::statistics::Meter;

/// A batch is this part of the window: the server always has the rest to answer.
const BATCHES_IN_WINDOW: u64 = 4;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Pipelined {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many texts go there and back.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..1 << 33))]
    messages: u64,
    /// How many are under way at once.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,
    /// The length of each.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(LEAST..1 << 20))]
    bytes: u32,
}

impl Work for Pipelined {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        let mut socket = S::open(&self.common.target()).await?;
        let texts = Texts::new(self.bytes);
        let (mut seen, mut texts) = (Seen::new(texts.clone()), texts);

        let meter = Meter::start();
        exchange(&mut socket, self.messages, self.in_flight, &mut texts, &mut seen).await?;
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
            by: By::Echoes(self.in_flight),
        })
    }
}

/// The loop that is measured. To flush is nothing, but for peers that batch by hand.
pub(super) async fn exchange<S: Socket>(
    socket: &mut S,
    messages: u64,
    in_flight: u64,
    texts: &mut Texts,
    seen: &mut Seen,
) -> Result<()> {
    let window = in_flight.min(messages);
    let batch = (window / BATCHES_IN_WINDOW).max(1);
    for _ in 0..window {
        socket.send(texts.due()).await?;
        texts.advance();
    }
    socket.flush().await?;
    let mut fed = 0;
    for _ in window..messages {
        socket.receive(seen).await?;
        socket.send(texts.due()).await?;
        texts.advance();
        fed += 1;
        if fed == batch {
            socket.flush().await?;
            fed = 0;
        }
    }
    socket.flush().await?;
    for _ in 0..window {
        socket.receive(seen).await?;
    }
    Ok(())
}

/// One more there and back, behind all that was measured: it must be the next that comes. So a last one that came twice is seen.
pub(super) async fn one_more<S: Socket>(socket: &mut S, seen: &mut Seen) -> Result<()> {
    let next = seen.texts().clone();
    socket.send(next.due()).await?;
    socket.flush().await?;
    socket.receive(seen).await
}
