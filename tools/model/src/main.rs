//! The program `gateway-model`: searches each configuration and reports which laws hold. Exits with
//! 1 if one does not.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]
#![allow(
    clippy::disallowed_methods,
    reason = "how long a search takes is told, and used for nothing"
)]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gateway_model::{configurations, search};

/// Walks through every history of a small world around the real core.
#[derive(Parser)]
struct Arguments {
    /// Histories of at most so many steps; otherwise all
    #[arg(long)]
    depth: Option<usize>,
    /// The configuration of this name; otherwise all
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut all = match configurations() {
        Ok(all) => all,
        Err(errors) => {
            eprintln!("gateway-model: {errors}");
            return ExitCode::FAILURE;
        }
    };
    all.retain(|one| arguments.only.as_ref().is_none_or(|name| one.name == name));
    if all.is_empty() {
        eprintln!("gateway-model: no configuration of that name");
        return ExitCode::FAILURE;
    }
    let mut are_good = true;
    for configuration in all {
        let begun = Instant::now();
        let findings = search(configuration, arguments.depth);
        are_good &= findings.are_good();
        println!("{findings}  took    {:.1} s\n", begun.elapsed().as_secs_f64());
    }
    if are_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
