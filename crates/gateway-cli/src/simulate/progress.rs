//! The progress bar on stderr. It exists only on a terminal.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar's units in one simulation.
const UNITS: u64 = 1_000;

/// Shows how far the simulations of a command have come.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(is_quiet: bool) -> Self {
        let is_shown = !is_quiet && io::stderr().is_terminal();
        let target = if is_shown {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(UNITS), target);
        let style = ProgressStyle::with_template("{msg:10} [{bar:40}] {percent:>3} %, {elapsed}");
        bar.set_style(style.expect("the template is valid").progress_chars("=> "));
        Self(bar)
    }

    /// Begins `jobs` of about `runs` simulations each.
    pub(super) fn begin(&self, what: &'static str, jobs: usize, runs: usize) {
        let units = u64::try_from(jobs.saturating_mul(runs)).unwrap_or(u64::MAX);
        self.0.set_message(what);
        self.0.set_position(0);
        self.0.set_length(units.saturating_mul(UNITS));
    }

    /// A job.
    pub(super) fn part(&self) -> Part<'_> {
        Part { bar: &self.0, units: 0 }
    }

    /// Removes the bar, before results are printed.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The progress of a job.
#[derive(Debug)]
pub(super) struct Part<'p> {
    bar: &'p ProgressBar,
    /// How much of the current simulation is shown.
    units: u64,
}

impl Part<'_> {
    /// Shows the simulated time. If it is earlier than before, the next simulation has begun.
    pub(super) fn at(&mut self, now_ms: u64, horizon_ms: u64) {
        let units = now_ms.saturating_mul(UNITS) / horizon_ms.max(1);
        self.bar.inc(units.saturating_sub(self.units));
        self.units = units;
    }
}
