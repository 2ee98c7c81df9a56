//! The command `gateway check`: validates a configuration file, and says what it comes to.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use crate::settings::{Flags, Settings, Url};

/// The command line of `gateway check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The configuration, in TOML.
    file: PathBuf,
}

/// Runs the command: 0 where the file is valid, 2 where it is not.
pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let settings = match Settings::load(Some(&args.file), Flags::default(), Url::Optional) {
        Ok(settings) => settings,
        Err(errors) => return errors.report(),
    };
    let mut stdout = io::stdout().lock();
    let written = write!(stdout, "{} is valid\n\n{}", args.file.display(), settings.summary);
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => crate::log::cannot_write(&error),
    }
}
