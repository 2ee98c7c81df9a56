//! How late heartbeats come, while the server pushes without an end.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::flood::flood;
use super::{Answer, Work, answer};
use crate::arguments::Common;
use crate::exchange::{Seen, Texts};
use crate::peers::{Socket, Target};
use crate::server;
use crate::statistics::Meter;

/// The length of each text.
const BYTES: u32 = 128;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Heartbeat {
    #[command(flatten)]
    pub(crate) common: Common,
    /// For how long it is pushed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Between two heartbeats, in milliseconds.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    interval_ms: u64,
    /// How many texts are asked for, again and again.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..1 << 33))]
    messages_at_once: u64,
}

impl Work for Heartbeat {
    async fn run<S: Socket>(&self) -> Result<Answer> {
        server::reset(self.common.server)?;
        let interval = Duration::from_millis(self.interval_ms);
        let target = Target { heartbeat: Some(interval), ..self.common.target() };
        let mut socket = S::open(&target).await?;

        let meter = Meter::start();
        let mut messages = 0;
        while meter.seconds() < self.seconds as f64 {
            flood(&mut socket, self.messages_at_once, BYTES, &mut Seen::new(Texts::new(BYTES)))
                .await?;
            messages += self.messages_at_once;
        }
        let spent = meter.stop();

        let arrivals = server::pings(self.common.server)?;
        ensure!(!arrivals.is_empty(), "no heartbeat came in {} s", spent.seconds);
        let mut answer = answer(spent, messages, BYTES);
        answer.insert("pings".to_owned(), arrivals.len().into());
        let late = worst_late(&arrivals, interval.as_secs_f64(), spent.seconds);
        answer.insert("worst_late_seconds".to_owned(), late.into());
        Ok(answer)
    }
}

/// The longest gap, less the interval. Heartbeats that have stopped leave no gap: those that are missing count as one.
fn worst_late(arrivals: &[u64], interval: f64, seconds: f64) -> f64 {
    let gaps = arrivals.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 / 1e9);
    let due = (seconds / interval).floor() - 1.0; // one may be on its way
    let missing = (due - arrivals.len() as f64).max(0.0) * interval;
    gaps.map(|gap| gap - interval).fold(missing, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(millis: &[u64], seconds: f64) -> u64 {
        let arrivals: Vec<u64> = millis.iter().map(|at| at * 1_000_000).collect();
        (worst_late(&arrivals, 0.2, seconds) * 1000.0).round() as u64
    }

    #[test]
    fn the_longest_gap_tells_how_late() {
        assert_eq!(late(&[200, 400, 650, 850, 1050], 1.1), 50);
    }

    #[test]
    fn heartbeats_that_stop_are_late() {
        assert_eq!(late(&[200, 400], 2.0), 1400);
    }

    #[test]
    fn heartbeats_in_time_are_not() {
        assert_eq!(late(&[200, 400, 600, 800], 1.0), 0);
    }
}
