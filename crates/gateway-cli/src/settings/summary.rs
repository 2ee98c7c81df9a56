//! The effective settings with their sources, for `gateway check`.

use std::fmt;

use gateway_tokio::core::{Config, format_duration};
use serde_json::Value;

use super::{
    errors::is_hidden,
    origin::Origin,
    own::redacted,
    table::{Kind, SETTINGS},
    tree::Tree,
};

/// One line per setting, without secrets.
#[derive(Clone, Debug)]
pub(crate) struct Summary(Vec<Effective>);

#[derive(Clone, Debug)]
struct Effective {
    path: String,
    value: String,
    origin: Origin,
}

impl Summary {
    /// The settings of a tree that are set or have a default.
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut lines = Vec::new();
        for setting in SETTINGS {
            let path = setting.path;
            let mut push = |path: String, value: String| {
                let origin = tree.origin(&path).or_else(|| tree.origin(setting.path));
                lines.push(Effective { path, value, origin: origin.unwrap_or(Origin::Default) });
            };
            match (tree.value(path), setting.kind) {
                (Some(Value::Object(entries)), Kind::Entry | Kind::SecretEntry | Kind::Header) => {
                    for (key, value) in entries {
                        let path = format!("{path}.{key}");
                        let value = if is_hidden(&path) { hidden() } else { shown(value) };
                        push(path, value);
                    }
                }
                (Some(Value::String(url)), Kind::Positional | Kind::Url) => {
                    push(path.to_owned(), redacted(url));
                }
                (Some(_), _) if is_hidden(path) => push(path.to_owned(), hidden()),
                (Some(value), _) => push(path.to_owned(), shown(value)),
                (None, _) => {
                    if let Some(default) = setting.default {
                        push(path.to_owned(), default.to_owned());
                    }
                }
            }
        }
        Self(lines)
    }

    /// Replaces the defaults that depend on other settings by what is in force.
    pub(crate) fn with_defaults_of(mut self, config: &Config) -> Self {
        for line in self.0.iter_mut().filter(|line| matches!(line.origin, Origin::Default)) {
            match line.path.as_str() {
                "connect_timeout_max" => line.value = format_duration(config.connect_timeout_max()),
                "heartbeat.timeout" => line.value = format_duration(config.heartbeat_timeout()),
                _ => {}
            }
        }
        self
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = |text: fn(&Effective) -> &str| {
            self.0.iter().map(|line| text(line).chars().count()).max().unwrap_or(0)
        };
        let (path_width, value_width) = (widest(|line| &line.path), widest(|line| &line.value));
        for Effective { path, value, origin } in &self.0 {
            writeln!(formatter, "  {path:path_width$}  {value:value_width$}  {origin}")?;
        }
        Ok(())
    }
}

fn hidden() -> String {
    "(hidden)".to_owned()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
