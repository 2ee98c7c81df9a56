//! Settings from arguments in place of the disk and the environment, for tests and
//! [`parsers`](crate::parsers).

use std::path::Path;

use clap::{Args as _, Command, builder::Resettable};
use serde_json::Value;

use super::{
    Flags, Purpose, Settings, SettingsErrors,
    origin::Origin,
    table::{SETTINGS, Setting},
    tree::{Layer, Tree},
};

/// The program's arguments without environment variables, which differ between machines.
pub(crate) fn command() -> Command {
    let command = Flags::augment_args(Command::new("gateway").no_binary_name(true));
    command.mut_args(|argument| argument.env(Resettable::Reset))
}

pub(crate) enum Probed {
    Loaded(Box<Settings>),
    Refused(SettingsErrors),
}

/// Reads a file's text, flags, and variables of settings that no flag has set. Returns `None` if they name
/// a file on disk.
pub(crate) fn probe(file: &str, flags: Flags, variables: &[(String, String)]) -> Option<Probed> {
    let mut layers = flags.into_layers();
    layers.extend(variables.iter().filter_map(|(name, value)| of_variable(name, value)));
    let mut tree = Tree::of_text(Path::new("gateway.toml"), file);
    for layer in layers.clone() {
        tree.lay(layer);
    }
    let login = tree.value("login.send").and_then(Value::as_str);
    if login.is_some_and(|text| text.starts_with('@')) || names_a_file(&tree) {
        return None;
    }
    let tree = Tree::of_text(Path::new("gateway.toml"), file);
    Some(match Settings::of(tree, layers, Purpose::Inspect, &|_| None) {
        Ok(settings) => Probed::Loaded(Box::new(settings)),
        Err(errors) => Probed::Refused(errors),
    })
}

fn names_a_file(tree: &Tree) -> bool {
    let files = ["tls.ca_cert", "tls.proxy_ca_cert", "tls.cert", "tls.key"];
    files.into_iter().any(|path| tree.value(path).is_some())
}

fn of_variable(name: &str, value: &str) -> Option<Layer> {
    let is_named = |row: &&Setting| row.is_argument() && row.variable == Some(name);
    let setting = SETTINGS.iter().find(is_named)?;
    let origin = Origin::Variable(setting.variable?);
    Some(Layer { setting, origin, values: vec![value.to_owned()] })
}
