//! The command line: the flags of all commands, and the list of commands.

use clap::{ArgAction, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    check::CheckArgs, connect::args::ConnectArgs, demo::DemoArgs, dialects::DialectsArgs,
    explain::ExplainArgs, log::LogLevel, replay::ReplayArgs, serve::args::ServeArgs,
    simulate::args::SimulateArgs,
};

const EXAMPLES: &str = "\
Examples:
  gateway demo                                            a client that survives six faults
  gateway demo --driver std                               the same with the blocking client
  gateway serve --script drop                             a test server that drops its clients
  gateway connect ws://127.0.0.1:9001                     connects to it, and reconnects
  gateway connect wss://host/ --events - --log-level off  what happens, as JSON lines on stderr
  gateway explain 1012                                    what follows close code 1012
  gateway check gateway.toml                              all errors of a configuration file
  gateway dialects                                        dialects of well-known servers
  gateway replay bug.jsonl                                replays a connection of --record
  gateway replay bug.jsonl --scenario a_bug               prints it as a test for the testkit
  gateway simulate --clients 50000 --accepts 500          will a fleet come back after a drop?
  gateway completions bash                                shell completions
  gateway man connect                                     a manual page, for man -l -

Exit status: 0 closed as asked, 1 gave up, or a line was not sent or not written,
2 usage or configuration error.
Exit status of serve: 0 after a signal, 1 it cannot serve, 2 usage error;
with --judge 1 also if the client breaks a rule, or no client came.
Exit status of replay: 0 all as recorded, 1 a difference,
or a journal that is damaged or breaks off, 2 usage error, or the file cannot be read.
Exit status of simulate: 0 whatever the answer, 1 the results cannot be written,
2 usage or scenario error, 130 stopped by Ctrl-C.";

/// A WebSocket client that reconnects, and a server to test clients against
#[derive(Debug, Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Sets how much is logged to stderr [default: info; for the demo: off]
    #[arg(long, global = true, value_name = "LEVEL", env = "GATEWAY_LOG", hide_env_values = true)]
    log_level: Option<LogLevel>,

    /// Logs only errors
    #[arg(short = 'q', global = true, conflicts_with = "verbose")]
    is_quiet: bool,

    /// Logs more: -v for debug, -vv for trace
    #[arg(short = 'v', global = true, action = ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a client that survives six faults of a server in the same process (about 12 s)
    Demo(DemoArgs),
    /// Connects and stays connected: sends lines of stdin, writes messages to stdout
    Connect(Box<ConnectArgs>),
    /// Runs a test server that echoes, answers pings, and misbehaves on request
    Serve(ServeArgs),
    /// Explains what the client does after a close code or HTTP status, and why
    Explain(ExplainArgs),
    /// Validates a configuration file: prints every error, or the effective settings
    Check(CheckArgs),
    /// Lists the dialects of well-known servers, or prints one
    Dialects(DialectsArgs),
    /// Replays a journal of --record: shows each event with its actions, and every difference
    Replay(ReplayArgs),
    /// Simulates a reconnect storm: does the fleet recover, how long does it take, what helps
    Simulate(Box<SimulateArgs>),
    /// Prints shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page of the program or of a command
    Man {
        /// The command [default: the program]
        command: Option<String>,
    },
}

impl Arguments {
    /// The log level. The short flags override `--log-level`, which may come from the environment.
    pub(crate) fn log_level(&self) -> LogLevel {
        match (self.is_quiet, self.verbose) {
            (true, _) => LogLevel::Error,
            (false, 0) => self.log_level.unwrap_or_else(|| self.command.log_level()),
            (false, 1) => LogLevel::Debug,
            (false, _) => LogLevel::Trace,
        }
    }
}

impl Command {
    /// The default log level. The demo prints its own account.
    fn log_level(&self) -> LogLevel {
        match self {
            Self::Demo(_) => LogLevel::Off,
            Self::Connect(_)
            | Self::Serve(_)
            | Self::Explain(_)
            | Self::Check(_)
            | Self::Dialects(_)
            | Self::Replay(_)
            | Self::Simulate(_)
            | Self::Completions { .. }
            | Self::Man { .. } => LogLevel::Info,
        }
    }
}
