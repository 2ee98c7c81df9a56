//! Reads the parts of a definition, and keeps every error.

use std::time::Duration;

use gateway_core::{
    Config, ConfigError, ConfigErrors, Login, Rule, Verdict, format_duration, parse_duration,
};
use serde_json::Value;

use super::parts::{
    Answer, Capture, Heartbeat, LoginPart, Parts, Refusal, Span, Suggestions, Unit,
};
use super::table::{OF_HEARTBEAT, OF_LOGIN, Table};
use super::{limits, order};
use crate::near::{hint, shown};
use crate::pattern::{Frames, Pattern, Reach};
use crate::template::{BUILT_IN, Names, check_name};

pub(crate) fn read(
    tree: Value,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Parts, ConfigErrors> {
    let mut errors = Vec::new();
    let captures = capture_names(&tree);
    let names = Names { captures: &captures, environment };
    let mut root = Table::new(String::new(), tree, &mut errors);
    let mut parts = Parts { summary: root.string("summary"), ..Parts::default() };
    parts.suggestions = read_suggestions(&mut root);
    parts.frames = read_frames(&mut root);
    let longest = read_longest(&mut root);
    parts.login = read_login(&mut root, parts.frames, &names);
    let heartbeat = read_heartbeat(&mut root, parts.frames, &names);
    let is_empty_part = heartbeat.is_none();
    parts.heartbeat = heartbeat.unwrap_or_default();
    parts.answers = read_answers(&mut root, parts.frames, &names);
    parts.leaves = read_refusals(&mut root, "leave", Verdict::Retry, parts.frames);
    parts.on_ready = root.messages("on_ready", parts.frames, &names);
    parts.closing = root.messages("closing", parts.frames, &names);
    root.finish();
    if errors.is_empty() {
        limits::check(&parts, &mut errors);
        order::check(&parts, &mut errors);
    }
    let is_empty = parts.login.is_none()
        && is_empty_part
        && parts.answers.is_empty()
        && parts.leaves.is_empty()
        && parts.on_ready.is_empty()
        && parts.closing.is_empty();
    if errors.is_empty() && is_empty {
        let limit = "must have at least one of login, heartbeat, answer, leave, on_ready, closing";
        errors.push(ConfigError::new("dialect", "", limit));
    }
    ConfigErrors::check(errors)?;
    (parts.reach_at_login, parts.reach_when_ready) = reaches(&parts, longest);
    parts.captures = captures;
    Ok(parts)
}

/// The names of all captures. What is wrong with them is reported where they are read.
fn capture_names(tree: &Value) -> Vec<String> {
    let login = tree.get("login").into_iter();
    let answers = match tree.get("answer") {
        Some(Value::Array(answers)) => answers.as_slice(),
        Some(answer) => std::slice::from_ref(answer),
        None => &[],
    };
    let tables = login.chain(answers).filter_map(|part| part.get("capture")?.as_object());
    let mut names: Vec<_> = tables.flat_map(|table| table.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn read_suggestions(root: &mut Table<'_>) -> Suggestions {
    let mut subprotocols = Vec::new();
    for (place, item) in root.items("subprotocols") {
        match item {
            Value::String(name) if !name.is_empty() => subprotocols.push(name),
            _ => root.errors.push(ConfigError::new(place, "", "must be the name of a subprotocol")),
        }
    }
    let path = root.string("path");
    if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        root.error("path", "must begin with /");
    }
    let mut policy = Vec::new();
    let table = root.take("policy").unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let Value::Object(table) = table else {
        root.error("policy", "must be a table of close codes and verdicts");
        return Suggestions { subprotocols, path, policy };
    };
    for (codes, value) in table {
        let (first, last) = codes.split_once('-').unwrap_or((&codes, &codes));
        let verdict = value.as_str().and_then(verdict_named);
        let rule = first.parse().ok().zip(last.parse().ok()).zip(verdict);
        match rule.and_then(|((first, last), verdict)| Rule::new(first, last, verdict)) {
            Some(rule) => policy.push(rule),
            None => {
                let limit = "must be a code or a range of codes, with retry, refresh, fatal or a \
                             least delay such as 30s, at most 365d";
                root.error(&format!("policy.{}", shown(&codes)), limit);
            }
        }
    }
    Suggestions { subprotocols, path, policy }
}

fn read_frames(root: &mut Table<'_>) -> Frames {
    match root.string("frames").as_deref() {
        None | Some("text") => Frames::Text,
        Some("binary") => Frames::Binary,
        Some(_) => {
            root.error("frames", "must be text or binary");
            Frames::Text
        }
    }
}

fn read_longest(root: &mut Table<'_>) -> u32 {
    let Some(value) = root.take("longest") else { return u32::MAX };
    let longest = value.as_u64().and_then(|bytes| u32::try_from(bytes).ok());
    let longest = longest.filter(|bytes| *bytes > 0);
    if longest.is_none() {
        root.error("longest", "must be a number of bytes above 0");
    }
    longest.unwrap_or(u32::MAX)
}

fn read_login(root: &mut Table<'_>, frames: Frames, names: &Names<'_>) -> Option<LoginPart> {
    let value = root.table("login")?;
    let mut table = Table::new(root.place("login"), value, root.errors);
    let wait = table.pattern("wait", frames);
    let send = table.messages("send", frames, names);
    let has_ok = table.has("ok");
    let ok = table.pattern("ok", frames);
    if !has_ok {
        table.error("ok", "must be set: the answer that accepts the login");
    }
    let refused = read_refusals(&mut table, "refused", Verdict::RefreshCredentials, frames);
    let capture = read_captures(&mut table, names);
    let is_delivered = table.switch("deliver");
    let timeout = table.span("timeout", OF_LOGIN).unwrap_or(Login::TIMEOUT);
    table.finish();
    Some(LoginPart { wait, send, ok: ok?, refused, capture, is_delivered, timeout })
}

fn read_refusals(
    parent: &mut Table<'_>,
    name: &'static str,
    default: Verdict,
    frames: Frames,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (place, value) in parent.items(name) {
        if let Some((text, limit)) = verdict_behind(&value) {
            parent.errors.push(ConfigError::new(place, text, limit));
            continue;
        }
        // A pattern alone is a rule, too.
        let value = match value {
            pattern @ (Value::String(_) | Value::Array(_)) => {
                serde_json::json!({ "when": pattern })
            }
            other => other,
        };
        let mut table = Table::new(place, value, parent.errors);
        let when = required_pattern(&mut table, frames);
        let verdict = match table.string("verdict") {
            None => Some(default),
            Some(word) => {
                let verdict = verdict_named(&word);
                if verdict.is_none() {
                    let limit = "must be retry, refresh, fatal or a least delay such as 30s, at most \
                                 365d";
                    table.error("verdict", limit);
                }
                verdict
            }
        };
        let reason = table.pointer("reason");
        table.finish();
        if let (Some(when), Some(verdict)) = (when, verdict) {
            refusals.push(Refusal { when, verdict, reason });
        }
    }
    refusals
}

/// The pattern and the error, if a verdict is part of the pattern, as it is in the program's setting
/// `login.refused`.
fn verdict_behind(pattern: &Value) -> Option<(String, String)> {
    let text = match pattern {
        Value::Array(patterns) => return patterns.iter().find_map(verdict_behind),
        other => other.as_str()?,
    };
    let (rule, verdict) = text.rsplit_once(':')?;
    // A number alone is no verdict: 12:30 is a time.
    let is_word = verdict.ends_with(|last: char| last.is_ascii_alphabetic());
    if !is_word || verdict_named(verdict).is_none() {
        return None;
    }
    let (rule, whole) = (shown(rule), shown(text));
    let limit = format!(
        "must be {{ when = {rule:?}, verdict = {verdict:?} }}; if the value itself ends with \
         :{verdict}, {{ when = {whole:?} }}"
    );
    Some((whole, limit))
}

fn required_pattern(table: &mut Table<'_>, frames: Frames) -> Option<Pattern> {
    if !table.has("when") {
        table.error("when", "must be set: the messages that the rule is for");
    }
    table.pattern("when", frames)
}

fn read_captures(table: &mut Table<'_>, names: &Names<'_>) -> Vec<Capture> {
    let Some(value) = table.take("capture") else { return Vec::new() };
    let Value::Object(entries) = value else {
        table.error("capture", "must be a table of names and JSON pointers");
        return Vec::new();
    };
    let mut captures = Vec::new();
    for (name, value) in entries {
        let place = format!("capture.{}", shown(&name));
        if check_name(&name).is_err() || BUILT_IN.contains(&name.as_str()) {
            let limit = "must have another name: letters, digits, and _-., and none of counter, \
                         timestamp, env, secret";
            table.error(&place, limit);
        }
        match (value.as_str(), names.captures.iter().position(|known| *known == name)) {
            (Some(pointer), Some(index)) if pointer.starts_with('/') => {
                captures.push(Capture { index, pointer: pointer.to_string() });
            }
            _ => table.error(&place, "must be a JSON pointer such as /data/id"),
        }
    }
    captures
}

fn read_heartbeat(root: &mut Table<'_>, frames: Frames, names: &Names<'_>) -> Option<Heartbeat> {
    let value = root.table("heartbeat")?;
    let mut table = Table::new(root.place("heartbeat"), value, root.errors);
    let has_send = table.has("send");
    let mut sends = table.messages("send", frames, names);
    if sends.len() > 1 {
        table.error("send", "must be one message");
    }
    let send = sends.pop();
    let has_pong = table.has("pong");
    let pong = table.pattern("pong", frames);
    let stamp = table.pointer("stamp");
    let has_interval = table.has("interval");
    let interval = read_span(&mut table, "interval", names);
    let timeout = table.span("timeout", OF_HEARTBEAT);
    let has_expect = table.has("expect");
    let expect = read_span(&mut table, "expect", names);
    if !has_send && !has_expect {
        table.error("send", "must be set, or expect if only the server sends pings");
    }
    if has_pong && !has_send {
        table.error("pong", "must not be set without send");
    }
    if stamp.is_some() && !has_pong {
        table.error("stamp", "must not be set without pong");
    } else if stamp.is_some() && send.as_ref().is_some_and(|send| !send.has_stamp()) {
        table.error("stamp", "needs ${counter} or ${timestamp} in heartbeat.send");
    }
    if has_interval && !has_send {
        table.error("interval", "must not be set without send");
    }
    if timeout.is_some() && !has_interval {
        table.error("timeout", "must not be set without interval");
    }
    if let (Some(Span::Fixed(interval)), Some(timeout)) = (&interval, timeout)
        && timeout > *interval
    {
        let limit = format!("must be at most heartbeat.interval ({})", format_duration(*interval));
        let place = table.place("timeout");
        table.errors.push(ConfigError::new(place, format_duration(timeout), limit));
    }
    table.finish();
    Some(Heartbeat { send, pong, stamp, interval, timeout, expect })
}

/// A fixed span, or a table that says which captures to add up.
fn read_span(parent: &mut Table<'_>, name: &'static str, names: &Names<'_>) -> Option<Span> {
    let value = match parent.take(name)? {
        table @ Value::Object(_) => table,
        fixed => {
            let or = format!(", or a table such as {EXAMPLE}");
            return parent.span_of(name, &fixed, OF_HEARTBEAT, &or).map(Span::Fixed);
        }
    };
    let mut table = Table::new(parent.place(name), value, parent.errors);
    let mut from = Vec::new();
    let items = table.items("from");
    if items.is_empty() {
        table.error("from", "must be the name of a capture, or a list of such names");
    }
    for (place, item) in items {
        let name = item.as_str().unwrap_or_default();
        match names.captures.iter().position(|known| known == name) {
            Some(index) => from.push(index),
            None => {
                let hint = hint(name, names.captures.iter().map(String::as_str));
                let limit = format!("must be the name of a capture{hint}");
                table.errors.push(ConfigError::new(place, shown(name), limit));
            }
        }
    }
    let unit = match table.string("unit").as_deref() {
        Some("ms") => Some(Unit::Milliseconds),
        Some("s") => Some(Unit::Seconds),
        Some("m") => Some(Unit::Minutes),
        Some(_) | None => {
            table.error("unit", "must be the unit of the server's number: ms, s or m");
            None
        }
    };
    table.finish();
    Some(Span::Captured { from, unit: unit? })
}

const EXAMPLE: &str = "{ from = \"interval\", unit = \"ms\" }";

fn read_answers(root: &mut Table<'_>, frames: Frames, names: &Names<'_>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for (place, value) in root.items("answer") {
        let mut table = Table::new(place, value, root.errors);
        let when = required_pattern(&mut table, frames);
        let send = table.messages("send", frames, names);
        let capture = read_captures(&mut table, names);
        let is_delivered = table.switch("deliver");
        table.finish();
        if let Some(when) = when {
            answers.push(Answer { when, send, capture, is_delivered });
        }
    }
    answers
}

pub(crate) fn verdict_named(word: &str) -> Option<Verdict> {
    match word {
        "retry" => Some(Verdict::Retry),
        "refresh" => Some(Verdict::RefreshCredentials),
        "fatal" => Some(Verdict::Fatal),
        span => parse_duration(span)
            .filter(|span| *span > Duration::ZERO && *span <= Config::MAX_SPAN)
            .map(Verdict::RetryNoSoonerThan),
    }
}

/// What rules look at: while logging in, and when ready.
fn reaches(parts: &Parts, longest: u32) -> (Reach, Reach) {
    let frames = parts.frames;
    let all = |patterns: &mut dyn Iterator<Item = &Pattern>| {
        patterns.fold(Reach::NONE, |reach, pattern| reach.and(pattern.reach(frames)))
    };
    let answers = parts.answers.iter().map(|answer| &answer.when);
    let always = all(&mut answers.chain(parts.leaves.iter().map(|leave| &leave.when)));
    let login = parts.login.as_ref().map_or(Reach::NONE, |login| {
        let refused = login.refused.iter().map(|refusal| &refusal.when);
        all(&mut login.wait.iter().chain([&login.ok]).chain(refused))
    });
    let pong = all(&mut parts.heartbeat.pong.iter());
    (always.and(login), always.and(pong).up_to(longest))
}
