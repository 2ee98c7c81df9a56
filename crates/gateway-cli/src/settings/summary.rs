//! The effective settings with their sources, for `gateway check`.

use std::fmt;

use gateway_tokio::core::Config;
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

    /// Shows the spans that are in force where nothing was set: some defaults depend on other
    /// settings.
    pub(crate) fn with_defaults_of(mut self, config: &Config) -> Self {
        let written = serde_json::to_value(config).unwrap_or_default();
        let is_span = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
        for line in self.0.iter_mut().filter(|line| matches!(line.origin, Origin::Default)) {
            let in_force = written.pointer(&format!("/{}", line.path.replace('.', "/")));
            if let Some(span) = in_force.and_then(Value::as_str).filter(|_| is_span(&line.value)) {
                span.clone_into(&mut line.value);
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
