//! A reconnect storm on real sockets and in the simulator, and the distance between the two.
//!
//! ```sh
//! cargo build --release -p gateway-cli && cargo run --release -p gateway-storms
//! ```
//!
//! Real clients of gateway-tokio connect to `gateway serve`, which drops them all at once and then
//! accepts only so many in a second. The simulator plays the same scenario.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]

mod clock;
mod curve;
mod edge;
mod picture;
mod real;
mod server;
mod simulated;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, io};

use clap::Parser;
use gateway_sim::{Scenario, ScenarioBuilder, SearchError};
use gateway_tokio::FleetError;
use gateway_tokio::core::{ConfigErrors, format_duration};
use rustix::process::{Resource, getrlimit, setrlimit};
use thiserror::Error;

use crate::curve::Storm;

/// The scenarios of a full run: below the edge of the rule and beyond it, and there with cheap dead
/// work and with the default settings.
const FULL: [&str; 4] = [
    include_str!("../scenarios/recovers.toml"),
    include_str!("../scenarios/stays-stuck.toml"),
    include_str!("../scenarios/cheap-dead-work.toml"),
    include_str!("../scenarios/defaults.toml"),
];
const QUICK: [&str; 1] = [include_str!("../scenarios/quick.toml")];
/// Descriptors that a process needs besides those of its connections.
const SPARE: u64 = 100;

/// Plays reconnect storms on loopback sockets in real time and in the simulator.
#[derive(Debug, Parser)]
struct Arguments {
    /// Scenarios of the simulator, as files [default: four with 2,000 clients, which take two minutes]
    scenarios: Vec<PathBuf>,
    /// Play a scenario with 100 clients, which takes a few seconds.
    #[arg(long, conflicts_with = "scenarios")]
    quick: bool,
    /// Only print where the simulator's scenario `drop` stops recovering, if clients that have left
    /// cost this share of those that wait. Repeats.
    #[arg(long, value_name = "SHARE", exclusive = true, num_args = 1..)]
    edge: Vec<f64>,
    /// How many seeds to simulate.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Only simulate.
    #[arg(long)]
    no_sockets: bool,
    /// How long the clients may take to connect before the drop, in seconds [default: 5; with --quick 2]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    drop_after: Option<u64>,
    /// The program `gateway` [default: next to this program]
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
    /// Fail if the curves are farther apart than this, in percent of the fleet.
    #[arg(long, value_name = "PERCENT")]
    max_distance: Option<f64>,
    /// Write a CSV file for each scenario into this folder, which must exist.
    #[arg(long, value_name = "FOLDER")]
    csv: Option<PathBuf>,
    /// Write the curves as an SVG picture to this file.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// Why there is no result.
#[derive(Debug, Error)]
enum StormError {
    #[error("{}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Scenario(#[from] ConfigErrors),
    #[error("the scenario cannot be played on sockets: {0}")]
    Unsupported(&'static str),
    #[error("cannot start {}; `cargo build --release -p gateway-cli` builds it", program.display())]
    Server { program: PathBuf, source: io::Error },
    #[error("the server has printed no URL")]
    Url(#[source] io::Error),
    #[error("{needed} descriptors are needed, and the limit is {limit}: raise it with `ulimit -n`")]
    Descriptors { needed: u64, limit: u64 },
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error("a client has a name that is no number")]
    Name,
    #[error("only {ready} of {clients} clients were ready at the drop after {}", format_duration(*drop_after))]
    NotReady { ready: usize, clients: usize, drop_after: Duration },
    #[error("no connection was dropped after {}", format_duration(*.0))]
    NoDrop(Duration),
    #[error("{scenario}: the distance is {distance:.2} %, and must be at most {max} %")]
    Distance { scenario: String, distance: f64, max: f64 },
    #[error("the search for the edge failed")]
    Search(#[source] SearchError),
    #[error("cannot draw: {0}")]
    Picture(String),
}

/// A scenario with its results.
struct Compared {
    scenario: Scenario,
    real: Option<Storm>,
    /// One for each seed.
    simulated: Vec<Storm>,
}

impl Compared {
    /// The mean of the seeds at each step.
    fn mean(&self) -> Storm {
        Storm::mean(&self.simulated)
    }

    /// The distance of the sockets to the mean of the seeds.
    fn distance(&self) -> Option<f64> {
        self.real.as_ref().map(|real| real.distance(&self.mean()))
    }

    fn check(&self, max: f64) -> Result<(), StormError> {
        let scenario = || self.scenario.name().to_owned();
        match self.distance() {
            Some(distance) if distance > max => {
                Err(StormError::Distance { scenario: scenario(), distance, max })
            }
            _ => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            eprintln!("gateway-storms: {error}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), StormError> {
    if !arguments.edge.is_empty() {
        println!("| dead work | recovers at N/C | does not recover at N/C |\n|---|---|---|");
        for dead_work in arguments.edge {
            println!("{}", edge::row(dead_work)?);
        }
        return Ok(());
    }
    let program = arguments.gateway.unwrap_or_else(next_to_this_program);
    let drop_after = arguments.drop_after.unwrap_or(if arguments.quick { 2 } else { 5 });
    let mut all = Vec::new();
    for scenario in scenarios(&arguments.scenarios, arguments.quick)? {
        let simulated = simulated::play(&scenario, arguments.seeds)?;
        let real = if arguments.no_sockets {
            None
        } else {
            raise_limit(&scenario)?;
            Some(real::play(&scenario, &program, Duration::from_secs(drop_after)).await?)
        };
        let compared = Compared { scenario, real, simulated };
        println!("{}", table::of(&compared));
        if let Some(folder) = &arguments.csv {
            let path = folder.join(format!("{}.csv", compared.scenario.name()));
            write(&path, &table::csv(&compared))?;
        }
        all.push(compared);
    }
    if let Some(path) = &arguments.picture {
        let text = picture::of(&all).map_err(|error| StormError::Picture(error.to_string()))?;
        write(path, &text)?;
    }
    arguments.max_distance.map_or(Ok(()), |max| all.iter().try_for_each(|one| one.check(max)))
}

fn scenarios(paths: &[PathBuf], is_quick: bool) -> Result<Vec<Scenario>, StormError> {
    let read = |path: &PathBuf| {
        fs::read_to_string(path).map_err(|source| StormError::File { path: path.clone(), source })
    };
    let texts: Vec<String> = match (paths, is_quick) {
        ([], false) => FULL.map(str::to_owned).to_vec(),
        ([], true) => QUICK.map(str::to_owned).to_vec(),
        (paths, _) => paths.iter().map(read).collect::<Result<_, _>>()?,
    };
    texts.iter().map(|text| Ok(ScenarioBuilder::from_toml(text)?.build()?)).collect()
}

fn next_to_this_program() -> PathBuf {
    let name = format!("gateway{}", env::consts::EXE_SUFFIX);
    env::current_exe().map_or_else(|_| PathBuf::from(&name), |path| path.with_file_name(&name))
}

/// Raises the limit of open files for this process and the server, which inherits it. The server
/// needs a descriptor for each client, and one for each connection that waits in its queue.
fn raise_limit(scenario: &Scenario) -> Result<(), StormError> {
    let needed = u64::from(scenario.clients()) + scenario.server().accept.queue + SPARE;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|limit| limit >= needed) {
        return Ok(());
    }
    limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
    let reached = limit.current.unwrap_or(needed);
    if reached < needed || setrlimit(Resource::Nofile, limit).is_err() {
        return Err(StormError::Descriptors { needed, limit: reached });
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), StormError> {
    fs::write(path, text).map_err(|source| StormError::File { path: path.to_owned(), source })
}
