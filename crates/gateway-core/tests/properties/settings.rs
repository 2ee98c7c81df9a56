//! `Config::SETTINGS` is the one table of settings. Each other place that lists settings is compared with it here, and the
//! failure says what to add where. `gateway-cli` and the fuzz targets compare theirs in the same way.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::{Config, ConfigBuilder};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::strategies;

/// Defaults in words: there is nothing to parse.
const IN_WORDS: [&str; 5] =
    ["no login", "–", "[`Policy`]", "off", "ping; with a dialect that has a heartbeat: dialect"];

fn paths() -> BTreeSet<String> {
    Config::SETTINGS.iter().map(|setting| setting.path.to_owned()).collect()
}

fn compared(place: &str, found: &BTreeSet<String>) {
    let paths = paths();
    if let Some(path) = paths.difference(found).next() {
        panic!("add `{path}` to {place}");
    }
    if let Some(path) = found.difference(&paths).next() {
        panic!("add `{path}`, which {place} has, to crates/gateway-core/src/config/settings.rs");
    }
}

/// The leaves of a tree, with their dotted paths. The policy is one setting.
fn leaves(tree: &Value) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    for (name, value) in tree.as_object().into_iter().flatten() {
        match value {
            Value::Object(section) if name != "policy" => {
                let fields = section.iter();
                leaves.extend(
                    fields.map(|(field, value)| (format!("{name}.{field}"), value.to_string())),
                );
            }
            value => {
                leaves.insert(name.clone(), value.to_string());
            }
        }
    }
    leaves
}

#[test]
fn no_setting_is_listed_twice() {
    assert_eq!(paths().len(), Config::SETTINGS.len());
}

#[test]
fn the_parser_reads_every_setting_and_no_other() {
    let mut known = BTreeSet::new();
    for section in ["", "reconnect", "heartbeat", "login"] {
        let unknown = json!({ "colour": 1 });
        let tree = if section.is_empty() { unknown } else { json!({ section: unknown }) };
        let builder = ConfigBuilder::deserialize(tree).expect("any tree is read");
        let error = builder.build().expect_err("an unknown field").to_string();
        let (_, names) =
            error.rsplit_once("the known fields are ").unwrap_or_else(|| panic!("{error}"));
        let dot = if section.is_empty() { "" } else { "." };
        known.extend(names.trim().split(", ").map(|name| format!("{section}{dot}{name}")));
    }
    for section in ["reconnect", "heartbeat", "login"] {
        assert!(known.remove(section), "{section}");
    }

    compared("crates/gateway-core/src/config/parse.rs", &known);
}

#[test]
fn the_writer_writes_every_setting_but_the_rules_that_refuse_a_login() {
    let mut written = BTreeSet::from(["login.refused".to_owned()]); // never written: see Config
    let logins = [
        json!({ "send": "x", "accepted": "any" }),
        json!({ "external": true }),
        json!({ "dialect": true }),
    ];
    for login in logins {
        let tree = json!({
            "login": login, "policy": { "4000": "fatal" }, "data_timeout": "1m",
            "reconnect": { "max_attempts": 3, "renew_after": "8h" },
            "heartbeat": { "kind": "json" },
        });
        let config = Config::deserialize(tree).expect("valid settings");
        let tree = serde_json::to_value(&config).expect("it is written");
        written.extend(leaves(&tree).into_keys());
    }

    compared("crates/gateway-core/src/config/write.rs", &written);
}

#[test]
fn a_span_outside_its_limits_is_refused_by_its_name() {
    for setting in Config::SETTINGS.iter().filter(|setting| is_span(setting.path)) {
        let may_be_zero = setting.path == "reconnect.spread";
        for span in ["0ms", "366d"].into_iter().skip(may_be_zero.into()) {
            let tree = tree_of(&[(setting.path, span.into()), ("login.external", true.into())]);
            let told = Config::deserialize(tree).err().map(|error| error.to_string());
            let is_named = told.is_some_and(|told| told.contains(setting.path));
            assert!(
                is_named,
                "check `{}` in crates/gateway-core/src/config/build.rs",
                setting.path
            );
        }
    }
}

/// Whether the parser reads a span there.
fn is_span(path: &str) -> bool {
    let wrong = tree_of(&[(path, "no span".into()), ("login.external", true.into())]);
    let told = Config::deserialize(wrong).err().map(|error| error.to_string());
    told.is_some_and(|told| told.contains("must be a span such as"))
}

/// A tree of these settings.
fn tree_of(settings: &[(&str, Value)]) -> Value {
    let mut tree = json!({});
    for (path, value) in settings {
        match path.split_once('.') {
            Some((section, name)) => tree[section][name] = value.clone(),
            None => tree[path] = value.clone(),
        }
    }
    tree
}

#[test]
fn the_defaults_of_the_table_are_the_defaults() {
    let settings = Config::SETTINGS.iter().filter(|setting| {
        !IN_WORDS.contains(&setting.default) && !setting.path.starts_with("login.")
    });
    let settings: Vec<_> = settings.map(|setting| (setting.path, setting.default.into())).collect();

    let config = Config::deserialize(tree_of(&settings)).expect("every default is valid");

    assert_eq!(config, Config::default());
}

/// Settings whose value a random history cannot notice.
const NOT_DRAWN: [(&str, &str); 4] = [
    ("max_message_size", "the core does not read it: the codec does"),
    ("login.send", "a login's text is never written"),
    ("login.accepted", "a login's rules are never written"),
    ("login.refused", "a login's rules are never written"),
];

#[test]
fn random_histories_draw_every_setting() {
    let mut runner = TestRunner::deterministic();
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for _ in 0..400 {
        let settings = strategies::settings().new_tree(&mut runner).expect("a plan").current();
        let tree = serde_json::to_value(settings.config()).expect("it is written");
        let mut leaves = leaves(&tree);
        for path in paths() {
            let value = leaves.remove(&path).unwrap_or_default();
            drawn.entry(path).or_default().insert(value);
        }
    }
    for (path, values) in drawn {
        let is_left_out = NOT_DRAWN.iter().any(|(left_out, _)| *left_out == path);
        assert!(
            is_left_out || values.len() > 1,
            "draw `{path}` in the testkit's history/plan.rs (`Settings`) and in tests/properties/strategies.rs"
        );
    }
}
