//! The flags of `gateway connect`, beside those of the settings.

use std::path::PathBuf;

use clap::Args;

use super::output::Binary;
use crate::settings::Flags;

/// The command line of `gateway connect`.
#[derive(Debug, Args)]
#[command(override_usage = "gateway connect [OPTIONS] [URL]")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) settings: Flags,

    /// Reads settings from this file, in TOML; flags and the environment are over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// At the end of stdin waits for every outcome, closes with 1000, and ends.
    #[arg(long)]
    pub(crate) exit_on_eof: bool,

    /// Writes binary messages too, each as a line in this form.
    #[arg(long, value_name = "FORM")]
    pub(crate) binary: Option<Binary>,

    /// Writes what happens as JSON lines to FILE, or to stderr for -, where
    /// `--log-level off` leaves them alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,

    /// Records what the connection is told and answers to FILE, for `gateway replay`; no message, header or login
    /// is in it.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}
