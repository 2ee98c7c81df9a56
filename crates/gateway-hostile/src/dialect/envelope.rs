//! Pings and logins as JSON objects with a `type`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) const LOGIN_OK: &str = r#"{"type":"login_ok"}"#;
pub(crate) const LOGIN_FAILED: &str = r#"{"type":"login_failed"}"#;

/// A text of the client, as far as the server understands it.
pub(crate) enum Incoming<'a> {
    /// `{"type":"ping"}`, with its timestamp as it was written, if any.
    Ping(Option<&'a RawValue>),
    /// `{"type":"login","token":…}`
    Login(String),
    /// Everything else, which is echoed.
    Other,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<&'a RawValue>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        if !text.trim_start().starts_with('{') {
            return Self::Other;
        }
        let Ok(envelope) = serde_json::from_str::<Envelope<'a>>(text) else {
            return Self::Other;
        };
        match (&*envelope.kind, envelope.token) {
            ("ping", _) => Self::Ping(envelope.timestamp),
            ("login", Some(token)) => {
                serde_json::from_str::<String>(token.get()).map_or(Self::Other, Self::Login)
            }
            _ => Self::Other,
        }
    }
}

/// The correct pong for a ping.
pub(crate) fn pong(timestamp: Option<&RawValue>) -> String {
    match timestamp {
        Some(timestamp) => pong_with(timestamp.get()),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// A wrong pong: its timestamp is an hour later than the ping's.
pub(crate) fn wrong_pong(timestamp: Option<&RawValue>) -> String {
    const HOUR_MS: u64 = 3_600_000;
    let asked: u64 = timestamp.and_then(|raw| raw.get().parse().ok()).unwrap_or(0);
    pong_with(&asked.wrapping_add(HOUR_MS).to_string())
}

fn pong_with(timestamp: &str) -> String {
    format!(r#"{{"type":"pong","timestamp":{timestamp}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Option<String> {
        match Incoming::parse(text) {
            Incoming::Ping(timestamp) => Some(pong(timestamp)),
            Incoming::Login(_) | Incoming::Other => None,
        }
    }

    #[test]
    fn a_pong_repeats_the_timestamp_to_the_letter() {
        for timestamp in ["1700000000123", "1.50e3", "\"a\"", "[1, 2]"] {
            let ping =
                format!(" {{\"timestamp\" : {timestamp} , \"x\":0, \"type\":\"p\\u0069ng\"}}");
            let pong = format!(r#"{{"type":"pong","timestamp":{timestamp}}}"#);
            assert_eq!(answer(&ping), Some(pong));
        }
        assert_eq!(answer(r#"{"type":"ping"}"#).as_deref(), Some(r#"{"type":"pong"}"#));
    }

    #[test]
    fn what_is_no_ping_object_is_no_ping() {
        for text in ["ping", "", "{", r#"["ping"]"#, r#"{"type":"pong"}"#, r#"{"type":1}"#, "{}"] {
            assert_eq!(answer(text), None, "{text}");
        }
    }

    #[test]
    fn a_login_carries_its_token_unescaped() {
        let Incoming::Login(token) = Incoming::parse(r#"{"type":"login","token":"a\"b"}"#) else {
            panic!("no login");
        };
        assert_eq!(token, "a\"b");
        assert!(matches!(Incoming::parse(r#"{"type":"login","token":1}"#), Incoming::Other));
        assert!(matches!(Incoming::parse(r#"{"type":"login"}"#), Incoming::Other));
    }

    #[test]
    fn a_wrong_pong_never_repeats_the_timestamp() {
        for ping in [r#"{"type":"ping","timestamp":0}"#, r#"{"type":"ping"}"#] {
            let Incoming::Ping(timestamp) = Incoming::parse(ping) else { panic!("no ping") };
            assert_ne!(wrong_pong(timestamp), pong(timestamp));
        }
    }
}
