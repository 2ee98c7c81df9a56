//! One tree of all settings: the file's, overridden by the environment and the flags.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use gateway_tokio::core::ConfigError;
use serde_json::{Map, Value};

use super::{
    errors::is_hidden,
    origin::Origin,
    table::{Kind, SETTINGS, Setting},
};

/// The settings as text. Only their shape is checked so far.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    root: Map<String, Value>,
    /// The file with its original content.
    file: Option<(PathBuf, Map<String, Value>)>,
    /// The sources of values that override the file's, by path.
    origins: BTreeMap<String, Origin>,
    errors: Vec<ConfigError>,
}

/// The values of one setting from one source.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) setting: &'static Setting,
    pub(crate) origin: Origin,
    pub(crate) values: Vec<String>,
}

impl Layer {
    /// Whether this is a rule for a login's answers that comes from the environment.
    pub(crate) fn is_exported_login_rule(&self) -> bool {
        let is_rule = ["login.accepted", "login.refused"].contains(&self.setting.path);
        is_rule && matches!(self.origin, Origin::Variable(_))
    }
}

impl Tree {
    /// Reads a TOML file. If it cannot be read, the tree is empty and has an error.
    pub(crate) fn of_file(path: &Path) -> Self {
        match read_text(path, MAX_FILE) {
            Ok(text) => Self::of_text(path, &text),
            Err(error) => {
                let mut tree = Self::default();
                let limit = format!("cannot be read: {error}");
                tree.error("configuration file", path.display().to_string(), limit);
                tree
            }
        }
    }

    /// The tree of a file's text.
    pub(crate) fn of_text(path: &Path, text: &str) -> Self {
        let mut tree = Self::default();
        match parse_toml(text) {
            Ok(root) => tree.root = root,
            Err(limit) => tree.error("configuration file", path.display().to_string(), limit),
        }
        tree.file = Some((path.to_owned(), tree.root.clone()));
        tree
    }

    /// Adds the values of one source, which override those in the tree.
    pub(crate) fn lay(&mut self, layer: Layer) {
        let Layer { setting, origin, values } = layer;
        let (path, kind) = (setting.path, setting.kind);
        match kind {
            Kind::List => {
                let list = values.into_iter().map(Value::String).collect();
                self.set(&path.split('.').collect::<Vec<_>>(), Value::Array(list), origin);
            }
            Kind::Positional if values.len() > 1 => {
                self.error(path, "", "must be given once");
                self.set(&[path], Value::Null, origin);
            }
            Kind::Positional | Kind::Value | Kind::Url | Kind::Secret | Kind::Switch => {
                let last = values.into_iter().next_back().map(|value| match (kind, &*value) {
                    (Kind::Switch, "1") => "true".to_owned(),
                    (Kind::Switch, "0") => "false".to_owned(),
                    _ => value,
                });
                let last = last.map_or(Value::Null, Value::String);
                self.set(&path.split('.').collect::<Vec<_>>(), last, origin);
            }
            Kind::Rate => {
                let last = values.into_iter().next_back().unwrap_or_default();
                // Without a span it is `off`, or not valid. The span of another source is not for it.
                let messages = match last.split_once('/') {
                    Some((messages, span)) => {
                        self.set(&["rate", "span"], span.trim().into(), origin.clone());
                        messages.trim()
                    }
                    None => {
                        self.unset("rate", "span", origin.clone());
                        &*last
                    }
                };
                self.set(&["rate", "messages"], messages.into(), origin);
            }
            Kind::Entry | Kind::SecretEntry => self.lay_entries(setting, '=', values, &origin),
            Kind::Header => self.lay_entries(setting, ':', values, &origin),
        }
    }

    fn lay_entries(
        &mut self,
        setting: &Setting,
        separator: char,
        values: Vec<String>,
        origin: &Origin,
    ) {
        let path = setting.path;
        for text in values {
            let Some((key, value)) = text.split_once(separator) else {
                self.origins.insert(path.to_owned(), origin.clone());
                // Without a separator it may be a bare value, which may be a secret.
                let shown = if is_hidden(path) { String::new() } else { text };
                let limit = format!("must be {}", setting.value.trim_matches('\''));
                self.error(path, shown, limit);
                continue;
            };
            let key = key.trim();
            let key = self.spelling(path, key).unwrap_or_else(|| key.to_owned());
            self.set(&[path, &key], Value::String(value.trim().to_owned()), origin.clone());
        }
    }

    /// The key's spelling in the tree: header names are case-insensitive.
    fn spelling(&self, path: &str, key: &str) -> Option<String> {
        let table = self.root.get(path)?.as_object()?;
        table.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned()
    }

    fn set(&mut self, path: &[&str], value: Value, origin: Origin) {
        let (name, sections) = path.split_last().expect("a path has a name");
        let mut table = &mut self.root;
        for section in sections {
            let entry = table.entry(*section).or_insert_with(|| Map::new().into());
            match entry.as_object_mut() {
                Some(section) => table = section,
                // The file has another type there, which is reported elsewhere.
                None => return,
            }
        }
        table.insert((*name).to_owned(), value);
        self.origins.insert(path.join("."), origin);
    }

    /// Removes a field of a section. An error about it names this origin.
    fn unset(&mut self, section: &str, name: &str, origin: Origin) {
        if let Some(section) = self.root.get_mut(section).and_then(Value::as_object_mut) {
            section.remove(name);
        }
        self.origins.insert(format!("{section}.{name}"), origin);
    }

    /// The keys of a table.
    pub(crate) fn entries(&self, path: &str) -> impl Iterator<Item = &str> {
        let table = self.root.get(path).and_then(Value::as_object);
        table.into_iter().flat_map(|table| table.keys()).map(String::as_str)
    }

    /// Sets an entry of a table that the dialect suggests.
    pub(crate) fn suggest(&mut self, path: &str, key: &str, value: String) {
        self.set(&[path, key], Value::String(value), Origin::Dialect);
    }

    /// Removes a field of the root, for validation elsewhere.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.root.remove(name)
    }

    /// A field of a section.
    pub(crate) fn field_mut(&mut self, section: &str, name: &str) -> Option<&mut Value> {
        self.root.get_mut(section)?.get_mut(name)
    }

    pub(crate) fn error(
        &mut self,
        field: impl Into<String>,
        value: impl Into<String>,
        limit: impl Into<String>,
    ) {
        self.errors.push(ConfigError::new(field, value, limit));
    }

    /// Adds an error in the file of a dialect.
    pub(crate) fn error_of_dialect(&mut self, file: &Path, field: String, error: &ConfigError) {
        self.error(&field, error.value(), error.limit());
        self.origins.insert(field, Origin::File(file.to_owned()));
    }

    /// The value at a dotted path.
    pub(crate) fn value(&self, path: &str) -> Option<&Value> {
        at(&self.root, path)
    }

    /// The rest of the tree, which is for the core, and the errors so far.
    pub(crate) fn parts(&mut self) -> (Value, Vec<ConfigError>) {
        (Value::Object(self.root.clone()), std::mem::take(&mut self.errors))
    }

    /// The source of a field's value.
    pub(crate) fn origin(&self, field: &str) -> Option<Origin> {
        if let Some(origin) = self.origins.get(field) {
            return Some(origin.clone());
        }
        let (file, written) = self.file.as_ref()?;
        at(written, field).map(|_| Origin::File(file.clone()))
    }

    /// The sources of an error, each once: first of its field, then of the fields that its limit
    /// mentions.
    pub(crate) fn origins(&self, error: &ConfigError) -> Vec<Origin> {
        let field = error.field();
        let is_known = SETTINGS.iter().any(|setting| setting.path == field);
        // The core may name a rule for one code as a range.
        let single = field.split_once('-').map(|(code, _)| code);
        let own = self.origin(field).or_else(|| self.origin(single?)).or_else(|| {
            if is_known {
                // A missing setting has no source.
                return (!error.value().is_empty()).then_some(Origin::Default);
            }
            // An unknown field: only a file can have it.
            self.file.as_ref().map(|(file, _)| Origin::File(file.clone()))
        });
        let mentioned = SETTINGS
            .iter()
            // The limit of an unknown field lists the known ones, which are not at fault.
            .filter(|_| !error.limit().starts_with("unknown field"))
            // A dialect knows nothing of these settings, even if its fields have their names.
            .filter(|_| !field.starts_with("dialect"))
            .filter(|setting| setting.path != field && error.limit().contains(setting.path))
            .filter_map(|setting| self.origin(setting.path));
        let mut origins = Vec::new();
        for origin in own.into_iter().chain(mentioned) {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
    }
}

/// The value at a dotted path. A name may contain dots, a section may not.
fn at<'a>(root: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (section, name) = path.split_once('.').unwrap_or(("", path));
    if section.is_empty() { root.get(name) } else { root.get(section)?.get(name) }
}

/// The limit of a file's size: a device could be read without end.
pub(crate) const MAX_FILE: u64 = 1 << 20;

fn parse_toml(text: &str) -> Result<Map<String, Value>, String> {
    // The `Display` form of the error quotes the line, which may be a secret.
    toml::from_str(text).map_err(|error| not_toml(text, &error))
}

/// Says where a text is not TOML.
pub(crate) fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("is not valid TOML: line {line}, column {column}: {}", error.message())
}

/// Reads a small text file.
pub(crate) fn read_text(path: &Path, most: u64) -> std::io::Result<String> {
    use std::io::Read as _;

    let mut text = String::new();
    fs::File::open(path)?.take(most.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(std::io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(text)
}
