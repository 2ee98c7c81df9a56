//! The same program, with an allocator that counts. `bench-clients allocations` runs it, and nothing else does.

#![forbid(unsafe_code)]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> std::process::ExitCode {
    bench_clients::main(Some(count))
}

/// How often memory was asked for: blocks that were made, and those that were made longer or shorter.
fn count() -> u64 {
    let stats = COUNTING.stats();
    (stats.allocations + stats.reallocations) as u64
}
