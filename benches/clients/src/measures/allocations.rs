//! How often memory is asked for, a message: counted behind a warm-up of the same kind.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::flood::flood;
use super::pipelined::exchange;
use super::{Answer, Work, answer};
use crate::Count;
use crate::arguments::Common;
use crate::exchange::{Seen, Texts};
use crate::peers::Socket;
use crate::statistics::Meter;

/// How many are under way when they go there and back.
const IN_FLIGHT: u64 = 1024;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Allocations {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Which messages.
    #[arg(long, default_value = "pipelined")]
    kind: Kind,
    /// How many are counted; a quarter as many go before them.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(4..1 << 32))]
    messages: u64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    /// As `pipelined`: a text of 32 bytes that is sent, and its echo.
    Pipelined,
    /// As `flood`: a text of 128 bytes that comes in.
    Flood,
}

impl Allocations {
    pub(crate) const fn counted_by(self, count: Count) -> Counted {
        Counted { arguments: self, count }
    }
}

/// The measure, in a program that counts.
pub(crate) struct Counted {
    arguments: Allocations,
    count: Count,
}

impl Work for Counted {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        let Allocations { common, kind, messages } = &self.arguments;
        let mut socket = S::open(&common.target()).await?;
        let bytes = match kind {
            Kind::Pipelined => 32,
            Kind::Flood => 128,
        };
        let texts = Texts::new(bytes);
        let (mut seen, mut texts) = (Seen::new(texts.clone()), texts);
        let mut some = async |messages| match kind {
            Kind::Pipelined => {
                exchange(&mut socket, messages, IN_FLIGHT, &mut texts, &mut seen).await
            }
            Kind::Flood => {
                flood(&mut socket, messages, bytes, &mut Seen::new(Texts::new(bytes))).await
            }
        };
        some(messages / 4).await?;

        let (meter, before) = (Meter::start(), (self.count)());
        some(*messages).await?;
        let (spent, after) = (meter.stop(), (self.count)());

        let mut answer = answer(spent, *messages, bytes);
        let each = (after - before) as f64 / *messages as f64;
        answer.insert("allocations_per_message".to_owned(), each.into());
        Ok(answer)
    }
}

/// Has the program beside this one do it, whose allocator counts, with the same arguments.
pub(crate) fn in_a_program_that_counts() -> Result<Answer> {
    let program = std::env::current_exe()?.with_file_name("bench-allocations");
    let mut command = Command::new(&program);
    command.args(std::env::args_os().skip(1)).stdin(Stdio::null()).stderr(Stdio::inherit());
    let done = command.output().with_context(|| format!("{}", program.display()))?;
    ensure!(done.status.success(), "bench-allocations failed: {}", done.status);
    serde_json::from_slice(&done.stdout).context("bench-allocations told no JSON")
}
