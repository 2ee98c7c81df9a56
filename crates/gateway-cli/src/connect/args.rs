//! The flags of `gateway connect`, beside those of the settings.

use std::{path::PathBuf, time::Duration};

use clap::{Args, CommandFactory as _, Error, error::ErrorKind};
use gateway_tokio::core::parse_duration;

use super::{
    form::{Binary, Form, LineEnd},
    session::AfterInput,
};
use crate::{args::Arguments, settings::Flags};

/// The command line of `gateway connect`.
#[derive(Debug, Args)]
#[command(override_usage = "gateway connect [OPTIONS] [URL]")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) settings: Flags,

    /// Reads settings from this file, in TOML; flags and the environment are over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// At the end of stdin waits for every outcome, closes with 1000, and ends. The exit status is
    /// 1 where a line was not sent.
    #[arg(long)]
    pub(crate) exit_on_eof: bool,

    /// Sends one line, writes one message, and ends.
    #[arg(short = '1', long)]
    pub(crate) once: bool,

    /// As --exit-on-eof, but goes on receiving for this long.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) linger: Option<Duration>,

    /// As --exit-on-eof, but goes on receiving until N messages have come since the start; with
    /// --linger until the first of both.
    #[arg(long, value_name = "N")]
    #[arg(conflicts_with = "once")]
    pub(crate) wait_for: Option<u64>,

    /// How messages are written to stdout. Among lines, line breaks are written as \n and \r; the
    /// other forms are exact. A terminal gets lines in place of NULs, and no control characters.
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) output: Form,

    /// Writes binary messages too, each as a line in this form; other forms of --output have them anyway.
    #[arg(long, value_name = "FORM")]
    pub(crate) binary: Option<Binary>,

    /// How messages are read from stdin.
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) input: Form,

    /// Adds this to each line of stdin: some protocols want it at the end of a message.
    #[arg(long, value_name = "END")]
    pub(crate) line_end: Option<LineEnd>,

    /// Writes what happens as JSON lines to FILE, or to stderr for -, where
    /// `--log-level off` leaves them alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,

    /// Records what the connection is told and answers to FILE, for `gateway replay`; no message, header or login
    /// is in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

impl ConnectArgs {
    /// What follows the end of stdin.
    pub(crate) fn after_input(&self) -> AfterInput {
        let Self { exit_on_eof, once, wait_for, linger, .. } = *self;
        let messages = if once { Some(1) } else { wait_for };
        if exit_on_eof || messages.is_some() || linger.is_some() {
            return AfterInput::Close { messages, linger };
        }
        AfterInput::Stay
    }

    /// # Errors
    /// Where two flags contradict each other.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = if self.binary.is_some() && self.output != Form::Lines {
            "--binary is for --output lines: the other forms have binary messages anyway"
        } else if self.line_end.is_some() && self.input != Form::Lines {
            "--line-end is for --input lines: the other forms are exact"
        } else {
            return Ok(());
        };
        Err(Arguments::command().error(ErrorKind::ArgumentConflict, wrong))
    }
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("must be a span such as 500ms, 30s or 5m")
}
