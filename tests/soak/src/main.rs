//! The program `gateway-soak`: runs for the given time, and exits with 1 if any check fails.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use gateway_core::parse_duration;
use gateway_soak::{Settings, run};

/// The shortest and the longest storm, where none is asked for.
const STORM: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Runs clients of both drivers against a gateway that draws its faults from a seed, and judges every message.
#[derive(Parser)]
struct Arguments {
    /// For how long: 90s, 10m, 8h
    #[arg(long = "for", value_name = "TIME", default_value = "1m", value_parser = time)]
    time: Duration,
    /// What the faults and messages are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Whose clients
    #[arg(long, value_enum, default_value_t = Which::Both)]
    driver: Which,
    /// How many of each driver; by default 8 blocking ones and 32 async ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    clients: Option<u16>,
    /// How long a storm of faults lasts, between two calms; by default a twentieth of the whole, from 1s to 15s, so that there are
    /// calms enough to judge the heap
    #[arg(long, value_name = "TIME", value_parser = time)]
    storm: Option<Duration>,
    /// Also writes the report into this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A line each ten seconds, also where stderr is no terminal
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
