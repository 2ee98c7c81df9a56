//! The Rust clients of the benchmarks: one measure, one peer, one JSON object.
//!
//! The allocator is the system's, for all of them. See `--help`, and `--list` for the pairs.

#![forbid(unsafe_code)]

mod arguments;
mod exchange;
mod measures;
mod peers;
mod statistics;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use arguments::{Arguments, Measure};

fn main() -> ExitCode {
    let Some(measure) = Arguments::parse().measure else { return ExitCode::from(2) };
    let common = measure.common();
    watch(Duration::from_secs(common.timeout));
    let peer = common.peer;
    let result = match &measure {
        Measure::Pipelined(work) => peers::run(peer, work),
        Measure::Flood(work) => peers::run(peer, work),
    };
    match result {
        Ok(mut answer) => {
            let name = peer.to_possible_value().map(|value| value.get_name().to_owned());
            answer.insert("peer".to_owned(), name.into());
            println!("{}", serde_json::Value::Object(answer));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-clients: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What never comes would be waited for without an end.
fn watch(timeout: Duration) {
    std::thread::spawn(move || {
        #[allow(clippy::disallowed_methods)] // a thread of its own, that only waits
        std::thread::sleep(timeout);
        eprintln!("bench-clients: not done after {timeout:?}: something is missing");
        std::process::exit(1);
    });
}
