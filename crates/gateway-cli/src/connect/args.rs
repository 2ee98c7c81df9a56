//! The flags of `gateway connect` that are not settings.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use gateway_tokio::core::parse_duration;

use super::{
    form::{Binary, Form, LineEnd},
    session::AfterInput,
};
use crate::settings::Flags;

/// The command line of `gateway connect`.
#[derive(Debug, Args)]
#[command(override_usage = "gateway connect [OPTIONS] [URL]")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) settings: Flags,

    /// Reads settings from this TOML file. Flags override environment variables, which override the
    /// file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// At the end of stdin waits for every outcome, closes with 1000, and exits. Exits with 1 if a
    /// line was not sent.
    #[arg(long)]
    pub(crate) exit_on_eof: bool,

    /// Sends one line, writes one message, and exits.
    #[arg(short = '1', long)]
    pub(crate) once: bool,

    /// Like --exit-on-eof, but first receives for this long after the end of stdin.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) linger: Option<Duration>,

    /// Like --exit-on-eof, but first receives until N messages have come since the start. With
    /// --linger also, the first of the two conditions ends the program.
    #[arg(long, value_name = "N")]
    #[arg(conflicts_with = "once")]
    pub(crate) wait_for: Option<u64>,

    /// How messages are written to stdout. `lines` writes line breaks as \n and \r; the other forms
    /// are exact. On a terminal a line break replaces each NUL, and control characters are escaped.
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) output: Form,

    /// Also writes binary messages, each as a line in this encoding. Only for --output lines: the
    /// other forms include binary messages anyway.
    #[arg(long, value_name = "FORM")]
    pub(crate) binary: Option<Binary>,

    /// How messages are read from stdin.
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub(crate) input: Form,

    /// Appends this to each line of stdin. Some protocols require it at the end of a message.
    #[arg(long, value_name = "END")]
    pub(crate) line_end: Option<LineEnd>,

    /// Writes what happens as JSON lines to FILE, or to stderr for -. There, `--log-level off` keeps
    /// the log out of them.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,

    /// Records the connection's events and actions to FILE, for `gateway replay`. The file contains
    /// no message, header or login.
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
    /// If two flags contradict each other.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.binary.is_some() && self.output != Form::Lines {
            Err(
                "--binary is only for --output lines: the other forms include binary messages anyway",
            )
        } else if self.line_end.is_some() && self.input != Form::Lines {
            Err("--line-end is only for --input lines: the other forms are exact")
        } else {
            Ok(())
        }
    }
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).ok_or("must be a span such as 500ms, 30s or 5m")
}
