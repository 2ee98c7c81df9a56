//! Reads one table of a scenario, and collects all its errors.

use gateway_core::{ConfigError, parse_duration};
use toml::{Table, Value};

/// One part of a million.
pub(crate) const PPM: u64 = 1_000_000;

pub(super) type Read<T> = Result<T, String>;

/// One table of the tree. Reading a field removes it, so what remains is unknown.
pub(super) struct Reader<'e> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    errors: &'e mut Vec<ConfigError>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(
        path: impl Into<String>,
        value: Option<Value>,
        errors: &'e mut Vec<ConfigError>,
    ) -> Self {
        let path = path.into();
        let table = match value {
            Some(Value::Table(table)) => table,
            None => Table::new(),
            Some(other) => {
                errors.push(ConfigError::new(&path, show(&other), "must be a table"));
                Table::new()
            }
        };
        Self { path, table, known: Vec::new(), errors }
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.table.remove(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// The field's value, or `None` if it is absent or wrong.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&Value) -> Read<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(limit) => {
                self.error(name, &show(&value), &limit);
                None
            }
        }
    }

    /// The field's value, or `default` if it is absent or wrong.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&Value) -> Read<T>,
        default: T,
    ) -> T {
        self.optional(name, parse).unwrap_or(default)
    }

    /// The field's value. If it is absent, this is an error.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&Value) -> Read<T>,
        default: T,
    ) -> T {
        if !self.has(name) {
            self.error(name, "", "must be set");
        }
        self.read(name, parse, default)
    }

    pub(super) fn error(&mut self, name: &str, value: &str, limit: &str) {
        let field = self.field(name);
        self.errors.push(ConfigError::new(field, value, limit));
    }

    pub(super) fn errors(&mut self) -> &mut Vec<ConfigError> {
        self.errors
    }

    pub(super) fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn finish(mut self) {
        let limit = format!("unknown field; the known fields are {}", self.known.join(", "));
        for name in std::mem::take(&mut self.table).keys() {
            self.error(name, "", &limit);
        }
    }
}

/// A refused value as an error shows it: at most 64 characters.
pub(super) fn show(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A whole number between two bounds.
pub(super) fn number(least: u64, most: u64) -> impl Fn(&Value) -> Read<u64> {
    move |value| {
        let number = match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
    }
}

/// A span in milliseconds between two bounds.
pub(super) fn span(least: u64, most: u64) -> impl Fn(&Value) -> Read<u64> {
    move |value| {
        let millis = match value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::String(text) => {
                parse_duration(text).and_then(|span| u64::try_from(span.as_millis()).ok())
            }
            _ => None,
        };
        millis.filter(|millis| (least..=most).contains(millis)).ok_or_else(|| {
            let bound =
                |millis| gateway_core::format_duration(std::time::Duration::from_millis(millis));
            format!("must be a span such as 500ms or 30s, from {} to {}", bound(least), bound(most))
        })
    }
}

/// A share from 0 to 1, in millionths.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn share(value: &Value) -> Read<u64> {
    multiple(1)(value)
}

/// A decimal from 0 to `most`, in millionths.
pub(super) fn multiple(most: u32) -> impl Fn(&Value) -> Read<u64> {
    move |value| {
        let number = match value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => u32::try_from(*number).ok().map(f64::from),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .filter(|number| (0.0..=f64::from(most)).contains(number))
            // One product and one rounding: exact on every platform.
            .map(|number| (number * PPM as f64).round() as u64)
            .ok_or_else(|| format!("must be a decimal from 0 to {most}"))
    }
}

/// One of some words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Read<T> {
    move |value| {
        let found = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

pub(super) fn text(value: &Value) -> Read<String> {
    let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= 200);
    text.map(str::to_owned).ok_or_else(|| "must be a text of 1 to 200 characters".to_owned())
}
