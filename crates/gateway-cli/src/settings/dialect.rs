//! The dialect, its secrets, and the messages on every ready.

use std::path::{Path, PathBuf};

use gateway_dialects::{Definition, Preset, Suggestions, preset, presets};
use gateway_tokio::{
    Builder,
    core::{ConfigErrors, Dialect, Duties, Rule},
};
use serde::Deserialize as _;
use serde_json::Value;

use super::tree::{Tree, read_text};

/// A dialect of the configuration.
#[derive(Clone)]
pub(crate) enum Chosen {
    Preset(Preset),
    Definition(Definition),
}

impl Chosen {
    /// Takes it out of the tree: a preset's name, the path of a TOML file, or a table with the
    /// dialect itself.
    pub(crate) fn take_from(tree: &mut Tree) -> Option<Self> {
        match tree.take("dialect")? {
            Value::String(name) => Self::named(&name, tree),
            table @ Value::Object(_) => match Definition::deserialize(table) {
                Ok(definition) => Some(Self::Definition(definition)),
                Err(errors) => {
                    tree.error("dialect", "", format!("is not valid: {errors}"));
                    None
                }
            },
            other => {
                let limit = "must be a preset's name, a TOML file, or a table";
                tree.error("dialect", other.to_string(), limit);
                None
            }
        }
    }

    /// A name with a dot or a slash that is no preset is a file.
    fn named(name: &str, tree: &mut Tree) -> Option<Self> {
        let unknown = match preset(name) {
            Ok(preset) => return Some(Self::Preset(preset)),
            Err(unknown) => unknown,
        };
        let path = Path::new(name);
        if !path.is_file() && !name.contains(['/', '\\']) && path.extension().is_none() {
            let names: Vec<_> = presets().iter().map(Preset::name).collect();
            let near = if unknown.near.is_empty() { names } else { unknown.near };
            let limit = format!("must be a TOML file or a preset, such as {}", near.join(", "));
            tree.error("dialect", name, limit);
            return None;
        }
        let text = match read_text(path, MAX_FILE) {
            Ok(text) => text,
            Err(error) => {
                tree.error("dialect", name, format!("the file cannot be read: {error}"));
                return None;
            }
        };
        match Definition::parse(&text) {
            Ok(definition) => Some(Self::Definition(definition)),
            Err(errors) => {
                report(errors, path, tree);
                None
            }
        }
    }

    pub(crate) fn suggestions(&self) -> Suggestions {
        match self {
            Self::Preset(preset) => preset.suggestions(),
            Self::Definition(definition) => definition.suggestions().clone(),
        }
    }

    pub(super) fn duties(&self) -> Duties {
        match self {
            Self::Preset(preset) => preset.dialect().duties(),
            Self::Definition(definition) => definition.dialect().duties(),
        }
    }

    /// Adds what the server means by its close codes. A rule of the user inside of such a range goes
    /// before it; any other rule of the user that has one of its codes replaces it. Returns the rules
    /// that were added.
    pub(super) fn suggest_policy(&self, tree: &mut Tree) -> Vec<Rule> {
        let mut rules = self.suggestions().policy;
        rules.retain(|rule| !tree.entries("policy").any(|codes| replaces(codes, rule)));
        for rule in &rules {
            tree.suggest("policy", &rule.codes(), rule.verdict().written());
        }
        rules
    }

    /// Reports the secrets that the dialect does not use.
    pub(super) fn check_secrets(&self, given: &[(String, Source)], tree: &mut Tree) {
        for (name, _) in given {
            let known = match self {
                Self::Preset(preset) => preset.check_secret(name),
                Self::Definition(definition) => definition.check_secret(name),
            };
            if let Err(unknown) = known {
                tree.error(format!("secrets.{name}"), "", unknown.to_string());
            }
        }
    }

    /// The secrets that the dialect cannot do without and that are not given.
    pub(super) fn missing_secrets(&self, given: &[(String, Source)]) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Preset(preset) => preset.secrets(),
            Self::Definition(definition) => definition.secrets().map(str::to_owned).collect(),
        };
        names.retain(|name| !given.iter().any(|(known, _)| known == name));
        names
    }

    /// Sets the dialect in a client's builder.
    pub(crate) fn set_in(&self, builder: Builder) -> Builder {
        let dialect = self.clone();
        builder.dialect(move || -> Box<dyn Dialect + Send + Sync> {
            match &dialect {
                Self::Preset(preset) => preset.dialect(),
                Self::Definition(definition) => Box::new(definition.dialect()),
            }
        })
    }
}

/// Whether a rule of the user has one of these codes and is not one inside of their range.
fn replaces(codes: &str, rule: &Rule) -> bool {
    let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
    let ends = first.trim().parse::<u16>().ok().zip(last.trim().parse::<u16>().ok());
    ends.is_some_and(|(first, last)| {
        let has_one = first <= rule.last() && rule.first() <= last;
        let is_inside = rule.first() <= first && last <= rule.last();
        let is_all = first <= rule.first() && rule.last() <= last;
        has_one && (is_all || !is_inside)
    })
}

/// Each error of a dialect's file, at its place in it.
fn report(errors: ConfigErrors, file: &Path, tree: &mut Tree) {
    for error in errors.into_vec() {
        let field = match error.field() {
            field if field.starts_with("dialect") => field.to_owned(),
            field => format!("dialect.{field}"),
        };
        tree.error_of_dialect(file, field, &error);
    }
}

/// The most bytes of a dialect's file.
const MAX_FILE: u64 = 256 << 10;

/// A text, or the file with it.
#[derive(Clone)]
pub(crate) enum Source {
    Text(String),
    File(PathBuf),
}

impl Source {
    /// `@FILE` is a file.
    fn of(text: String) -> Self {
        match text.strip_prefix('@') {
            Some(path) => Self::File(path.into()),
            None => Self::Text(text),
        }
    }

    /// The text, without a line end behind it.
    pub(crate) fn read(&self) -> std::io::Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => super::own::read_login(path),
        }
    }
}

/// The named secrets of the dialect. A file is read again for each attempt.
pub(crate) fn secrets(tree: &mut Tree) -> Vec<(String, Source)> {
    let mut secrets = Vec::new();
    match tree.take("secrets") {
        None => {}
        Some(Value::Object(table)) => {
            for (name, value) in table {
                match value {
                    Value::String(text) => {
                        let source = Source::of(text);
                        if let Err(error) = source.read() {
                            let limit = format!("the file after @ cannot be read: {error}");
                            tree.error(format!("secrets.{name}"), "(hidden)", limit);
                        }
                        secrets.push((name, source));
                    }
                    _ => tree.error(format!("secrets.{name}"), "", "must be a string"),
                }
            }
        }
        Some(_) => tree.error("secrets", "", "must be a table of names and values"),
    }
    secrets
}

/// The messages on every ready, in their order.
pub(crate) fn on_ready(tree: &mut Tree) -> Vec<String> {
    let list = match tree.take("on_ready") {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(other) => vec![other],
    };
    let mut texts = Vec::new();
    for entry in list {
        match entry {
            Value::String(text) => match Source::of(text.clone()).read() {
                Ok(read) => texts.push(read),
                Err(error) => {
                    tree.error(
                        "on_ready",
                        text,
                        format!("the file after @ cannot be read: {error}"),
                    );
                }
            },
            // A text within may be a message with a token.
            Value::Array(_) | Value::Object(_) => {
                tree.error("on_ready", "", "must be a list of texts");
            }
            other => tree.error("on_ready", other.to_string(), "must be a list of texts"),
        }
    }
    texts
}

/// A URL of a bare host gets the dialect's path and query.
pub(crate) fn with_path(url: &str, path: &str) -> String {
    let authority_end = url.find("://").map(|at| {
        let (start, rest) = (at + 3, &url[at + 3..]);
        start + rest.find(['/', '?', '#']).unwrap_or(rest.len())
    });
    match authority_end {
        Some(end) if matches!(&url[end..], "" | "/") => format!("{}{path}", &url[..end]),
        Some(_) | None => url.to_owned(),
    }
}

/// Reconciles the dialect's login with the settings: they must not have a login of their own, and their
/// `login.timeout` goes before the dialect's.
pub(crate) fn check_login(chosen: &Chosen, tree: &mut Tree) {
    if chosen.duties().login.is_none() {
        return;
    }
    if tree.value("login.send").is_some() {
        let limit = "must not be set: the dialect logs in; give it what it needs as --secret NAME=TEXT \
                     or NAME=@FILE";
        tree.error("login.send", "", limit);
        // Nothing else is wrong with the login.
        let _ = tree.take("login");
    } else if tree.value("login.timeout").is_some() {
        tree.suggest("login", "dialect", "true".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_gets_the_path() {
        for (url, with) in [
            ("ws://host", "ws://host/p?q"),
            ("wss://u:p@host:1/", "wss://u:p@host:1/p?q"),
            ("ws://host/own", "ws://host/own"),
            ("ws://host?own", "ws://host?own"),
            ("host", "host"),
        ] {
            assert_eq!(with_path(url, "/p?q"), with);
        }
    }
}
