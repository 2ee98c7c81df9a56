//! Rust clients of the benchmarks: a measure is run on a peer, and told as one JSON object.
//!
//! `peers` are the libraries, `measures` what is done with them, `exchange` checks every message.

#![forbid(unsafe_code)]

mod arguments;
mod exchange;
mod list;
mod measures;
mod peers;
mod server;
mod statistics;

use std::process::{self, ExitCode};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use serde_json::Value;

use arguments::{Arguments, Measure};
use measures::{Answer, allocations};

/// How a program that counts tells how often memory was asked for.
pub type Count = fn() -> u64;

/// Bad usage, and a pair of a measure and a peer that is not supported.
const USAGE: u8 = 2;
const UNSUPPORTED: u8 = 3;

/// Does what the command line says.
pub fn main(count: Option<Count>) -> ExitCode {
    let Arguments { list, measure } = Arguments::parse();
    let Some(measure) = measure else {
        if list {
            println!("{}", list::peers());
            return ExitCode::SUCCESS;
        }
        eprintln!("{}", Arguments::command().render_usage());
        return ExitCode::from(USAGE);
    };
    let peer = measure.common().peer;
    if !peer.measures().contains(&measure.name()) {
        eprintln!("bench-clients: {} is not supported for {}", measure.name(), peer.name());
        return ExitCode::from(UNSUPPORTED);
    }
    let _under_way = watch(Duration::from_secs(measure.common().timeout));
    let name = measure.name();
    match run(measure, count) {
        Ok(mut answer) => {
            answer.insert("measure".to_owned(), name.into());
            answer.insert("peer".to_owned(), peer.name().into());
            println!("{}", Value::Object(answer));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-clients: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(measure: Measure, count: Option<Count>) -> Result<Answer> {
    let (peer, runtime) = (measure.common().peer, measure.common().runtime());
    match (measure, count) {
        (Measure::Allocations(work), Some(count)) => {
            peers::run(peer, runtime, work.counted_by(count))
        }
        (Measure::Allocations(_), None) => allocations::in_a_program_that_counts(),
        (Measure::Pipelined(work), _) => peers::run(peer, runtime, work),
        (Measure::Tasks(work), _) => peers::run_tasks(peer, runtime, work),
        (Measure::Flood(work), _) => peers::run(peer, runtime, work),
        (Measure::Large(work), _) => peers::run(peer, runtime, work),
        (Measure::Connects(work), _) => peers::run(peer, runtime, work),
        (Measure::Memory(work), _) => peers::run(peer, runtime, work),
        (Measure::Idle(work), _) => peers::run(peer, runtime, work),
        (Measure::Heartbeat(work), _) => peers::run(peer, runtime, work),
    }
}

/// What never comes would be waited for without an end: ends the program after so long, unless what this returns is dropped before.
fn watch(timeout: Duration) -> mpsc::Sender<()> {
    let (under_way, done) = mpsc::channel();
    thread::spawn(move || {
        if done.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            eprintln!("bench-clients: not done after {timeout:?}: something is missing");
            process::exit(1);
        }
    });
    under_way
}
