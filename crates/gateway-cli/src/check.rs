//! The command `gateway check`: validates a configuration file, and prints the effective settings.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::settings::{Flags, Purpose, Settings};

/// The command line of `gateway check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration file, in TOML.
    file: PathBuf,
}

/// Runs the command. Returns 0 if the file is valid, else 2.
pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let settings = match Settings::load(Some(&args.file), Flags::default(), Purpose::Inspect) {
        Ok(settings) => settings,
        Err(errors) => return errors.report(),
    };
    let mut text = format!("{} is valid\n\n{}", args.file.display(), settings.summary);
    for name in settings.missing_secrets() {
        text.push_str(&format!(
            "\nto connect, the dialect also needs --secret {name}=TEXT|@FILE\n"
        ));
    }
    crate::log::print(&text)
}
