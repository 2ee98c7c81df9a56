//! The `gateway` program: reads the command line, starts the log on stderr, and runs one command.

mod args;
mod byte_size;
mod check;
mod clock;
mod connect;
mod demo;
mod explain;
mod log;
mod record;
mod replay;
mod serve;
mod settings;
mod signals;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(arguments.log_level.unwrap_or_else(|| arguments.command.log_level()));
    match arguments.command {
        Command::Demo(args) => demo::run(&args),
        Command::Connect(args) => connect::run(*args),
        Command::Serve(args) => serve::command::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Check(args) => check::run(&args),
        Command::Replay(args) => replay::run(&args),
    }
}
