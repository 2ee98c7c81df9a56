//! The name of a client. Logs and errors show it, so that a reader can distinguish clients.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use gateway_core::ConfigError;
use serde::{Serialize, Serializer};

/// The name of a client. Clones share the text.
///
/// A name has 1 to 64 visible ASCII characters, so it cannot forge a log line.
///
/// ```
/// use gateway_wire::Name;
///
/// assert_eq!(Name::new("feed-7")?.as_str(), "feed-7");
/// assert!(Name::new("two words").is_err());
/// # Ok::<(), gateway_wire::core::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The most characters of a name.
    pub const LONGEST: usize = 64;

    /// Validates a name.
    ///
    /// # Errors
    /// The name is empty, is longer than [`LONGEST`](Self::LONGEST), or contains a space, a control
    /// character or a character outside of ASCII.
    pub fn new(name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        let is_visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=Self::LONGEST).contains(&name.len()) {
            let limit =
                format!("must be 1 to {} visible ASCII characters without a space", Self::LONGEST);
            return Err(ConfigError::new("name", name.escape_debug().to_string(), limit));
        }
        Ok(Self(name.into()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// As a string.
impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// For lookups in a map of clients.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The beginning of an error's text: `feed: ` for a client with this name, otherwise nothing.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs)] // there is nothing to add
pub struct Prefix<'a>(pub Option<&'a Name>);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "{name}: "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_visible() {
        for name in ["a", "feed-7", "btc/usd:trades", "x".repeat(64).as_str()] {
            assert_eq!(Name::new(name).unwrap().as_str(), name);
        }
        for name in ["", "two words", "line\nbreak", "\u{1b}[31m", "naïve", &"x".repeat(65)] {
            let error = Name::new(name).unwrap_err().to_string();
            assert!(error.contains("1 to 64 visible ASCII characters"), "{error}");
        }
    }
}
