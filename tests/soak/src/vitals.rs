//! What the process holds: heap, resident memory, open files, threads.

use std::alloc::System;
use std::fs;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the process holds at one moment. What the system does not tell is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) live_bytes: i64,
    pub(crate) live_allocations: i64,
    pub(crate) resident_kib: u64,
    pub(crate) files: usize,
    pub(crate) threads: usize,
}

impl Vitals {
    pub(crate) fn take() -> Self {
        let stats = HEAP.stats();
        let less = |more: usize, less: usize| more.wrapping_sub(less) as i64;
        Self {
            live_bytes: less(stats.bytes_allocated, stats.bytes_deallocated),
            live_allocations: less(stats.allocations, stats.deallocations),
            resident_kib: resident_kib().unwrap_or(0),
            files: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
        }
    }
}

fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}
