//! A message that could not be sent.

use std::fmt;

/// A message that a dialect could not send, because a value of its template is missing. The dialect
/// has left the server with code 1011.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    place: String,
    name: String,
}

impl Fault {
    pub(crate) fn new(place: impl Into<String>, name: impl Into<String>) -> Self {
        Self { place: place.into(), name: name.into() }
    }

    /// Where the template is in the dialect, such as `heartbeat.send`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The name of the missing value, such as `session` or `secret:token`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ${{{}}} has no value", self.place, self.name)
    }
}

impl std::error::Error for Fault {}
