//! How long a round takes, its stage setting included: for information, the instructions are what is held.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use crate::Case;

pub(crate) fn of_a_round(case: &Case, rounds: u64) -> f64 {
    let begun = Instant::now();
    (case.play)(rounds);
    begun.elapsed().as_secs_f64() * 1e9 / rounds.max(1) as f64
}
