//! The heartbeat in JSON: its texts, and how to recognise them.

use alloc::string::String;
use core::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::dialect::Interest;
use crate::time::UnixMillis;

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

/// The heartbeat of [`HeartbeatKind::Json`](crate::HeartbeatKind::Json). It writes the ping
/// `{"type":"ping","timestamp":<unix ms>}`, and recognises the answer `{"type":"pong"}`, with or
/// without a timestamp. Key order and white space do not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonHeartbeat;

impl JsonHeartbeat {
    /// The longest text that can be a heartbeat, in bytes. Any longer text is an application
    /// message.
    pub const MAX_BEAT: usize = Self::LONGEST as usize;

    const LONGEST: u32 = 256;

    /// The texts that can be a heartbeat.
    pub(crate) const BEATS: Interest = Interest::texts_up_to(Self::LONGEST);

    fn write(kind: &str, timestamp: Option<UnixMillis>, into: &mut String) {
        into.push_str(r#"{"type":""#);
        into.push_str(kind);
        into.push('"');
        if let Some(UnixMillis(millis)) = timestamp {
            into.push_str(r#","timestamp":"#);
            into.push_str(itoa::Buffer::new().format(millis));
        }
        into.push('}');
    }
}

impl JsonHeartbeat {
    /// Appends a ping to `into`, with the wall clock's time if it is known.
    pub fn write_ping(self, timestamp: Option<UnixMillis>, into: &mut String) {
        Self::write("ping", timestamp, into);
    }

    /// Appends the answer to the peer's ping to `into`, with that ping's timestamp if it had one.
    pub fn write_pong(self, timestamp: Option<UnixMillis>, into: &mut String) {
        Self::write("pong", timestamp, into);
    }

    /// Returns whether a text message belongs to the heartbeat.
    #[must_use]
    pub fn recognise(self, text: &str) -> Recognised {
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
            assert_eq!(JsonHeartbeat.recognise(text), expected, "{text}");
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
            assert_eq!(JsonHeartbeat.recognise(text), Recognised::Other, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_recognised() {
        let mut text = String::new();
        JsonHeartbeat.write_ping(Some(UnixMillis(17)), &mut text);
        assert_eq!(text, r#"{"type":"ping","timestamp":17}"#);
        text.clear();
        JsonHeartbeat.write_pong(None, &mut text);
        assert_eq!(JsonHeartbeat.recognise(&text), Recognised::Pong(None));
    }
}
