//! The resources of the process: heap, resident memory, open files, threads.

use std::alloc::System;
use std::{fmt, fs, io};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the process holds at one moment. `None` where only Linux reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) live_bytes: i64,
    pub(crate) live_allocations: i64,
    pub(crate) resident_kib: Option<u64>,
    pub(crate) files: Option<usize>,
    pub(crate) threads: Option<usize>,
}

impl Vitals {
    /// Looks.
    ///
    /// # Errors
    /// This is Linux, and `/proc` cannot be read: nothing that is counted there would be judged.
    pub(crate) fn take() -> io::Result<Self> {
        let stats = HEAP.stats();
        let less = |more: usize, less: usize| more.wrapping_sub(less) as i64;
        let (mut resident_kib, mut files, mut threads) = (None, None, None);
        if cfg!(target_os = "linux") {
            resident_kib = Some(read_resident_kib()?);
            files = Some(count("/proc/self/fd")?);
            threads = Some(count("/proc/self/task")?);
        }
        Ok(Self {
            live_bytes: less(stats.bytes_allocated, stats.bytes_deallocated),
            live_allocations: less(stats.allocations, stats.deallocations),
            resident_kib,
            files,
            threads,
        })
    }
}

fn read_resident_kib() -> io::Result<u64> {
    const STATUS: &str = "/proc/self/status";
    let status = fs::read_to_string(STATUS).map_err(|error| unread(STATUS, error))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| unread(STATUS, "no VmRSS"))
}

fn count(folder: &str) -> io::Result<usize> {
    let entries = fs::read_dir(folder).map_err(|error| unread(folder, error))?;
    let count = entries.map(|entry| entry.map(|_| 1)).sum::<io::Result<usize>>();
    count.map_err(|error| unread(folder, error))
}

fn unread(path: &str, why: impl fmt::Display) -> io::Error {
    io::Error::other(format!("{path} cannot be read, and so nothing judged: {why}"))
}
