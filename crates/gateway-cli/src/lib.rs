//! The `gateway` program as a library: reads the command line, starts the log on stderr, and runs one command.
//!
//! The library exists for the program and its tests, and is exempt from semantic versioning: [`run`] is for `main.rs`, `parsers` for the
//! fuzz targets and the tests beside this crate. What is promised is the program's: its flags, its output, its exit statuses.

mod args;
mod byte_size;
mod check;
mod clock;
mod connect;
mod demo;
mod diagnostics;
mod explain;
mod log;
mod manual;
#[doc(hidden)]
pub mod parsers;
mod record;
mod replay;
mod serve;
mod settings;
mod signals;
mod stdio;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser as _;

/// Does what the command line asks for.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(arguments.log_level());
    let status = match arguments.command {
        Command::Demo(args) => demo::run(&args),
        Command::Connect(args) => connect::run(*args),
        Command::Serve(args) => serve::command::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Check(args) => check::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command } => manual::page(command.as_deref()),
    };
    diagnostics::finish();
    status
}
