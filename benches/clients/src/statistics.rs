//! What the process has used and may use: time, processor time, memory, open files.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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
    #[expect(clippy::disallowed_methods, reason = "the one place that reads a clock")]
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }

    pub(crate) fn stop(&self) -> Spent {
        Spent { seconds: self.seconds(), cpu_seconds: cpu_seconds() - self.cpu }
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.wall.elapsed().as_secs_f64()
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
        bail!("/proc/self/statm: {text:?}");
    };
    Ok(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// Files beside the connections: the standard ones, the runtime's, the server's answers.
const FILES_BESIDE: u64 = 64;

/// Raises the limit of open files as far as may be.
///
/// # Errors
/// So many connections do not fit in it.
pub(crate) fn allow_connections(connections: u32) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("limit of open files")?;
    let needed = u64::from(connections) + FILES_BESIDE;
    match maximum {
        Some(maximum) if maximum < needed => bail!(
            "the limit of open files (RLIMIT_NOFILE, ulimit -Hn) is {maximum}; {connections} connections need {needed}"
        ),
        _ => Ok(()),
    }
}
