//! Configurations: text or a tree of settings becomes a valid configuration that keeps its
//! promises, or every error.
//!
//! Catches: a panic on any text; an error without a field, value or limit; an error that is
//! reported only after another is fixed, or only together with another; an overlap of rules that is
//! not reported; a configuration that does not read back as written; a heartbeat that notices a
//! dead peer later than interval + timeout; a state that a connection with these settings does not
//! leave (I3, I6, I7).

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Config, ConfigBuilder, ConfigError, ConfigErrors, ConnectionState, Dialect, Event, Exchange,
    Frame, HeartbeatKind, Instant, Interest, Login, LoginAnswer, Message, Received, Rule, Verdict,
    format_duration,
};
use gateway_testkit::{Fixed, Rig, history::Listed as _, listed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Sights;

#[derive(Serialize, Deserialize)]
pub(crate) enum Input {
    Tree(Vec<Setting>),
    Toml(String),
    Json(String),
}

/// A place in the tree, and what stands there.
#[derive(Serialize, Deserialize)]
pub(crate) enum Setting {
    Field(#[serde(with = "Field")] u8, Given),
    Rule(u16, Option<u8>, Given),
    Unknown(String, Given),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Given {
    Span(u16, #[serde(with = "Unit")] u8),
    Word(#[serde(with = "Word")] u8),
    Thousandths(u32),
    Number(i64),
    Float(f64),
    Text(String),
    Switch(bool),
    Null,
    List,
    Table,
}

/// Every setting of the core, and the sections themselves.
const FIELDS: [&str; Config::SETTINGS.len() + 3] = {
    let mut fields = ["reconnect"; Config::SETTINGS.len() + 3];
    fields[1] = "heartbeat";
    fields[2] = "login";
    let mut index = 0;
    while index < Config::SETTINGS.len() {
        fields[index + 3] = Config::SETTINGS[index].path;
        index += 1;
    }
    fields
};

const WORDS: [&str; 25] = [
    "json",
    "ping",
    "off",
    "decorrelated",
    "decorrelated-smooth",
    "decorrelated-floored",
    "decorrelated-unclamped",
    "uniform:0.5:1",
    "uniform:0.125:3:clamped",
    "uniform:2:1",
    "aws-decorrelated",
    "full",
    "equal",
    "none",
    "unlimited",
    "retry",
    "refresh",
    "fatal",
    "/type=login_ok",
    "/type=refused",
    "64KiB",
    "1GiB",
    "true",
    "365d",
    "dialect",
];

const SECTIONS: [&str; 4] = ["reconnect", "heartbeat", "login", "policy"];

const UNITS: [&str; 6] = ["ms", "s", "m", "h", "d", ""];

listed!(Field, FIELDS, path => path.to_owned());
listed!(Word, WORDS, word => word.to_owned());
listed!(Unit, UNITS, unit => unit.to_owned());

impl crate::Input for Input {
    fn run(self) -> Sights {
        let mut sights = Sights::new();
        match self {
            Self::Tree(settings) => judge(&Value::Object(tree(settings)), &mut sights),
            Self::Toml(text) => {
                let read = toml::from_str::<Config>(&text).map_err(|error| error.to_string());
                if let Ok(tree) = toml::from_str::<Value>(&text) {
                    sights.insert("toml");
                    agree(&read, &judged(&tree));
                    judge(&tree, &mut sights);
                }
            }
            Self::Json(text) => {
                let read = serde_json::from_str::<Config>(&text).map_err(|error| error.to_string());
                if let Ok(tree) = serde_json::from_str::<Value>(&text) {
                    sights.insert("json");
                    agree(&read, &judged(&tree));
                    judge(&tree, &mut sights);
                }
            }
        }
        sights
    }
}

fn tree(settings: Vec<Setting>) -> Map<String, Value> {
    let mut root = Map::new();
    for setting in settings {
        let (path, given) = match setting {
            Setting::Field(index, given) => (FIELDS[usize::from(index)].to_owned(), given),
            Setting::Rule(code, None, given) => (format!("policy.{}", code % 5_100), given),
            Setting::Rule(code, Some(more), given) => {
                let first = code % 5_100;
                (format!("policy.{first}-{}", first + u16::from(more)), given)
            }
            Setting::Unknown(name, given) => (name, given),
        };
        let value = given.value();
        match path.split_once('.').filter(|(section, _)| SECTIONS.contains(section)) {
            Some((section, name)) => {
                let table = root.entry(section).or_insert_with(|| Map::new().into());
                if let Some(table) = table.as_object_mut() {
                    table.insert(name.to_owned(), value);
                }
            }
            None => {
                root.insert(path, value);
            }
        }
    }
    root
}

impl Given {
    fn value(self) -> Value {
        match self {
            Self::Span(number, unit) => format!("{number}{}", UNITS[usize::from(unit)]).into(),
            Self::Word(index) => WORDS[usize::from(index)].into(),
            Self::Thousandths(number) => format!("{}.{:03}", number / 1000, number % 1000).into(),
            Self::Number(number) => number.into(),
            Self::Float(number) => number.into(),
            Self::Text(text) => text.into(),
            Self::Switch(switch) => switch.into(),
            Self::Null => Value::Null,
            Self::List => Value::Array(Vec::new()),
            Self::Table => Map::new().into(),
        }
    }
}

fn judged(tree: &Value) -> Result<Config, ConfigErrors> {
    ConfigBuilder::deserialize(tree.clone()).expect("any tree is read").build()
}

/// What serde says of a text is what the builder says of its tree, all of it.
fn agree(read: &Result<Config, String>, judged: &Result<Config, ConfigErrors>) {
    match (read, judged) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(text), Err(errors)) => {
            for error in errors {
                assert!(text.contains(&error.to_string()), "{error} is not told in {text}");
            }
        }
        (one, other) => panic!("serde has {one:?}, the builder {other:?}"),
    }
}

fn judge(tree: &Value, sights: &mut Sights) {
    let judged = judged(tree);
    each_crossing(tree, judged.as_ref().err(), sights);
    match judged {
        Ok(config) => {
            sights.insert("accepted");
            reads_back(&config);
            walk(&config, sights);
        }
        Err(errors) => {
            sights.insert("refused");
            if errors.iter().count() > 1 {
                sights.insert("several errors");
            }
            for error in &errors {
                complete(error, tree);
            }
            if let Value::Object(root) = tree {
                told_at_once(root, &errors, sights);
            }
        }
    }
}

/// An error names the field, the value and the limit.
fn complete(error: &ConfigError, tree: &Value) {
    assert!(!error.limit().is_empty(), "no limit: {error:?}");
    let text = error.to_string();
    assert!(text.contains(error.field()) && text.contains(error.limit()), "{text}");
    let is_unknown = error.limit().starts_with("unknown field; the known fields are ");
    // A field that is named by no letter at all is shown as its user has named it.
    let is_nameless = is_unknown && tree.get("").is_some();
    assert!(!error.field().is_empty() || is_nameless, "no field: {error:?}");
    // Of an unknown field there is no value that would matter, and of a missing one none.
    let is_missing = error.limit() == "must be set if login.accepted or login.refused is set"
        || error.limit().starts_with("must be set together with login.send");
    let is_bare = is_unknown || is_missing;
    let is_given_empty = || given(tree, error.field()) == Some(&Value::String(String::new()));
    assert!(!error.value().is_empty() || is_bare || is_given_empty(), "no value: {error:?}");
}

/// What a tree has at the field that an error names.
fn given<'a>(tree: &'a Value, field: &str) -> Option<&'a Value> {
    match field.split_once('.').filter(|(section, _)| SECTIONS.contains(section)) {
        Some((section, name)) => tree.get(section)?.get(name),
        None if field == "configuration" && !tree.is_object() => Some(tree),
        None => tree.get(field),
    }
}

/// Each rule that overlaps an earlier one is reported, with the first such rule.
fn each_crossing(tree: &Value, errors: Option<&ConfigErrors>, sights: &mut Sights) {
    let mut before: Vec<Rule> = Vec::new();
    let mut expected = Vec::new();
    for (codes, value) in tree.get("policy").and_then(Value::as_object).into_iter().flatten() {
        let Some(rule) = readable(codes, value) else { continue };
        if let Some(one) = before.iter().find(|one| cross(one, &rule)) {
            let limit = format!("must not cross the rule {}", codes_of(one));
            expected.push((format!("policy.{}", codes_of(&rule)), limit));
        }
        before.push(rule);
    }
    if expected.len() > 1 {
        sights.insert("crossings");
    }
    let errors = errors.into_iter().flatten();
    let told: Vec<_> = errors
        .filter(|error| error.limit().starts_with("must not cross"))
        .map(|error| (error.field().to_owned(), error.limit().to_owned()))
        .collect();
    assert_eq!(told, expected, "of {before:?}");
}

/// The codes of a rule that can be read, whatever its verdict is.
fn readable(codes: &str, value: &Value) -> Option<Rule> {
    let policy = Map::from_iter([(codes.to_owned(), value.clone())]);
    let errors = errors_of(Map::from_iter([("policy".to_owned(), policy.into())]));
    // A least delay of no length is read, and then found too short.
    let is_read = |error: &ConfigError| error.limit().starts_with("must be a whole number of");
    if !errors.iter().all(is_read) {
        return None;
    }
    let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
    let number = |text: &str| text.trim().parse().expect("it is read");
    Some(Rule::new(number(first), number(last), Verdict::Retry).expect("it is read"))
}

/// Whether both decide on some code, and neither is the narrower.
fn cross(one: &Rule, other: &Rule) -> bool {
    let ends = |rule: &Rule| (rule.first(), rule.last());
    let (lower, upper) = if ends(one) <= ends(other) { (one, other) } else { (other, one) };
    let is_staggered = lower.first() < upper.first()
        && upper.first() <= lower.last()
        && lower.last() < upper.last();
    is_staggered || ends(one) == ends(other)
}

/// A rule's codes, as an error shows them.
fn codes_of(rule: &Rule) -> String {
    match (rule.first(), rule.last()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

/// Whether an error is about two settings together: such a one comes and goes with the other.
fn is_relation(error: &ConfigError) -> bool {
    let limit = error.limit();
    if let Some(greater) = limit.strip_prefix("must be at most ") {
        return Config::SETTINGS.iter().any(|setting| greater.starts_with(setting.path));
    }
    let about = [
        "must not be set together with",
        "must be set together with",
        "must be set if",
        "must not be listed twice",
        "must differ from",
        "must not cross",
    ];
    about.iter().any(|words| limit.starts_with(words))
}

/// Each error of a single setting is reported together with the others, and no other error is.
fn told_at_once(root: &Map<String, Value>, errors: &ConfigErrors, sights: &mut Sights) {
    let mut alone = Vec::new();
    for (name, value) in root {
        match value {
            Value::Object(section) if SECTIONS.contains(&name.as_str()) => {
                for (field, value) in section {
                    let section = Map::from_iter([(field.clone(), value.clone())]);
                    alone.extend(errors_of(Map::from_iter([(name.clone(), section.into())])));
                }
            }
            value => alone.extend(errors_of(Map::from_iter([(name.clone(), value.clone())]))),
        }
    }
    let told: Vec<_> = errors.iter().filter(|error| !is_relation(error)).collect();
    if told.len() < errors.iter().count() {
        sights.insert("a relation");
    }
    for error in &alone {
        assert!(told.contains(&error), "{error} is held back: {errors}");
    }
    for error in told {
        // A login's timeout and the least delays of its refusals are looked at only where there is a login.
        let is_of_login = ["login.timeout", "login.refused"].contains(&error.field());
        let is_alone = alone.contains(error) || is_of_login;
        assert!(is_alone || error.field() == "login.send", "{error} is of no setting: {errors}");
    }
}

fn errors_of(tree: Map<String, Value>) -> Vec<ConfigError> {
    let errors = judged(&tree.into()).map_or_else(ConfigErrors::into_vec, |_| Vec::new());
    errors.into_iter().filter(|error| !is_relation(error)).collect()
}

/// Written as JSON or TOML it reads back equal, but for a login's secrets.
pub(crate) fn reads_back(config: &Config) {
    let json = serde_json::to_string(config).expect("it is written");
    let back: Config = serde_json::from_str(&json).expect("it is read back");
    if !matches!(config.login(), Login::Message { .. }) {
        assert_eq!(&back, config, "{json}");
    }
    let toml = toml::to_string(config).expect("it is written");
    assert_eq!(toml::from_str::<Config>(&toml).expect("it is read back"), back, "{toml}");
    for span in [config.connect_timeout(), config.heartbeat_interval(), config.stable_after()] {
        let text = format_duration(span);
        assert_eq!(gateway_core::parse_duration(&text), Some(span), "{text}");
    }
}

type Beating = Rig<Fixed, Beats>;

/// A dialect that sends a ping when it is asked for one, and nothing else.
#[derive(Clone)]
struct Beats;

impl Dialect for Beats {
    fn interest(&self) -> Interest {
        Interest::NONE
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        Received::Deliver
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_text("ping");
    }
}

/// Walks a connection through every state, and lets nothing happen in each: it leaves all that must be left, in time.
/// The rig holds every event against the invariants.
pub(crate) fn walk(config: &Config, sights: &mut Sights) {
    assert!(config.heartbeat_timeout() <= config.heartbeat_interval(), "I6: {config:?}");
    let mut rig = Rig::speaking(Arc::new(config.clone()), Fixed::HALF, Beats);

    rig.on(Event::ConnectRequested);
    if config.asks_provider() {
        sights.insert("a provider that hangs");
        leaves(&mut rig, config.attempt_timeout(), "a question");
        begin(&mut rig);
        rig.answer_if_asked();
    }
    leaves(&mut rig, config.connect_timeout(), "an attempt");
    connect(&mut rig);
    let opened_at = rig.now;
    log_in(&mut rig, config);
    if rig.connection.is_ready() {
        silence(&mut rig, config, sights);
    } else {
        let (Login::Message { timeout, .. } | Login::Dialect { timeout }) = config.login() else {
            panic!("no login is left")
        };
        sights.insert("login timeout");
        leaves(&mut rig, *timeout, "a login");
        assert!(rig.now <= opened_at.saturating_add(*timeout));
    }
    connect(&mut rig);
    rig.on(Event::CloseRequested(gateway_core::CloseFrame::NORMAL));
    if rig.connection.state() == ConnectionState::Closing {
        leaves(&mut rig, config.close_timeout(), "a close");
    }
    assert_eq!(rig.connection.state(), ConnectionState::Closed, "I7");
}

/// Ticks at the next deadline, which is within `most` and ends the state.
fn leaves(rig: &mut Beating, most: Duration, what: &str) {
    let (before, since) = (rig.connection.state(), rig.now);
    let due = rig.connection.next_deadline();
    assert!(due.is_some_and(|due| due <= since.saturating_add(most)), "I3: {what} until {due:?}");
    rig.tick();
    assert_ne!(rig.connection.state(), before, "I3: {what} does not end");
}

/// Goes on to an attempt, if none is under way.
fn begin(rig: &mut Beating) {
    if rig.connection.state() == ConnectionState::Disconnected {
        assert!(rig.connection.next_deadline().is_some(), "I3: a retry that is never due");
        rig.tick();
    } else if rig.connection.state() == ConnectionState::Closed {
        rig.on(Event::ConnectRequested);
    }
}

/// Goes on to an open socket, whatever it is that the connection waits for.
fn connect(rig: &mut Beating) {
    begin(rig);
    if rig.connection.state() == ConnectionState::Connecting {
        rig.open();
    }
}

/// Answers the login, where that can be done without knowing its rules.
fn log_in(rig: &mut Beating, config: &Config) {
    match config.login() {
        Login::External { .. } => drop(rig.on(Event::LoginAccepted)),
        login @ Login::Message { .. } => {
            let text = "welcome";
            if login.judge(text) == LoginAnswer::AcceptedAndDelivered {
                let id = rig.socket();
                rig.on(Event::FrameReceived(id, Frame::Text(text)));
            }
        }
        _ => {}
    }
}

/// From here on nothing comes. A heartbeat notices that within its bound.
fn silence(rig: &mut Beating, config: &Config, sights: &mut Sights) {
    /// A ping at once or after the phase, the judgement, and a data timeout before either.
    const MOST_TICKS: usize = 4;

    let since = rig.now;
    if config.heartbeat_kind() == HeartbeatKind::Off && config.data_timeout().is_none() {
        sights.insert("nothing to watch for");
        let is_due = rig.connection.next_deadline().is_some();
        assert_eq!(is_due, config.renew_after().is_some(), "only a renewal is due");
        return;
    }
    let heartbeat = (config.heartbeat_kind() != HeartbeatKind::Off)
        .then(|| config.heartbeat_interval().saturating_add(config.heartbeat_timeout()));
    let bound = heartbeat.into_iter().chain(config.data_timeout()).min().expect("one of the two");
    let dead_at: Instant = since.saturating_add(bound);
    for _ in 0..MOST_TICKS {
        rig.tick();
        assert!(
            rig.now <= dead_at,
            "I6: alive at {:?}, dead at {dead_at:?} at the latest",
            rig.now
        );
        if !rig.connection.is_ready() {
            sights.insert("dead in time");
            return;
        }
    }
    panic!("I6: still alive after {MOST_TICKS} ticks");
}
