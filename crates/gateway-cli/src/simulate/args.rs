//! The flags of `gateway simulate`.

use std::path::PathBuf;

use clap::Args;

const STATUS: &str = "\
Numbers and spans are checked together with the scenario: all errors at once, nothing simulated.

Exit status: 0 the simulation ended, whatever its answer; 1 the results cannot be written;
2 usage or scenario error; 130 stopped by Ctrl-C, with partial results.

Examples:
  gateway simulate --clients 50000 --accepts 500 --login 3ms --queue 10s
  gateway simulate --scenario second-drop --jitter all --out storm
  gateway simulate --scenario drop --print > mine.toml
  gateway simulate --scenario mine.toml --connect-timeout 20s";

/// The command line of `gateway simulate`. Values stay text, so that every error is reported at once.
#[derive(Debug, Default, Args)]
#[command(after_help = STATUS)]
pub(crate) struct SimulateArgs {
    /// What goes wrong: a name of --list, or a TOML file. The flags below override it
    /// [default: drop].
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) scenario: Option<PathBuf>,

    /// Lists the built-in scenarios.
    #[arg(long, conflicts_with_all = ["scenario", "print"])]
    pub(crate) list: bool,

    /// Prints the scenario as TOML, with the flags applied, and simulates nothing.
    #[arg(long)]
    pub(crate) print: bool,

    #[command(flatten)]
    pub(crate) fleet: FleetArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// The clients.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The clients")]
pub(crate) struct FleetArgs {
    /// The number of clients.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) clients: Option<String>,

    /// How delays are drawn: a strategy, several with commas, or `all`. Each is simulated
    /// [default: that of the scenario].
    #[arg(long, value_name = "STRATEGY")]
    pub(crate) jitter: Option<String>,

    /// The delay of the first retry, before jitter.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) initial_delay: Option<String>,

    /// The longest delay before jitter.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) max_delay: Option<String>,

    /// How long a client waits for a connection. Set alone, it does not grow.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) connect_timeout: Option<String>,

    /// Makes the connect timeout four times as long after each attempt that ends by it, up to SPAN.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) connect_timeout_max: Option<String>,

    /// Delays the first retry after the loss of a ready connection by a random part of SPAN.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) spread: Option<String>,

    /// How long a client waits for the answer to its login.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) login_timeout: Option<String>,
}

/// The server.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The server")]
pub(crate) struct ServerArgs {
    /// How many connections each node accepts a second.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) accepts: Option<String>,

    /// How long a worker needs for a login, such as 3ms or 500us.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) login: Option<String>,

    /// How many logins each node serves at the same time.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) login_workers: Option<String>,

    /// How many connections wait at most in front of each stage: a number, or a span such as 10s: as
    /// many as the stage serves in that time.
    #[arg(long, value_name = "N|SPAN", allow_hyphen_values = true)]
    pub(crate) queue: Option<String>,
}

/// The simulation and its results.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The simulation")]
pub(crate) struct RunArgs {
    /// The seed. The same command and seed give the same results, byte for byte.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) seed: Option<String>,

    /// When the simulation ends, in simulated time.
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    pub(crate) horizon: Option<String>,

    /// Does not search for the edge, nor for settings with which the fleet recovers. These searches
    /// repeat the simulation some 30 times.
    #[arg(long)]
    pub(crate) no_search: bool,

    /// Writes summary.json, report.html and a CSV file for each strategy into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Overwrites results in --out DIR.
    #[arg(long, requires = "out")]
    pub(crate) force: bool,

    /// Prints only the first line, and no progress.
    #[arg(long)]
    pub(crate) quiet: bool,
}
