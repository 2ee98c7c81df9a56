//! What differs between servers: the texts of heartbeat and login, and how to recognise them.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::{self, Write as _};

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::login::{Login, LoginAnswer};
use crate::time::UnixMillis;

/// The application-level protocol of a server: the texts of its heartbeat and login.
/// [`JsonDialect`] is the default.
///
/// Every method is a pure function: the machine keeps the state. The machine calls
/// [`recognise`](Self::recognise) only while a [`HeartbeatKind::Json`](crate::HeartbeatKind::Json)
/// ping is unanswered, or if `answer_pings` is set.
///
/// ```
/// use gateway_core::{Dialect, Recognised, UnixMillis};
///
/// /// A server that expects `h` as a heartbeat, and answers with `h`.
/// struct OneLetter;
///
/// impl Dialect for OneLetter {
///     fn write_ping(&self, _: Option<UnixMillis>, into: &mut String) {
///         into.push('h');
///     }
///     fn write_pong(&self, _: Option<UnixMillis>, into: &mut String) {
///         into.push('h');
///     }
///     fn recognise(&self, text: &str) -> Recognised {
///         if text == "h" { Recognised::Pong(None) } else { Recognised::Other }
///     }
/// }
/// # let _ = OneLetter.recognise("h");
/// ```
pub trait Dialect {
    /// Appends a heartbeat message to `into`, with the wall clock's time if it is known.
    fn write_ping(&self, timestamp: Option<UnixMillis>, into: &mut String);

    /// Appends the answer to the peer's ping to `into`, with that ping's timestamp if it had one.
    fn write_pong(&self, timestamp: Option<UnixMillis>, into: &mut String);

    /// Returns whether a text message belongs to the heartbeat. The machine calls this on a hot
    /// path, so exclude other messages by cheap checks first.
    fn recognise(&self, text: &str) -> Recognised;

    /// Appends the login message to `into`.
    fn write_login(&self, login: &Login, into: &mut String) {
        if let Login::Message { send, .. } = login {
            into.push_str(send.reveal());
        }
    }

    /// Classifies a text message that arrived during the login.
    fn judge_login(&self, login: &Login, text: &str) -> LoginAnswer {
        login.judge(text)
    }
}

/// Whether a text message belongs to the heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // the machine's answer to each is part of the contract
pub enum Recognised {
    /// An answer to our ping, with its timestamp if it has one.
    Pong(Option<UnixMillis>),
    /// A ping of the peer, with its timestamp if it has one.
    Ping(Option<UnixMillis>),
    /// An application message.
    Other,
}

impl<D: Dialect + ?Sized> Dialect for Box<D> {
    fn write_ping(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        (**self).write_ping(timestamp, into);
    }

    fn write_pong(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        (**self).write_pong(timestamp, into);
    }

    fn recognise(&self, text: &str) -> Recognised {
        (**self).recognise(text)
    }

    fn write_login(&self, login: &Login, into: &mut String) {
        (**self).write_login(login, into);
    }

    fn judge_login(&self, login: &Login, text: &str) -> LoginAnswer {
        (**self).judge_login(login, text)
    }
}

/// The default dialect. It writes the ping `{"type":"ping","timestamp":<unix ms>}`, and recognises
/// the answer `{"type":"pong"}`, with or without a timestamp. Key order and white space do not
/// matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonDialect;

impl JsonDialect {
    /// The longest text that can be a heartbeat, in bytes. Any longer text is an application
    /// message.
    pub const MAX_BEAT: usize = 256;

    fn write(kind: &str, timestamp: Option<UnixMillis>, into: &mut String) {
        // Writing to a String cannot fail.
        let _ = match timestamp {
            Some(UnixMillis(millis)) => {
                write!(into, r#"{{"type":"{kind}","timestamp":{millis}}}"#)
            }
            None => write!(into, r#"{{"type":"{kind}"}}"#),
        };
    }
}

impl Dialect for JsonDialect {
    fn write_ping(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        Self::write("ping", timestamp, into);
    }

    fn write_pong(&self, timestamp: Option<UnixMillis>, into: &mut String) {
        Self::write("pong", timestamp, into);
    }

    fn recognise(&self, text: &str) -> Recognised {
        let looks_like_one = text.len() <= Self::MAX_BEAT
            && (text.contains("\"pong\"") || text.contains("\"ping\""))
            && text.trim_ascii_start().starts_with('{');
        if !looks_like_one {
            return Recognised::Other;
        }
        match serde_json::from_str::<Beat<'_>>(text) {
            Ok(Beat { kind: "pong", timestamp }) => Recognised::Pong(timestamp.0),
            Ok(Beat { kind: "ping", timestamp }) => Recognised::Ping(timestamp.0),
            Ok(_) | Err(_) => Recognised::Other,
        }
    }
}

/// The two fields of a heartbeat; others are ignored. Parsing a flat object whose names have no
/// escapes allocates nothing.
#[derive(Deserialize)]
struct Beat<'a> {
    #[serde(rename = "type", default)]
    kind: &'a str,
    #[serde(default)]
    timestamp: Stamp,
}

/// A timestamp of any type. One that is not a whole number of milliseconds counts as no timestamp.
#[derive(Default)]
struct Stamp(Option<UnixMillis>);

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StampVisitor)
    }
}

struct StampVisitor;

impl<'de> Visitor<'de> for StampVisitor {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a timestamp")
    }

    fn visit_u64<E>(self, millis: u64) -> Result<Stamp, E> {
        Ok(Stamp(Some(UnixMillis(millis))))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_unit<E>(self) -> Result<Stamp, E> {
        Ok(Stamp(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Stamp, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Stamp(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Stamp, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Stamp(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_is_recognised_in_any_key_order_white_space_and_type_of_timestamp() {
        let stamped = Recognised::Pong(Some(UnixMillis(17)));
        let bare = Recognised::Pong(None);
        for (text, expected) in [
            (r#"{"type":"pong"}"#, bare),
            (r#"{"type":"pong","timestamp":17}"#, stamped),
            (r#" { "timestamp" : 17 , "id" : "x" , "type" : "pong" } "#, stamped),
            ("\n{\"timestamp\":17,\n\"type\":\t\"pong\"}", stamped),
            (r#"{"type":"pong","timestamp":"17"}"#, bare),
            (r#"{"type":"pong","timestamp":17.5}"#, bare),
            (r#"{"type":"pong","timestamp":-1}"#, bare),
            (r#"{"type":"pong","timestamp":null}"#, bare),
            (r#"{"type":"pong","timestamp":[1,{"a":2}]}"#, bare),
            (r#"{"type":"ping","timestamp":17}"#, Recognised::Ping(Some(UnixMillis(17)))),
        ] {
            assert_eq!(JsonDialect.recognise(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_heartbeat_is_the_applications() {
        let long = alloc::format!(r#"{{"type":"pong","padding":"{}"}}"#, "x".repeat(256));
        for text in [
            "",
            "pong",
            r#""pong""#,
            r#"["pong",17]"#,
            r#"{"type":"data","of":"pong"}"#,
            r#"{"type":"pong""#,
            r#"{"kind":"pong"}"#,
            r#"{"type":["pong"]}"#,
            r#"{"type":"pong"} x"#,
            long.as_str(),
        ] {
            assert_eq!(JsonDialect.recognise(text), Recognised::Other, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_recognised() {
        let mut text = String::new();
        JsonDialect.write_ping(Some(UnixMillis(17)), &mut text);
        assert_eq!(text, r#"{"type":"ping","timestamp":17}"#);
        text.clear();
        JsonDialect.write_pong(None, &mut text);
        assert_eq!(JsonDialect.recognise(&text), Recognised::Pong(None));
    }
}
