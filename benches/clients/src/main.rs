//! The Rust clients of the benchmarks: one measure, one peer, one JSON object.
//!
//! The allocator is the system's, for all of them. See `--help`, and `--list` for the pairs.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    bench_clients::main(None)
}
