//! What the process has used: time, processor time, memory.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// Wall clock and processor time since it was started.
pub(crate) struct Meter {
    wall: Instant,
    cpu: f64,
}

/// What a measured part took, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// By the clock on the wall.
    pub(crate) seconds: f64,
    /// User and system time of this process.
    pub(crate) cpu_seconds: f64,
}

impl Meter {
    #[allow(clippy::disallowed_methods)] // the one place that reads a clock
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }

    pub(crate) fn stop(&self) -> Spent {
        let seconds = self.wall.elapsed().as_secs_f64();
        Spent { seconds, cpu_seconds: cpu_seconds() - self.cpu }
    }
}

fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

/// Resident memory that is the program's own: resident pages less those that files share.
pub(crate) fn resident_bytes() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/statm").context("/proc/self/statm")?;
    let mut pages = text.split_whitespace().skip(1).map(str::parse::<u64>);
    let (Some(Ok(resident)), Some(Ok(shared))) = (pages.next(), pages.next()) else {
        anyhow::bail!("/proc/self/statm: {text:?}");
    };
    Ok(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}
