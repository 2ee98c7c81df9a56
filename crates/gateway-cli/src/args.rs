//! The command line: the flags common to all commands, and the list of commands.

use clap::{ArgAction, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    check::CheckArgs, connect::args::ConnectArgs, demo::DemoArgs, explain::ExplainArgs,
    log::LogLevel, replay::ReplayArgs, serve::args::ServeArgs,
};

const EXAMPLES: &str = "\
Examples:
  gateway demo                                            everything at once, with nothing to set up
  gateway demo --driver std                               the same on the blocking client
  gateway serve --script drop                             a gateway that drops its clients
  gateway connect ws://127.0.0.1:9001                     a connection to it that stays up
  gateway connect wss://host/ --events - --log-level off  what happens, in JSON on stderr
  gateway explain 1012                                    what follows on a close code
  gateway check gateway.toml                              all errors of a configuration
  gateway replay bug.jsonl                                what a connection of --record was told and did
  gateway replay bug.jsonl --scenario a_bug               the same as a test to paste into the testkit
  gateway completions bash                                completions for a shell
  gateway man connect                                     a manual page: gateway man connect | man -l -

Exit status: 0 closed as asked, 1 gave up, 2 usage or configuration error;
of replay: 0 all as recorded, 1 a difference, or a journal that is damaged or breaks off,
2 usage error, or the file cannot be read.";

/// A WebSocket connection that stays up, and a gateway to test it against
#[derive(Debug, Parser)]
#[command(name = "gateway", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How much is logged on stderr [default: info; of the demo: off]
    #[arg(long, global = true, value_name = "LEVEL", env = "GATEWAY_LOG", hide_env_values = true)]
    log_level: Option<LogLevel>,

    /// Logs errors alone
    #[arg(short = 'q', global = true, conflicts_with = "verbose")]
    is_quiet: bool,

    /// Logs more: with -v what is logged at debug, with -vv all
    #[arg(short = 'v', global = true, action = ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Rides out the faults of a gateway in the same process, and shows how (about 12 s)
    Demo(DemoArgs),
    /// Keeps a connection up: lines of stdin are sent, messages are lines on stdout
    Connect(Box<ConnectArgs>),
    /// A gateway to test against: echoes, answers pings, misbehaves on request
    Serve(ServeArgs),
    /// Says what happens on a close code or an HTTP status, and which rule decides
    Explain(ExplainArgs),
    /// Validates a configuration file: every error at once, or what it comes to
    Check(CheckArgs),
    /// Replays a journal of --record: each event with its actions, and whether they are the recorded ones
    Replay(ReplayArgs),
    /// Prints the completions of the program for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page of the program, or of one of its commands
    Man {
        /// The command [default: the program]
        command: Option<String>,
    },
}

impl Arguments {
    /// How much is logged. The short flags decide over `--log-level`, which may come from the environment.
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
    /// How much is logged where nobody says. The demo tells its story itself.
    fn log_level(&self) -> LogLevel {
        match self {
            Self::Demo(_) => LogLevel::Off,
            Self::Connect(_)
            | Self::Serve(_)
            | Self::Explain(_)
            | Self::Check(_)
            | Self::Replay(_)
            | Self::Completions { .. }
            | Self::Man { .. } => LogLevel::Info,
        }
    }
}
