//! The program's parsers: sizes, spans, names, and the settings from a file, the environment and
//! flags.
//!
//! Catches: a panic on any text; a size that is shown as another, or that the core reads
//! differently; a span that does not read back; a source that overrides a stronger one; an error
//! that depends on the source of a value; a secret in an error or in the summary of `gateway
//! check`; valid settings that break the promises of `config`.

use std::collections::BTreeMap;

use gateway_cli::parsers::{self, Loaded, Refused};
use gateway_core::{CloseCode, Config, Policy, format_duration, parse_duration};
use gateway_testkit::{history::Listed as _, listed};
use serde::{Deserialize, Serialize};

use crate::{Sights, config};

#[derive(Serialize, Deserialize)]
pub(crate) enum Input {
    Places {
        #[serde(default)]
        file: Vec<Given>,
        #[serde(default)]
        variables: Vec<Given>,
        #[serde(default)]
        flags: Vec<Given>,
    },
    File(String),
    Arguments(Vec<String>),
    Word(String),
}

/// A setting of the table below, and what it is set to.
#[derive(Serialize, Deserialize)]
pub(crate) struct Given {
    #[serde(with = "Setting")]
    setting: u8,
    value: Value,
}

#[derive(Serialize, Deserialize)]
enum Value {
    Span(u16, #[serde(with = "Unit")] u8),
    Number(i32),
    Word(#[serde(with = "Word")] u8),
    Text(String),
}

/// What is in no error and no summary, wherever it is set.
const SECRET: &str = "hunter2";

/// How a setting is written at each place: its path, its flag, its variable.
type Row = (&'static str, &'static str, &'static str);

/// The contract of `gateway connect`, for the settings that are set in all three places.
#[rustfmt::skip]
const SETTINGS: [Row; 34] = [
    ("url", "", "GATEWAY_URL"),
    ("attempt_timeout", "attempt-timeout", "GATEWAY_ATTEMPT_TIMEOUT"),
    ("connect_timeout", "connect-timeout", "GATEWAY_CONNECT_TIMEOUT"),
    ("connect_timeout_max", "connect-timeout-max", "GATEWAY_CONNECT_TIMEOUT_MAX"),
    ("close_timeout", "close-timeout", "GATEWAY_CLOSE_TIMEOUT"),
    ("send_stall", "send-stall", "GATEWAY_SEND_STALL"),
    ("data_timeout", "data-timeout", "GATEWAY_DATA_TIMEOUT"),
    ("max_message_size", "max-message-size", "GATEWAY_MAX_MESSAGE_SIZE"),
    ("seed", "seed", "GATEWAY_SEED"),
    ("reconnect.initial_delay", "initial-delay", "GATEWAY_INITIAL_DELAY"),
    ("reconnect.max_delay", "max-delay", "GATEWAY_MAX_DELAY"),
    ("reconnect.multiplier", "multiplier", "GATEWAY_MULTIPLIER"),
    ("reconnect.max_attempts", "max-attempts", "GATEWAY_MAX_ATTEMPTS"),
    ("reconnect.jitter", "jitter", "GATEWAY_JITTER"),
    ("reconnect.stable_after", "stable-after", "GATEWAY_STABLE_AFTER"),
    ("reconnect.retry_after_max", "retry-after-max", "GATEWAY_RETRY_AFTER_MAX"),
    ("reconnect.renew_after", "renew-after", "GATEWAY_RENEW_AFTER"),
    ("reconnect.spread", "spread", "GATEWAY_SPREAD"),
    ("heartbeat.kind", "heartbeat", "GATEWAY_HEARTBEAT"),
    ("heartbeat.interval", "heartbeat-interval", "GATEWAY_HEARTBEAT_INTERVAL"),
    ("heartbeat.timeout", "heartbeat-timeout", "GATEWAY_HEARTBEAT_TIMEOUT"),
    ("heartbeat.strict", "heartbeat-strict", "GATEWAY_HEARTBEAT_STRICT"),
    ("heartbeat.phase", "heartbeat-phase", "GATEWAY_HEARTBEAT_PHASE"),
    ("heartbeat.slowest_link", "heartbeat-slowest-link", "GATEWAY_HEARTBEAT_SLOWEST_LINK"),
    ("login.send", "login", "GATEWAY_LOGIN"),
    ("login.accepted", "login-ok", "GATEWAY_LOGIN_OK"),
    ("login.refused", "login-refused", "GATEWAY_LOGIN_REFUSED"),
    ("login.timeout", "login-timeout", "GATEWAY_LOGIN_TIMEOUT"),
    ("policy.1013", "policy", ""),
    ("policy.4000-4010", "policy", ""),
    ("policy.4005-4020", "policy", ""),
    ("headers.X-Token", "header", ""),
    ("tls.insecure", "insecure", ""),
    ("name", "name", "GATEWAY_NAME"),
];

const WORDS: [&str; 17] = [
    "json",
    "ping",
    "off",
    "full",
    "aws-decorrelated",
    "uniform:0:2.5:clamped",
    "unlimited",
    "retry",
    "fatal",
    "/type=login_ok",
    "64KiB",
    "true",
    "false",
    "1",
    "0",
    "ws://localhost:9001/feed",
    "2.5",
];

const UNITS: [&str; 7] = ["ms", "s", "m", "h", "d", "", "KiB"];

listed!(Setting, SETTINGS, row => row.0.to_owned());
listed!(Word, WORDS, word => word.to_owned());
listed!(Unit, UNITS, unit => unit.to_owned());

impl crate::Input for Input {
    fn run(self) -> Sights {
        let mut sights = Sights::new();
        match self {
            Self::Places { file, variables, flags } => {
                places(&[said(&file, 0), said(&variables, 1), said(&flags, 2)], &mut sights);
            }
            Self::File(text) => drop(look(parsers::settings(&text, &[], &[]), &mut sights)),
            Self::Arguments(arguments) => {
                drop(look(parsers::settings("", &[], &arguments), &mut sights));
            }
            Self::Word(text) => word(&text, &mut sights),
        }
        sights
    }
}

/// What one place says, by the paths of the settings.
type Said = BTreeMap<Row, String>;

fn said(given: &[Given], place: usize) -> Said {
    let row = |index: u8| SETTINGS[usize::from(index)];
    let all = given.iter().map(|given| (row(given.setting), given.value.text(row(given.setting))));
    all.filter(|((path, _, variable), value)| match place {
        // One that is set to nothing counts as not set.
        1 => !variable.is_empty() && !value.is_empty(),
        // An empty flag of a switch means true; that is tested elsewhere.
        _ => !(value.is_empty() && is_switch(path)),
    })
    .collect()
}

impl Value {
    fn text(&self, (path, ..): Row) -> String {
        let text = match self {
            Self::Span(number, unit) => {
                format!("{number}{}", UNITS[usize::from(*unit)])
            }
            Self::Number(number) => number.to_string(),
            Self::Word(index) => WORDS[usize::from(*index)].to_owned(),
            Self::Text(text) => text.replace(['\0', '@'], ""),
        };
        match path {
            "login.send" => format!("{SECRET}{text}"),
            // What a header is set to is trimmed where it is a flag's.
            "headers.X-Token" => format!("{SECRET}{}", text.trim_end()),
            path if path.starts_with("policy.") => text.trim().to_owned(),
            _ => text,
        }
    }
}

fn is_switch(path: &str) -> bool {
    ["heartbeat.strict", "heartbeat.phase", "tls.insecure"].contains(&path)
}

fn places([file, variables, flags]: &[Said; 3], sights: &mut Sights) {
    // Which decides of a flag and a variable is for clap to say, and it sees variables in the environment alone: a test of the
    // program holds it to that.
    let mut bare = variables.clone();
    bare.retain(|row, _| !flags.contains_key(row));
    let given = parsers::settings(&toml_of(file), &variables_of(&bare), &arguments_of(flags));
    let Some(given) = look(given, sights) else { return };

    // Everything in the file comes to the same.
    let mut merged = file.clone();
    let mut variables = variables.clone();
    let has_login = [file, &variables, flags]
        .iter()
        .any(|place| place.keys().any(|(path, ..)| *path == "login.send"));
    // Without a login, rules for its answers that come from the environment are ignored.
    variables
        .retain(|(path, ..), _| has_login || !["login.accepted", "login.refused"].contains(path));
    for place in [&variables, flags] {
        for (row, value) in place {
            let value = match value.as_str() {
                "1" if is_switch(row.0) => "true".to_owned(),
                "0" if is_switch(row.0) => "false".to_owned(),
                value => value.to_owned(),
            };
            if merged.insert(*row, value).is_some() {
                sights.insert("laid over");
            }
        }
    }
    let Some(once) = parsers::settings(&toml_of(&merged), &[], &[]) else { return };
    match (&given, &once) {
        (Ok(one), Ok(other)) => assert_eq!(one.config, other.config),
        (Err(one), Err(other)) => {
            let sorted = |refused: &Refused| {
                let mut fields = refused.fields.clone();
                fields.sort();
                fields
            };
            assert_eq!(sorted(one), sorted(other), "{}\n{}", one.text, other.text);
        }
        (one, other) => panic!("three places come to {one:?}, one to {other:?}"),
    }
    keeps_secrets(&merged, &given, sights);
    if let Ok(loaded) = &given {
        names_places(loaded, [file, &variables, flags]);
    }
}

/// Each line of the summary ends in the strongest place that says something.
fn names_places(loaded: &Loaded, [file, variables, flags]: [&Said; 3]) {
    for row @ (path, flag, variable) in SETTINGS {
        let place = if flags.contains_key(&row) {
            if path == "url" { "<URL>".to_owned() } else { format!("--{flag}") }
        } else if variables.contains_key(&row) {
            variable.to_owned()
        } else if file.contains_key(&row) {
            "gateway.toml".to_owned()
        } else {
            continue;
        };
        let start = format!("  {path} ");
        let line = loaded.summary.lines().find(|line| line.starts_with(&start));
        // A value may have lines of its own, and then the place stands on another.
        let is_plain = !flags
            .values()
            .chain(variables.values())
            .chain(file.values())
            .any(|value| value.contains(char::is_control));
        if let Some(line) = line.filter(|_| is_plain) {
            assert!(line.ends_with(&place), "{line:?} is of {place}");
        }
    }
}

fn keeps_secrets(merged: &Said, given: &Result<Loaded, Refused>, sights: &mut Sights) {
    let is_secret = |path: &str| ["login.send", "headers.X-Token"].contains(&path);
    // It is no secret where it is set in plain sight, too.
    let is_known =
        merged.iter().any(|((path, ..), value)| !is_secret(path) && value.contains(SECRET));
    if is_known || !merged.keys().any(|(path, ..)| is_secret(path)) {
        return;
    }
    sights.insert("a secret");
    let shown = match given {
        Ok(loaded) => &loaded.summary,
        Err(refused) => &refused.text,
    };
    assert!(!shown.contains(SECRET), "{shown}");
}

fn toml_of(said: &Said) -> String {
    let mut root = toml::Table::new();
    for ((path, ..), value) in said {
        match path.split_once('.') {
            Some((section, name)) => {
                let table = root.entry(section).or_insert_with(|| toml::Table::new().into());
                if let Some(table) = table.as_table_mut() {
                    table.insert(name.to_owned(), value.clone().into());
                }
            }
            None => drop(root.insert((*path).to_owned(), value.clone().into())),
        }
    }
    toml::to_string(&root).expect("a table of texts")
}

fn variables_of(said: &Said) -> Vec<(String, String)> {
    said.iter().map(|((_, _, variable), value)| ((*variable).to_owned(), value.clone())).collect()
}

fn arguments_of(said: &Said) -> Vec<String> {
    let mut url = Vec::new();
    let mut arguments = Vec::new();
    for ((path, flag, _), value) in said {
        match path.split_once('.') {
            None if *path == "url" => url = vec!["--".to_owned(), value.clone()],
            Some(("policy", codes)) => arguments.push(format!("--{flag}={codes}={value}")),
            Some(("headers", name)) => arguments.push(format!("--{flag}={name}: {value}")),
            Some(_) | None => arguments.push(format!("--{flag}={value}")),
        }
    }
    arguments.extend(url);
    arguments
}

/// What settings come to; what is refused names its fields.
fn look(
    given: Option<Result<Loaded, Refused>>,
    sights: &mut Sights,
) -> Option<Result<Loaded, Refused>> {
    let given = given?;
    match &given {
        Ok(loaded) => {
            sights.insert("accepted");
            config::reads_back(&loaded.config);
            config::walk(&loaded.config, sights);
        }
        Err(refused) => {
            sights.insert("refused");
            assert!(!refused.fields.is_empty(), "refused for nothing");
            for field in &refused.fields {
                assert!(refused.text.contains(field), "{field} is not told: {}", refused.text);
            }
        }
    }
    Some(given)
}

/// One text, to everything that reads a word.
fn word(text: &str, sights: &mut Sights) {
    if let Some((bytes, shown)) = parsers::byte_size(text) {
        sights.insert("size");
        assert_eq!(parsers::byte_size(&shown).map(|size| size.0), Some(bytes), "{shown}");
        let tree = serde_json::json!({ "max_message_size": text });
        match serde_json::from_value::<Config>(tree) {
            Ok(config) => assert_eq!(config.max_message_size(), bytes),
            Err(error) => assert!(bytes > Config::MAX_MESSAGE_SIZE, "{error}"),
        }
    }
    if let Some(span) = parse_duration(text) {
        sights.insert("span");
        assert_eq!(parse_duration(&format_duration(span)), Some(span));
    }
    if let Some(code) = parsers::explained_code(text) {
        sights.insert("code");
        assert!(Policy::default().explain(code).is_some());
    }
    let digits =
        text.strip_prefix("close-").filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let code = digits.and_then(|digits| CloseCode::new(digits.parse().ok()?).ok());
    // Each of these would last as long as the program, and so as the fuzzer.
    if code.is_none() && parsers::has_script(text) {
        sights.insert("script");
    }
    if let Some(pong) = parsers::answer(text) {
        sights.insert("ping");
        assert!(pong.starts_with(r#"{"type":"pong""#) && pong.ends_with('}'), "{pong}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The program has no flag for these.
    const WITHOUT_FLAG: [&str; 6] = [
        "heartbeat.answer_pings",
        "heartbeat.deliver_pongs",
        "login.external",
        "login.dialect",
        "ask_provider",
        "shared_budget",
    ];

    #[test]
    fn the_target_sets_every_setting_of_the_core() {
        for setting in Config::SETTINGS {
            if WITHOUT_FLAG.contains(&setting.path) {
                continue;
            }
            let is_here = SETTINGS.iter().any(|(path, ..)| path.starts_with(setting.path));
            assert!(is_here, "add `{}` to SETTINGS in tests/targets/src/cli.rs", setting.path);
        }
    }
}
