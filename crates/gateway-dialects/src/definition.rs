//! A dialect that is written down: read, checked, and made into a [`DeclaredDialect`].

mod limits;
mod order;
mod parts;
mod read;
mod table;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gateway_core::{ConfigError, ConfigErrors};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::declared::DeclaredDialect;
use crate::secret::UnknownSecret;
use crate::template::{SecretName, Template};
pub use parts::Suggestions;
pub(crate) use parts::{Answer, Capture, Heartbeat, Parts, Refusal, Span};

/// A dialect as it is written in TOML, read and checked.
///
/// The [crate's documentation](crate) and the guide's page on dialects describe the format.
///
/// ```
/// use gateway_dialects::Definition;
/// let definition = Definition::parse(r#"
///     [heartbeat]
///     send = '{"op":"ping","id":${counter}}'
///     pong = "/op=pong"
/// "#)?;
/// let dialect = definition.dialect();
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
///
/// It serializes to what it was read from. `Debug` shows no messages.
#[derive(Clone)]
pub struct Definition {
    parts: Arc<Parts>,
    tree: Value,
}

impl Definition {
    /// Reads a definition from TOML, and environment variables from the process.
    ///
    /// # Errors
    /// All errors, each with its place. None contains a message to send, or the value of an
    /// environment variable.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        Self::parse_with(text, &from_process)
    }

    /// Reads a definition from TOML. `environment` returns the value of an environment variable, or
    /// `None` if it is not set.
    ///
    /// # Errors
    /// All errors, each with its place. None contains a message to send, or the value of an
    /// environment variable.
    pub fn parse_with(
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let tree = toml::from_str(text).map_err(|error| syntax_error(text, &error))?;
        Self::from_tree(tree, environment)
    }

    fn from_tree(
        tree: Value,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let parts = Arc::new(read::read(tree.clone(), environment)?);
        Ok(Self { parts, tree })
    }

    /// Creates the dialect for one connection.
    #[must_use]
    pub fn dialect(&self) -> DeclaredDialect {
        DeclaredDialect::new(Arc::clone(&self.parts))
    }

    /// What the dialect is for, if the definition says so.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.parts.summary.as_deref()
    }

    /// What else a client of this dialect needs.
    #[must_use]
    pub fn suggestions(&self) -> &Suggestions {
        &self.parts.suggestions
    }

    /// The names of the secrets that the dialect cannot do without, in alphabetical order.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets = self.parts.templates().flat_map(Template::secrets);
        sorted(secrets.filter(|secret| !secret.has_default))
    }

    /// The names of all secrets that the dialect uses, those with a default included, in
    /// alphabetical order.
    pub fn secret_names(&self) -> impl Iterator<Item = &str> {
        sorted(self.parts.templates().flat_map(Template::secrets))
    }

    /// # Errors
    /// Returns the names that are near, if the dialect uses no secret of this name.
    pub fn check_secret(&self, name: &str) -> Result<(), UnknownSecret> {
        let known: Vec<_> = self.secret_names().map(str::to_string).collect();
        UnknownSecret::check(name, &known)
    }
}

impl FromStr for Definition {
    type Err = ConfigErrors;

    fn from_str(text: &str) -> Result<Self, ConfigErrors> {
        Self::parse(text)
    }
}

/// Reads environment variables from the process.
impl<'de> Deserialize<'de> for Definition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Value::deserialize(deserializer)?;
        Self::from_tree(tree, &from_process).map_err(D::Error::custom)
    }
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tree.serialize(serializer)
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("parts", &self.parts).finish_non_exhaustive()
    }
}

fn sorted<'a>(secrets: impl Iterator<Item = SecretName<'a>>) -> impl Iterator<Item = &'a str> {
    let mut names: Vec<_> = secrets.map(|secret| secret.name).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}

fn from_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The parser's message and the line. Its `Display` would show the line's text.
fn syntax_error(text: &str, error: &toml::de::Error) -> ConfigErrors {
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or_default();
        1 + before.bytes().filter(|byte| *byte == b'\n').count()
    });
    let field =
        line.map_or_else(|| String::from("dialect"), |line| format!("dialect, line {line}"));
    ConfigErrors::from(ConfigError::new(field, "", format!("is not TOML: {}", error.message())))
}
