//! The `gateway` program as a library: parses the command line, starts the log on stderr, runs one command.
//!
//! The library is only for the program and its tests, and is exempt from semantic versioning: [`run`] is for
//! `main.rs`, `parsers` for fuzz targets and tests. Semantic versioning covers the program: its flags, its
//! output and its exit statuses.

mod args;
mod byte_size;
mod check;
mod clock;
mod connect;
mod demo;
mod diagnostics;
mod dialects;
mod explain;
mod log;
mod manual;
mod metrics;
#[doc(hidden)]
pub mod parsers;
mod record;
mod replay;
mod serve;
mod settings;
mod signals;
mod simulate;
mod stdio;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser as _;

/// Runs the command of the command line. Returns its exit status.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(arguments.log_level());
    let status = match arguments.command {
        Command::Demo(args) => demo::run(&args),
        Command::Connect(args) => connect::run(*args),
        Command::Serve(args) => serve::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Check(args) => check::run(&args),
        Command::Dialects(args) => dialects::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(command.as_deref()),
    };
    diagnostics::finish();
    status
}
