//! One table of a definition: its entries are taken one by one, and each error is kept with its
//! place.

use std::ops::RangeInclusive;
use std::time::Duration;

use gateway_core::{Config, ConfigError, format_duration, parse_duration};
use serde_json::{Map, Value};

use crate::near::{hint, shown};
use crate::pattern::{FORMS, Frames, Pattern, Test};
use crate::template::{Names, Template};

pub(crate) struct Table<'a> {
    path: String,
    entries: Map<String, Value>,
    known: Vec<&'static str>,
    pub(crate) errors: &'a mut Vec<ConfigError>,
}

impl<'a> Table<'a> {
    /// `path` is empty for the root.
    pub(crate) fn new(path: String, value: Value, errors: &'a mut Vec<ConfigError>) -> Self {
        let entries = match value {
            Value::Object(entries) => entries,
            _ => {
                let field = if path.is_empty() { "dialect" } else { path.as_str() };
                errors.push(ConfigError::new(field, "", "must be a table"));
                Map::new()
            }
        };
        Self { path, entries, known: Vec::new(), errors }
    }

    pub(crate) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.entries.remove(name)
    }

    /// The table under `name`, if there is one.
    pub(crate) fn table(&mut self, name: &'static str) -> Option<Value> {
        let value = self.take(name)?;
        if !value.is_object() {
            self.error(name, "must be a table");
            return None;
        }
        Some(value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    pub(crate) fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    pub(crate) fn error(&mut self, name: &str, limit: impl Into<String>) {
        self.errors.push(ConfigError::new(self.place(name), "", limit));
    }

    /// The list under `name`, or a single value as a list of one, each item with its place.
    pub(crate) fn items(&mut self, name: &'static str) -> Vec<(String, Value)> {
        let place = self.place(name);
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let place = |(index, item)| (format!("{place}[{index}]"), item);
                items.into_iter().enumerate().map(place).collect()
            }
            Some(item) => vec![(place, item)],
        }
    }

    pub(crate) fn string(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.error(name, "must be a string");
                None
            }
        }
    }

    pub(crate) fn switch(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(switch)) => switch,
            Some(_) => {
                self.error(name, "must be true or false");
                false
            }
        }
    }

    pub(crate) fn span(&mut self, name: &'static str, range: Range) -> Option<Duration> {
        let value = self.take(name)?;
        self.span_of(name, &value, range, "")
    }

    /// `or` is what else the value may be.
    pub(crate) fn span_of(
        &mut self,
        name: &'static str,
        value: &Value,
        range: Range,
        or: &str,
    ) -> Option<Duration> {
        let Some(span) = duration(value) else {
            self.error(name, format!("{SPAN}{or}"));
            return None;
        };
        if !range.contains(&span) {
            let written = value.as_str().map_or_else(|| value.to_string(), shown);
            let (least, most) = (format_duration(*range.start()), format_duration(*range.end()));
            let mut limit = format!("must be from {least} to {most}");
            if value.is_number() {
                limit.push_str("; a number without a unit is in milliseconds");
            }
            self.errors.push(ConfigError::new(self.place(name), written, limit));
            return None;
        }
        Some(span)
    }

    /// A pointer to a value of a message.
    pub(crate) fn pointer(&mut self, name: &'static str) -> Option<String> {
        let pointer = self.string(name)?;
        if !pointer.starts_with('/') {
            self.error(name, "must be a JSON pointer such as /data/id");
            return None;
        }
        Some(pointer)
    }

    /// A pattern; a list of patterns, all of which must match; or a list of such lists, one of
    /// which must match.
    pub(crate) fn pattern(&mut self, name: &'static str, frames: Frames) -> Option<Pattern> {
        const LISTS: &str = "must be a pattern, a list of patterns, or a list of lists of patterns";
        let place = self.place(name);
        let alternatives = match self.take(name)? {
            Value::Array(items) if items.iter().all(Value::is_array) && !items.is_empty() => items,
            one => vec![one],
        };
        let count = self.errors.len();
        let mut read = Vec::new();
        for alternative in alternatives {
            let tests = match alternative {
                Value::Array(tests) if !tests.is_empty() => tests,
                test @ Value::String(_) => vec![test],
                _ => {
                    self.errors.push(ConfigError::new(&*place, "", LISTS));
                    continue;
                }
            };
            let mut list = Vec::new();
            for test in tests {
                let Value::String(text) = test else {
                    self.errors.push(ConfigError::new(&*place, "", FORMS));
                    continue;
                };
                match Test::parse(&text) {
                    Ok(test) => list.push(test),
                    Err(limit) => self.errors.push(ConfigError::new(&*place, shown(&text), limit)),
                }
            }
            if frames == Frames::Text
                && list.iter().any(Test::is_bytes)
                && !list.iter().all(Test::is_bytes)
            {
                let limit =
                    "must not have hex: in one list with others, unless frames = \"binary\"";
                self.errors.push(ConfigError::new(&*place, "", limit));
            }
            read.push(list);
        }
        (self.errors.len() == count).then(|| Pattern::new(read))
    }

    /// One message, or a list of messages.
    pub(crate) fn messages(
        &mut self,
        name: &'static str,
        frames: Frames,
        names: &Names<'_>,
    ) -> Vec<Template> {
        let mut messages = Vec::new();
        for (place, item) in self.items(name) {
            let Value::String(text) = item else {
                self.errors.push(ConfigError::new(place, "", "must be a string: the message"));
                continue;
            };
            match Template::parse(place.clone(), &text, frames, names) {
                Ok(template) => messages.push(template),
                Err(errors) => {
                    let error = |limit| ConfigError::new(place.clone(), "", limit);
                    self.errors.extend(errors.into_iter().map(error));
                }
            }
        }
        messages
    }

    /// Reports the entries that nobody took.
    pub(crate) fn finish(mut self) {
        for name in std::mem::take(&mut self.entries).keys() {
            let hint = hint(name, self.known.iter().copied());
            let known = self.known.join(", ");
            self.error(&shown(name), format!("unknown field{hint}; the known fields are {known}"));
        }
    }
}

/// The shortest and the longest span.
pub(crate) type Range = RangeInclusive<Duration>;

/// The spans that the core accepts from a dialect: it would clamp others.
pub(crate) const OF_HEARTBEAT: Range =
    RangeInclusive::new(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));

pub(crate) const OF_LOGIN: Range = RangeInclusive::new(Duration::from_millis(1), Config::MAX_SPAN);

const SPAN: &str = "must be a span such as 30s or 5m, or a number of milliseconds, above 0";

fn duration(value: &Value) -> Option<Duration> {
    let span = match value {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => number.as_u64().map(Duration::from_millis),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    span.filter(|span| !span.is_zero())
}
