//! What is wrong with a command: every error at once, each with its flag or file.

use std::{fmt, process::ExitCode};

use gateway_tokio::core::ConfigError;

use super::{changes::Change, words::plain};

/// The errors of a command, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Adds an error. The same error of several groups or strategies counts once.
    pub(super) fn add(&mut self, field: &str, value: &str, limit: &str, origin: &str) {
        let field = plain(field);
        // `{:?}` escapes control characters, too.
        let value = if value.is_empty() { String::new() } else { format!(" = {value:?}") };
        let origin =
            if origin.is_empty() { String::new() } else { format!("  [{}]", plain(origin)) };
        let line = format!("{field}{value}: {}{origin}", plain(limit));
        if !self.0.contains(&line) {
            self.0.push(line);
        }
    }

    /// Adds the errors of a scenario, which came from `origin` unless a flag has set their field.
    pub(super) fn of_scenario<'e>(
        &mut self,
        errors: impl IntoIterator<Item = &'e ConfigError>,
        changes: &[Change],
        origin: &str,
    ) {
        for error in errors {
            let set =
                changes.iter().find_map(|change| Some((change.field(error.field())?, change.flag)));
            let (field, origin) = set.unwrap_or((error.field(), origin));
            self.add(field, error.value(), error.limit(), origin);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prints them to stderr. Returns the status of a usage error.
    pub(super) fn report(&self) -> ExitCode {
        crate::log::error(self);
        ExitCode::from(2)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the simulation cannot start")?;
        if self.0.len() > 1 {
            write!(formatter, ": {} errors", self.0.len())?;
        }
        self.0.iter().try_for_each(|line| write!(formatter, "\n  {line}"))
    }
}
