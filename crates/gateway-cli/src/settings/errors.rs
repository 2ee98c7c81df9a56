//! Errors in the settings, each with the sources of the value.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use gateway_tokio::core::ConfigError;

use super::{
    origin::Origin,
    table::{Kind, SETTINGS},
    tree::Tree,
};

/// Every error in the settings, each with the sources of the value. Never empty.
#[derive(Debug)]
pub(crate) struct SettingsErrors(Vec<(ConfigError, Vec<Origin>)>);

impl SettingsErrors {
    /// The errors of a tree.
    pub(crate) fn of(errors: Vec<ConfigError>, tree: &Tree) -> Self {
        let placed = errors.into_iter().map(|error| {
            let origins = tree.origins(&error);
            (error, origins)
        });
        Self(placed.collect())
    }

    /// The field of each.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(error, _)| error.field())
    }

    /// Prints them to stderr. Returns the status of a usage error.
    pub(crate) fn report(&self) -> ExitCode {
        // If stderr is closed, the status still reports it.
        let _ = write!(io::stderr().lock(), "{self}");
        ExitCode::from(2)
    }
}

impl fmt::Display for SettingsErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(formatter, "error: the configuration is not valid")?,
            many => writeln!(formatter, "error: the configuration is not valid: {many} errors")?,
        }
        for (error, origins) in &self.0 {
            write!(formatter, "  {}", Shown(error))?;
            for (index, origin) in origins.iter().enumerate() {
                let before = if index == 0 { "  [" } else { ", " };
                write!(formatter, "{before}{origin}")?;
            }
            writeln!(formatter, "{}", if origins.is_empty() { "" } else { "]" })?;
        }
        Ok(())
    }
}

/// An error that hides the value of a field that may be a secret.
struct Shown<'a>(&'a ConfigError);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, value, limit) = (self.0.field(), self.0.value(), self.0.limit());
        if value.is_empty() {
            write!(formatter, "{field}: {limit}")
        } else if is_hidden(field) {
            write!(formatter, "{field} = (hidden): {limit}")
        } else {
            write!(formatter, "{field} = {value:?}: {limit}")
        }
    }
}

/// Whether a field is a secret, or a table of secrets that has another type.
pub(crate) fn is_hidden(field: &str) -> bool {
    let setting = SETTINGS.iter().find(|setting| setting.path == field);
    match setting.map(|setting| setting.kind) {
        Some(Kind::Secret | Kind::Header | Kind::SecretEntry) => true,
        Some(
            Kind::Positional
            | Kind::Value
            | Kind::Url
            | Kind::Switch
            | Kind::Rate
            | Kind::List
            | Kind::Entry,
        ) => false,
        None => {
            let is_in = |table| field.starts_with(table);
            field == "login" || is_in("headers.") || is_in("secrets.")
        }
    }
}
