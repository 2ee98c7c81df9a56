//! The program `gateway-soak`: runs for the given time, and exits with 1 if any check fails.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use gateway_core::parse_duration;
use gateway_soak::{Settings, run};

/// The default limits of a storm's length.
const STORM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Runs clients of both drivers against a gateway with random faults from a seed, and checks every message.
#[derive(Parser)]
struct Arguments {
    /// How long to run: 90s, 10m, 8h
    #[arg(long = "for", value_name = "TIME", default_value = "1m", value_parser = time)]
    time: Duration,
    /// The seed of the faults and messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which driver's clients to run
    #[arg(long, value_enum, default_value_t = Which::Both)]
    driver: Which,
    /// The number of clients of each driver; by default 8 blocking and 32 async ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    clients: Option<u16>,
    /// How long a storm of faults between two calms lasts; by default a twentieth of the whole, from 1s to
    /// 15s, so that there are enough calms to check the heap
    #[arg(long, value_name = "TIME", value_parser = time)]
    storm: Option<Duration>,
    /// Also writes the report to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Prints a line each ten seconds, even if stderr is not a terminal
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Std,
    Tokio,
    Both,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a time is a number and ms, s, m or h".into())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let count = |default| arguments.clients.map_or(default, usize::from);
    let (std, tokio) = match arguments.driver {
        Which::Std => (count(8), 0),
        Which::Tokio => (0, count(32)),
        Which::Both => (count(8), count(32)),
    };
    let settings = Settings {
        time: Some(arguments.time),
        storm: arguments.storm.unwrap_or((arguments.time / 20).clamp(STORM.0, STORM.1)),
        seed: arguments.seed,
        std,
        tokio,
    };
    let is_heard = arguments.verbose || io::stderr().is_terminal();
    let ran = run(settings, |line| {
        if is_heard {
            eprintln!("{line}");
        }
    });
    let report = match ran {
        Ok(report) => report,
        Err(error) => {
            eprintln!("gateway-soak: {error}");
            return ExitCode::FAILURE;
        }
    };
    print!("{report}");
    if let Some(file) = arguments.report
        && let Err(error) = std::fs::write(&file, report.to_string())
    {
        eprintln!("gateway-soak: {}: {error}", file.display());
        return ExitCode::FAILURE;
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
