//! From serde to a [`Config`]. The whole tree is read first, so that all errors are found at once.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Map, Value};

use super::{Config, ConfigBuilder, ConfigError, HeartbeatKind, parse_duration};
use crate::backoff::{Multiplier, Strategy};
use crate::login::{AcceptanceRule, Login, RefusalRule, Secret};
use crate::policy::{Rule, Verdict};

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ConfigBuilder::deserialize(deserializer)?.build().map_err(D::Error::custom)
    }
}

/// Reads settings over the defaults, and validates nothing. It keeps the errors of fields that it
/// cannot read. [`build`](ConfigBuilder::build) reports them with all others.
impl<'de> Deserialize<'de> for ConfigBuilder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(read(Value::deserialize(deserializer)?))
    }
}

fn read(tree: Value) -> ConfigBuilder {
    let mut config = ConfigBuilder::default();
    let mut errors = Vec::new();
    let mut root = Section::new("", tree, &mut errors);
    let reconnect = root.table("reconnect");
    let heartbeat = root.table("heartbeat");
    let login = root.table("login");
    let policy = root.table("policy");
    root.read("ask_provider", switch, &mut config.ask_provider);
    root.read("shared_budget", switch, &mut config.shared_budget);
    root.read("attempt_timeout", span, &mut config.attempt_timeout);
    root.read("connect_timeout", |value| span(value).map(Some), &mut config.connect_timeout);
    let most = &mut config.connect_timeout_max;
    root.read("connect_timeout_max", |value| span(value).map(Some), most);
    root.read("close_timeout", span, &mut config.close_timeout);
    root.read("data_timeout", |value| span(value).map(Some), &mut config.data_timeout);
    root.read("max_message_size", size, &mut config.max_message_size);
    root.finish();
    read_reconnect(Section::new("reconnect", reconnect, &mut errors), &mut config);
    read_heartbeat(Section::new("heartbeat", heartbeat, &mut errors), &mut config);
    read_login(Section::new("login", login, &mut errors), &mut config);
    read_policy(policy, &mut errors, &mut config);
    config.unread = errors;
    config
}

fn read_reconnect(mut section: Section<'_>, config: &mut ConfigBuilder) {
    section.read("initial_delay", span, &mut config.initial_delay);
    section.read("max_delay", span, &mut config.max_delay);
    section.read("multiplier", multiplier, &mut config.multiplier);
    section.read("jitter", strategy, &mut config.jitter);
    section.read("max_attempts", attempts, &mut config.max_attempts);
    section.read("stable_after", span, &mut config.stable_after);
    section.read("retry_after_max", span, &mut config.retry_after_max);
    section.read("renew_after", |value| span(value).map(Some), &mut config.renew_after);
    section.read("spread", span, &mut config.spread);
    section.finish();
}

fn read_heartbeat(mut section: Section<'_>, config: &mut ConfigBuilder) {
    section.read("kind", |value| heartbeat_kind(value).map(Some), &mut config.heartbeat_kind);
    section.read("interval", span, &mut config.heartbeat_interval);
    section.read("timeout", |value| span(value).map(Some), &mut config.heartbeat_timeout);
    section.read("strict", switch, &mut config.heartbeat_strict);
    section.read("phase", switch, &mut config.heartbeat_phase);
    section.read("slowest_link", rate, &mut config.slowest_link);
    section.read("deliver_pongs", switch, &mut config.deliver_pongs);
    section.read("answer_pings", switch, &mut config.answer_pings);
    section.finish();
}

fn read_login(mut section: Section<'_>, config: &mut ConfigBuilder) {
    let (mut send, mut external, mut dialect) = (None, false, false);
    let (mut accepted, mut refused, mut timeout) = (None, Vec::new(), Login::TIMEOUT);
    let is_message = section.has("send");
    section.read_secret("send", &mut send);
    section.read("external", switch, &mut external);
    section.read("dialect", switch, &mut dialect);
    let is_acceptance_named = section.has("accepted");
    section.read("accepted", |value| acceptance(value).map(Some), &mut accepted);
    let is_ruled = is_acceptance_named || section.has("refused");
    // Each wrong rule is reported, not the list as a whole.
    for rule in section.take("refused").map(items).unwrap_or_default() {
        match refusal(&rule) {
            Ok(rule) => refused.push(rule),
            Err(limit) => section.error("refused", &show(&rule), limit),
        }
    }
    section.read("timeout", span, &mut timeout);
    config.login = match (send, external, accepted) {
        (Some(_), true, _) => {
            section.error("external", "true", "must not be set together with login.send");
            Login::None
        }
        (Some(send), false, Some(accepted)) => Login::Message { send, accepted, refused, timeout },
        (Some(_), false, None) => Login::None, // the error of `accepted` is already reported
        (None, true, _) => Login::External { timeout },
        (None, false, _) if dialect => Login::Dialect { timeout },
        (None, false, _) => Login::None,
    };
    if dialect && (external || is_message) {
        let limit = "must not be set together with login.send or login.external";
        section.error("dialect", "true", limit);
    }
    if is_message && !external && !is_acceptance_named {
        let limit = "must be set together with login.send: the answer that accepts, such as \
                     /type=login_ok, or \"any\" if every text answer accepts";
        section.error("accepted", "", limit);
    }
    if is_ruled && !is_message {
        section.error("send", "", "must be set if login.accepted or login.refused is set");
    }
    section.finish();
}

fn read_policy(table: Value, errors: &mut Vec<ConfigError>, config: &mut ConfigBuilder) {
    let section = Section::new("policy", table, errors);
    for (codes, value) in section.entries {
        match policy_rule(&codes, &value) {
            Ok(rule) => config.rules.push(rule),
            Err(limit) => {
                section.errors.push(ConfigError::new(
                    format!("policy.{codes}"),
                    show(&value),
                    limit,
                ));
            }
        }
    }
}

/// One table of the tree. Reading a field removes it, so what remains is unknown.
struct Section<'a> {
    path: &'static str,
    entries: Map<String, Value>,
    known: Vec<&'static str>,
    errors: &'a mut Vec<ConfigError>,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Section<'a> {
    fn new(path: &'static str, tree: Value, errors: &'a mut Vec<ConfigError>) -> Self {
        let entries = match tree {
            Value::Object(entries) => entries,
            Value::Null => Map::new(),
            other => {
                let field = if path.is_empty() { "configuration" } else { path };
                // A login that is a plain value is most likely the secret itself.
                let value = if path == "login" { "(hidden)".to_string() } else { show(&other) };
                errors.push(ConfigError::new(field, value, "must be a table"));
                Map::new()
            }
        };
        Self { path, entries, known: Vec::new(), errors }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.entries.remove(name)
    }

    fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    fn table(&mut self, name: &'static str) -> Value {
        self.take(name).unwrap_or(Value::Null)
    }

    fn read<T>(&mut self, name: &'static str, parse: impl Fn(&Value) -> Read<T>, into: &mut T) {
        let Some(value) = self.take(name) else { return };
        match parse(&value) {
            Ok(parsed) => *into = parsed,
            Err(limit) => self.error(name, &show(&value), limit),
        }
    }

    fn read_secret(&mut self, name: &'static str, into: &mut Option<Secret>) {
        match self.take(name) {
            Some(Value::String(text)) => *into = Some(Secret::new(text)),
            Some(_) => self.error(name, "(hidden)", "must be a string"),
            None => {}
        }
    }

    fn error(&mut self, name: &str, value: &str, limit: &str) {
        let error = ConfigError::new(self.field(name), value, limit);
        self.errors.push(error);
    }

    fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    fn finish(mut self) {
        let limit = format!("unknown field; the known fields are {}", self.known.join(", "));
        for name in core::mem::take(&mut self.entries).keys() {
            self.error(name, "", &limit);
        }
    }
}

/// A refused value as an error shows it: at most 64 characters, and nothing that a table holds.
fn show(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) => "a list".to_string(),
        Value::Object(_) => "a table".to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn span(value: &Value) -> Read<Duration> {
    let parsed = match value {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => number.as_u64().map(Duration::from_millis),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    parsed.ok_or("must be a span such as 500ms, 30s or 5m, or a number of milliseconds")
}

fn switch(value: &Value) -> Read<bool> {
    match value {
        Value::Bool(switch) => Ok(*switch),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        Value::String(_) | Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("must be true or false")
        }
    }
}

fn multiplier(value: &Value) -> Read<Multiplier> {
    let parsed = match value {
        Value::String(text) => Multiplier::parse(text),
        Value::Number(number) => Multiplier::parse(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    parsed.ok_or("must be a decimal from 1 to 1000 with at most three digits after the point")
}

fn strategy(value: &Value) -> Read<Strategy> {
    let text = value.as_str().unwrap_or_default();
    Strategy::parse(text).ok_or(if text.starts_with("uniform") {
        "must be uniform:FLOOR:CEILING or uniform:FLOOR:CEILING:clamped, with a floor from 0 to 1 and a ceiling from 1 to 3, \
         each with at most three digits after the point"
    } else {
        "must be decorrelated, decorrelated-smooth, decorrelated-floored, decorrelated-unclamped, aws-decorrelated, full, \
         equal, none or uniform:FLOOR:CEILING"
    })
}

fn attempts(value: &Value) -> Read<Option<u32>> {
    let number = match value {
        Value::String(text) if text == "unlimited" => return Ok(None),
        Value::String(text) => text.parse::<u32>().ok(),
        Value::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.map(Some).ok_or("must be a number from 0 to 4294967295, or unlimited")
}

fn heartbeat_kind(value: &Value) -> Read<HeartbeatKind> {
    match value.as_str() {
        Some("ping") => Ok(HeartbeatKind::Ping),
        Some("json") => Ok(HeartbeatKind::Json),
        Some("dialect") => Ok(HeartbeatKind::Dialect),
        Some("off") => Ok(HeartbeatKind::Off),
        Some(_) | None => Err("must be ping, json, dialect or off"),
    }
}

fn acceptance(value: &Value) -> Read<AcceptanceRule> {
    value
        .as_str()
        .and_then(AcceptanceRule::parse)
        .ok_or("must be POINTER=VALUE, such as /type=login_ok, or any")
}

/// The values of a list, or the one value that is not in a list.
fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => [one].into(),
    }
}

fn refusal(value: &Value) -> Read<RefusalRule> {
    value.as_str().and_then(RefusalRule::parse).ok_or(
        "must be POINTER=VALUE[:VERDICT], such as /type=login_refused or /error=busy:30s; \
         verdicts are refresh, retry, fatal or a least delay",
    )
}

fn size(value: &Value) -> Read<usize> {
    let number = match value {
        Value::String(text) => parse_size(text),
        Value::Number(number) => number.as_u64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number
        .and_then(|number| usize::try_from(number).ok())
        .ok_or("must be a size such as 64KiB or 1MiB, or a number of bytes")
}

/// Bytes a second. Whatever is too large for a `u32` is also over the limit, so the builder reports
/// it.
fn rate(value: &Value) -> Read<u32> {
    size(value).map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX))
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_bytes: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_bytes)
}

fn policy_rule(codes: &str, value: &Value) -> Read<Rule> {
    let verdict = match value {
        Value::String(text) => Verdict::parse(text),
        Value::Number(number) => {
            number.as_u64().map(|millis| Verdict::RetryNoSoonerThan(Duration::from_millis(millis)))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let verdict = verdict.ok_or("must be retry, refresh, fatal or a least delay such as 30s")?;
    if matches!(verdict, Verdict::RetryNoSoonerThan(least) if least > Config::MAX_SPAN) {
        return Err("must be a least delay of at most 365d");
    }
    let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
    first
        .trim()
        .parse()
        .ok()
        .zip(last.trim().parse().ok())
        .and_then(|(first, last)| Rule::new(first, last, verdict))
        .ok_or("must be named CODE or CODE-CODE, of HTTP statuses (100-599) or close codes (1000-4999)")
}
