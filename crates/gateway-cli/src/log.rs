//! The log: lines on stderr, coloured where that is a terminal and `NO_COLOR` is unset or empty.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;

use crate::{diagnostics, stdio};

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Starts the log. Called once, before anything is logged.
pub(crate) fn start(level: LogLevel) {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let lines = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(level))
        .with_target(false)
        .with_ansi(!is_plain && io::stderr().is_terminal())
        .with_writer(|| diagnostics::stderr().clone())
        .finish();
    // `init` would also take the lines of other libraries' `log`, if any crate of the build enables
    // that feature.
    tracing::subscriber::set_global_default(lines).expect("the log is started once");
}

/// Prints an error, whatever the level of the log.
pub(crate) fn error(error: &dyn fmt::Display) {
    // Never fails: the queue counts lines that cannot be written.
    let _ = diagnostics::stderr().clone().write_all(format!("error: {error}\n").as_bytes());
}

/// Prints a command's output to stdout.
pub(crate) fn print(text: &str) -> ExitCode {
    let printed = stdio::lines().and_then(|mut stdout| {
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cannot_write(&error),
    }
}

/// Reports that stdout cannot be written. If its reader is gone, this is no error.
pub(crate) fn cannot_write(error: &io::Error) -> ExitCode {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    tracing::error!(%error, "cannot write to stdout");
    ExitCode::FAILURE
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
