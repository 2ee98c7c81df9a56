//! What is wrong with a configuration: every error at once, each with field, value and limit.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One thing that is wrong: which field, what it is, what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: String,
    value: String,
    limit: String,
}

impl ConfigError {
    /// An error in `field` (a dotted path), whose value must be as `limit` says.
    ///
    /// Drivers and programs that keep settings of their own beside a [`Config`](crate::Config) report theirs
    /// in the same form. A secret's value must not be passed in.
    #[must_use]
    pub fn new(
        field: impl Into<String>,
        value: impl Into<String>,
        limit: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), value: value.into(), limit: limit.into() }
    }

    /// The field's path, such as `reconnect.max_delay`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The value that was refused; empty where the field itself is the error.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What the value must be.
    #[must_use]
    pub fn limit(&self) -> &str {
        &self.limit
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, limit } = self;
        if value.is_empty() {
            write!(f, "{field}: {limit}")
        } else {
            write!(f, "{field} = {value}: {limit}")
        }
    }
}

impl core::error::Error for ConfigError {}

/// Everything that is wrong with a configuration, in the order of its fields. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(alloc::vec![error])
    }
}

impl ConfigErrors {
    /// The errors, or `Ok` where there is none.
    ///
    /// # Errors
    /// The list itself, unless it is empty.
    pub fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The errors.
    pub fn iter(&self) -> core::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// The errors by value, to be joined with others.
    #[must_use]
    pub fn into_vec(self) -> Vec<ConfigError> {
        self.0
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = core::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigErrors {}
