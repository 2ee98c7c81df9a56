//! The errors of a configuration: all at once, each with field, value and limit.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One error in a configuration: the field, its value, and the limit that the value breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    field: String,
    value: String,
    limit: String,
}

impl ConfigError {
    /// Creates an error in `field`, a dotted path. `limit` says what the value must be.
    ///
    /// Drivers and programs that have more settings than [`Config`](crate::Config) report errors in
    /// the same form. Do not pass the value of a secret.
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

    /// The refused value. It is empty if the field itself is the error (for example an unknown
    /// field).
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

/// All errors in a configuration, in the order of its fields. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(alloc::vec![error])
    }
}

impl ConfigErrors {
    /// Returns `Ok` if there are no errors.
    ///
    /// # Errors
    /// Returns the errors if there are any.
    pub fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// Iterates over the errors.
    pub fn iter(&self) -> core::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// Returns the errors by value, so that you can add others.
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
