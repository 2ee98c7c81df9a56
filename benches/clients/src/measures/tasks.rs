//! Many tasks send on one connection; each message comes back.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tokio::sync::Semaphore;

use super::{Answer, answer};
use crate::arguments::Common;
use crate::exchange::LEAST;
use crate::statistics::Spent;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Tasks {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many tasks send.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..10_000))]
    pub(crate) tasks: u32,
    /// How many texts go there and back. Each task sends its part.
    #[arg(long, default_value_t = 400_000, value_parser = clap::value_parser!(u64).range(1..1 << 32))]
    messages: u64,
    /// How many are under way at once, of all tasks.
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,
    /// The length of each.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(LEAST..1 << 20))]
    bytes: u32,
}

impl Tasks {
    /// How many texts each task sends.
    pub(crate) fn each(&self) -> u64 {
        self.messages.div_ceil(self.tasks.into())
    }

    pub(crate) fn all(&self) -> u64 {
        self.each() * u64::from(self.tasks)
    }

    pub(crate) fn window(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(usize::try_from(self.in_flight).unwrap_or(usize::MAX >> 4)))
    }

    /// The text of a task: its number, and that of the message.
    pub(crate) fn text(&self, task: u32, number: u64) -> String {
        let mut text = format!("{task:04} {number:010}");
        text.extend(std::iter::repeat_n('x', (self.bytes as usize).saturating_sub(text.len())));
        text
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally { due: vec![0; self.tasks as usize], left: self.all(), bytes: self.bytes }
    }

    pub(crate) fn answer(&self, spent: Spent) -> Answer {
        answer(spent, self.all(), self.bytes)
    }
}

/// The next text of one task, once the window lets it.
pub(crate) async fn next_text(
    tasks: &Tasks,
    task: u32,
    number: u64,
    window: &Semaphore,
) -> Result<String> {
    window.acquire().await?.forget();
    Ok(tasks.text(task, number))
}

/// Checks that the texts of each task come whole, once and in order.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    due: Vec<u64>,
    left: u64,
    bytes: u32,
}

impl Tally {
    /// Takes a text. Returns whether it was the last of all.
    pub(crate) fn take(&mut self, came: &[u8]) -> Result<bool> {
        ensure!(came.len() == (self.bytes as usize).max(15), "altered: {} bytes", came.len());
        let text = std::str::from_utf8(&came[..15])?;
        let (task, number) = text.split_once(' ').context("altered")?;
        let due = self.due.get_mut(task.parse::<usize>()?).context("altered")?;
        ensure!(number.parse::<u64>()? == *due, "{text} came where {due} was due");
        *due += 1;
        self.left -= 1;
        Ok(self.left == 0)
    }
}
