//! Compares every word that users read in logs, in JSON and in errors with the snapshot `spelling.txt`.
//! `GATEWAY_BLESS=1` records it.
//!
//! The names of an enum come from its own reader, so a new variant needs no line here, unless it holds data.

use core::any::type_name;
use core::fmt::{Debug, Write as _};
use std::path::Path;
use std::{env, fs};

use gateway_core::{
    Action, Because, CloseCode, CloseFrame, Config, ConnectionState, Credentials, DialectCallKind,
    DisconnectCause, Effect, EventKind, Failure, GiveUpCause, HeartbeatKind, Instant, JsonRule,
    MessageFate, Network, Notice, OpenError, Outgoing, Policy, RequestEnd, RetryCause, Rule,
    SendRejection, SendingFact, SocketId, Strategy, Verdict,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::words::seconds;

#[test]
fn what_users_read_is_spelled_as_it_was() {
    let mut all = String::new();
    let parts =
        [causes(), states_and_events(), actions(), sendings(), policy(), values(), errors()];
    for part in parts {
        all += &part;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/spelling.txt");
    if env::var_os("GATEWAY_BLESS").is_some() {
        fs::write(&path, &all).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (seen, expected) in all.lines().zip(expected.lines()) {
        assert_eq!(seen, expected, "if this is meant, record it with GATEWAY_BLESS=1");
    }
    assert_eq!(all.lines().count(), expected.lines().count());
}

fn causes() -> String {
    let disconnects = [
        r#"{"close_received":null}"#,
        r#"{"close_received":1012}"#,
        r#"{"lost":"eof"}"#,
        r#"{"protocol_error":"invalid_utf8"}"#,
        r#"{"open_failed":{"http":{"status":503}}}"#,
        r#"{"login_refused":null}"#,
        r#"{"login_refused":4001}"#,
    ];
    let ends = [r#"{"close_code":1008}"#, r#"{"http_status":404}"#];
    let http = [
        r#"{"http":{"status":503}}"#,
        r#"{"http":{"status":503,"retry_after":{"delay_s":60}}}"#,
        r#"{"http":{"status":503,"retry_after":{"date_unix_ms":17}}}"#,
    ];
    let retries = disconnects.map(|disconnect| format!(r#"{{"disconnected":{disconnect}}}"#));
    let retries = retries.each_ref().map(String::as_str);
    for cause in known_values::<DisconnectCause>(&disconnects) {
        assert_eq!(RetryCause::Disconnected(cause).name(), cause.name());
    }
    let shown = known_values::<GiveUpCause>(&ends).into_iter().map(|cause| cause.to_string());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "close_code 1008",
            "http_status 404",
            "login_refused",
            "provider",
            "dialect",
            "attempts_spent",
            "configuration"
        ]
    );
    named::<DisconnectCause>(&disconnects, |cause| cause.name())
        + &named::<GiveUpCause>(&ends, |cause| cause.name())
        + &named::<OpenError>(&http, |error| error.name())
        + &named::<Failure>(&[], |failure| failure.name())
        + &named::<SendRejection>(&[], |why| why.name())
        + &named::<Because>(&[], |because| because.name())
        + &spelled::<RetryCause>(&retries)
}

fn states_and_events() -> String {
    named::<ConnectionState>(&[], |state| state.name())
        + &named::<EventKind>(&[], |kind| kind.name())
        + &spelled::<Network>(&[])
}

/// Actions, with the units in the names of their fields.
fn actions() -> String {
    let effects = [
        r#"{"send":{"text":true,"at":0,"bytes":5}}"#,
        r#"{"stamp":7}"#,
        r#"{"login_refused":{"verdict":"fatal"}}"#,
        r#"{"login_refused":{"verdict":"retry","reason":{"text":true,"at":0,"bytes":2}}}"#,
        r#"{"pong":null}"#,
        r#"{"pong":7}"#,
        r#"{"set_heartbeat":{"interval_ns":1000000000}}"#,
        r#"{"set_heartbeat":{"interval_ns":1000000000,"timeout_ns":500000000}}"#,
        r#"{"expect_within_ns":1000000000}"#,
        r#"{"leave":{"code":1000,"verdict":"retry"}}"#,
        r#"{"resume_at":{"text":true,"at":0,"bytes":25}}"#,
    ];
    let frames = [
        r#"{"close":1001}"#,
        r#"{"ping":17}"#,
        r#"{"ping":null}"#,
        r#"{"pong":17}"#,
        r#"{"websocket_ping":1}"#,
        r#"{"dialect":{"text":true,"at":0,"bytes":5}}"#,
        r#"{"dialect_ping":{"text":false,"at":5,"bytes":2}}"#,
    ];
    let notices = [
        r#"{"state_changed":{"from":"CLOSED","to":"CONNECTING","socket":3}}"#,
        r#"{"state_changed":{"from":"DISCONNECTED","to":"CLOSED"}}"#,
        r#"{"ready":{"socket":3,"after_ns":1500000000}}"#,
        r#"{"login_refused":{"socket":3,"verdict":{"retry_no_sooner_than_ns":30000000000}}}"#,
        r#"{"disconnected":{"socket":3,"cause":"pong_timeout"}}"#,
        r#"{"retry_scheduled":{"attempt":2,"delay_ns":1500000000,"cause":{"disconnected":{"open_failed":{"http":{"status":503}}}},"because":"retry_after"}}"#,
        r#"{"ping_sent":{"socket":3}}"#,
        r#"{"pong_received":{"socket":3}}"#,
        r#"{"pong_received":{"socket":3,"round_trip_ns":1234567}}"#,
        r#"{"stale":{"what":"socket_opened","socket":3}}"#,
        r#"{"clock_jumped":{"by_ns":18446744073709551615999999999}}"#,
        r#"{"gave_up":{"cause":"attempts_spent"}}"#,
        r#"{"effect_ignored":{"socket":3}}"#,
        r#"{"send_rejected":"write_blocked"}"#,
    ];
    let actions = [
        r#"{"ask_provider":{"socket":3,"credentials":"cached"}}"#,
        r#"{"open_socket":{"socket":3,"credentials":"refresh"}}"#,
        r#"{"reserve_open_at_ns":2000000}"#,
        r#"{"send":{"socket":3,"frame":"login"}}"#,
        r#"{"close_socket":3}"#,
        r#"{"abort_socket":3}"#,
        r#"{"drain":3}"#,
        r#"{"resume_at":{"text":true,"at":0,"bytes":25}}"#,
        r#"{"schedule_timer_at_ns":2000000}"#,
        r#"{"notify":{"ping_sent":{"socket":3}}}"#,
    ];
    spelled::<Effect>(&effects)
        + &spelled::<DialectCallKind>(&[])
        + &spelled::<Outgoing>(&frames)
        + &spelled::<Credentials>(&[])
        + &spelled::<Notice>(&notices)
        + &spelled::<Action>(&actions)
}

/// Facts about messages and requests, with the units in the names of their fields.
fn sendings() -> String {
    let facts = [
        r#"{"message_queued":{"number":7,"bytes":5}}"#,
        r#"{"message_buffered":{"number":7}}"#,
        r#"{"messages_returned":{"first":7,"last":9}}"#,
        r#"{"messages_settled":{"first":7,"last":9,"fate":"maybe_sent"}}"#,
        r#"{"message_refused":{"bytes":5,"why":"outbox_full"}}"#,
        r#"{"request_made":{"request":3,"bytes":5,"idempotent":true,"timeout_ns":10000000000}}"#,
        r#"{"request_buffered":{"request":3,"id":12}}"#,
        r#"{"request_ended":{"request":3,"end":"timed_out"}}"#,
        r#"{"rate_limited":{"until_ns":61000000000}}"#,
        r#"{"drain_started":{"until_ns":12000000000}}"#,
    ];
    spelled::<SendingFact>(&facts)
        + &named::<MessageFate>(&[], |fate| fate.name())
        + &named::<RequestEnd>(&[], |end| end.name())
}

/// What each code means and leads to.
fn policy() -> String {
    let mut lines = spelled::<Verdict>(&[r#"{"retry_no_sooner_than_ns":30000000000}"#]);
    for verdict in [
        Verdict::Retry,
        Verdict::RetryNoSoonerThan(seconds(30)),
        Verdict::RefreshCredentials,
        Verdict::Fatal,
    ] {
        line(&mut lines, "Verdict", verdict);
    }
    let policy = Policy::default();
    for code in [401, 403, 404, 408, 425, 429].into_iter().chain(1_000..=1_016).chain([2_999]) {
        explain(&mut lines, &policy, code);
    }
    for code in [99, 100, 299, 300, 399, 400, 499, 500, 599, 600, 3_000, 4_000, 4_999, 5_000] {
        explain(&mut lines, &policy, code);
    }
    let rule = Rule::new(4_000, 4_099, Verdict::Fatal).unwrap();
    explain(&mut lines, &Policy::new([rule]).unwrap(), 4_050);
    lines
}

fn explain(lines: &mut String, policy: &Policy, code: u16) {
    let Some(explained) = policy.explain(code) else {
        return line(lines, "Policy", format_args!("{code} is no code"));
    };
    let (rule, sent) = (explained.rule, explained.sent);
    let (first, last, by_user) = (rule.first(), rule.last(), explained.by_user);
    let (verdict, meaning) = (rule.verdict(), rule.meaning());
    line(
        lines,
        "Policy",
        format_args!("{code} ({first}-{last}, {by_user}) {verdict}; {meaning}; {}", sent.text()),
    );
}

fn values() -> String {
    let mut lines = String::new();
    let kinds =
        [HeartbeatKind::Json, HeartbeatKind::Dialect, HeartbeatKind::Ping, HeartbeatKind::Off];
    for kind in kinds {
        line(&mut lines, "HeartbeatKind", kind.name());
    }
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::parse(strategy.name()), Some(strategy));
        line(&mut lines, "Strategy", strategy.name());
    }
    line(&mut lines, "Strategy", Strategy::parse("uniform:0.50:3.0:clamped").unwrap());
    line(&mut lines, "JsonRule", JsonRule::parse("/a/b=c=d").unwrap());
    line(&mut lines, "ConnectionState, padded", format_args!("{:>13}|", ConnectionState::Closed));
    line(&mut lines, "SocketId", SocketId::new(7));
    line(&mut lines, "CloseCode", CloseCode::GOING_AWAY);
    line(&mut lines, "Instant", format_args!("{:?}", Instant::from_nanos(5)));
    lines
}

fn errors() -> String {
    let mut lines = String::new();
    for (code, length) in [(4_000, 124), (1_006, 0), (999, 0)] {
        let error = CloseFrame::new(code, &"x".repeat(length)).unwrap_err();
        line(&mut lines, "InvalidCloseFrame", error);
    }
    let wrong = Config::builder().close_timeout(seconds(0)).heartbeat_timeout(seconds(31));
    for error in wrong.max_message_size(0).build().unwrap_err().to_string().lines() {
        line(&mut lines, "ConfigErrors", error);
    }
    for json in [
        r#"{"send":{"socket":3,"frame":{"close":1006}}}"#,
        r#"{"send":{"socket":3,"frame":"login","to":4}}"#,
        r#"{"close_socket":-1}"#,
        r#"{"open_door":1}"#,
    ] {
        let error = serde_json::from_str::<Action>(json).unwrap_err();
        line(&mut lines, "Action", format_args!("{json}: {error}"));
    }
    lines
}

fn line(lines: &mut String, kind: &str, text: impl core::fmt::Display) {
    writeln!(lines, "{kind:<16} {text}").expect("a String takes every text");
}

/// A line for each value: its JSON, and how it is read. The name in logs is the one in JSON.
fn named<T>(examples: &[&str], name: impl Fn(&T) -> &'static str) -> String
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    for value in known_values::<T>(examples) {
        assert_eq!(tag(&serde_json::to_string(&value).unwrap()), name(&value));
    }
    spelled::<T>(examples)
}

fn spelled<T: Serialize + DeserializeOwned + PartialEq + Debug>(examples: &[&str]) -> String {
    let mut lines = String::new();
    for value in known_values::<T>(examples) {
        let json = serde_json::to_string(&value).unwrap();
        line(&mut lines, short_name::<T>(), format_args!("{json}  {value:?}"));
    }
    lines
}

/// A value of each variant: the examples, and every variant without data.
fn known_values<T: Serialize + DeserializeOwned>(examples: &[&str]) -> Vec<T> {
    let unknown = serde_json::from_str::<T>(r#""?""#).err().expect("no variant has that name");
    let error = unknown.to_string(); // unknown variant `?`, expected one of `a`, `b`
    let mut values = Vec::new();
    for name in error.split('`').skip(3).step_by(2) {
        let of_name = examples.iter().filter(|json| tag(json) == name);
        let before = values.len();
        values.extend(of_name.map(|json| {
            let value = serde_json::from_str(json).unwrap_or_else(|why| panic!("{json}: {why}"));
            assert_eq!(serde_json::to_string(&value).unwrap(), **json, "it reads back as it was");
            value
        }));
        if values.len() == before {
            let value = serde_json::from_value(name.into());
            values.push(value.unwrap_or_else(|why| {
                panic!("add an example of `{name}` for {}: {why}", short_name::<T>())
            }));
        }
    }
    values
}

/// The first word of a value's JSON, which names its variant.
fn tag(json: &str) -> &str {
    json.split('"').nth(1).unwrap_or_default()
}

fn short_name<T>() -> &'static str {
    type_name::<T>().rsplit("::").next().unwrap_or_default()
}
