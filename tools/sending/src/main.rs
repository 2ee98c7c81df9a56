//! The program `gateway-sending`: searches each world and reports whether every rule holds. Exits
//! with 1 if one does not.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]
#![allow(clippy::disallowed_methods, reason = "only reports how long a search takes")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gateway_sending::{search, worlds};

/// Searches every short history of a session that queues, paces, requests and drains.
#[derive(Parser)]
struct Arguments {
    /// Histories of at most so many steps; otherwise as many as each world says
    #[arg(long)]
    depth: Option<usize>,
    /// The world of this name; otherwise all
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut count = 0;
    let mut are_good = true;
    for world in worlds() {
        if arguments.only.as_ref().is_some_and(|name| world.name != name) {
            continue;
        }
        let begun = Instant::now();
        let findings = match search(&world, arguments.depth) {
            Ok(findings) => findings,
            Err(errors) => {
                eprintln!("gateway-sending: {errors}");
                return ExitCode::FAILURE;
            }
        };
        count += 1;
        are_good &= findings.are_good();
        println!("{findings}  took    {:.1} s\n", begun.elapsed().as_secs_f64());
    }
    if count == 0 {
        eprintln!("gateway-sending: no world of that name");
    }
    if count > 0 && are_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
