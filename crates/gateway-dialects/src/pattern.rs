//! Patterns: which messages a rule is for.

use std::borrow::Cow;

use gateway_core::{Interest, JsonRule, Message};

use crate::hex;
use crate::json::{self, Found};
use crate::near::shown;

/// A message, as patterns look at it.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The text. With binary frames, also a binary message that is UTF-8.
    text: Option<&'a str>,
    binary: Option<&'a [u8]>,
}

/// Which kind of frame carries the dialect's texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Frames {
    #[default]
    Text,
    Binary,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(message: Message<'a>, frames: Frames) -> Self {
        match (message, frames) {
            (Message::Text(text), _) => Self { text: Some(text), binary: None },
            (Message::Binary(bytes), Frames::Text) => Self { text: None, binary: Some(bytes) },
            (Message::Binary(bytes), Frames::Binary) => {
                Self { text: str::from_utf8(bytes).ok(), binary: Some(bytes) }
            }
        }
    }
}

/// Which messages a rule is for: those that pass all tests of one of these lists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pattern(Vec<Vec<Test>>);

impl Pattern {
    /// `alternatives` are not empty.
    pub(crate) fn new(mut alternatives: Vec<Vec<Test>>) -> Self {
        for tests in &mut alternatives {
            tests.sort_by_key(Test::cost);
        }
        Self(alternatives)
    }

    /// If the message matches, returns what pointers look at: the text behind a `^prefix`,
    /// otherwise all of it.
    pub(crate) fn find<'a>(&self, subject: Subject<'a>) -> Option<&'a str> {
        self.0.iter().find_map(|tests| {
            let body = subject.text.unwrap_or_default();
            tests.iter().try_fold(body, |body, test| test.check(subject, body))
        })
    }

    /// Whether a message that matches can have a value at the pointer.
    pub(crate) fn can_hold(&self, pointer: &str) -> bool {
        self.0.iter().any(|tests| {
            let texts = tests.iter().filter_map(|test| match test {
                Test::Equal(text) => Some(text.as_str()),
                _ => None,
            });
            // All of the message is known only from `=text`.
            texts.take(1).all(|text| {
                let subject = Subject { text: Some(text), binary: None };
                let body = tests.iter().try_fold(text, |body, test| test.check(subject, body));
                body.is_some_and(|body| json::find(body, pointer).scalar().is_some())
            })
        })
    }

    pub(crate) fn reach(&self, frames: Frames) -> Reach {
        self.0.iter().fold(Reach::NONE, |reach, tests| {
            let shortest = tests.iter().filter_map(Test::longest).min().unwrap_or(u32::MAX);
            let is_bytes = tests.iter().any(Test::is_bytes);
            let text = (!is_bytes).then_some(shortest);
            let binary = (is_bytes || frames == Frames::Binary).then_some(shortest);
            reach.and(Reach { text, binary })
        })
    }
}

/// The longest messages that rules may be for, in bytes. `None`: none of that kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    text: Option<u32>,
    binary: Option<u32>,
}

impl Reach {
    pub(crate) const NONE: Self = Self { text: None, binary: None };

    pub(crate) fn and(self, other: Self) -> Self {
        Self { text: self.text.max(other.text), binary: self.binary.max(other.binary) }
    }

    pub(crate) fn up_to(self, longest: u32) -> Self {
        let limit = |bytes: Option<u32>| bytes.map(|bytes| bytes.min(longest));
        Self { text: limit(self.text), binary: limit(self.binary) }
    }

    pub(crate) fn interest(self) -> Interest {
        let text = self.text.map_or(Interest::NONE, Interest::texts_up_to);
        text.or(self.binary.map_or(Interest::NONE, Interest::binaries_up_to))
    }
}

/// One pattern as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// `=text`
    Equal(String),
    /// `^prefix`
    Prefix(String),
    /// `~part`
    Part(String),
    /// `hex:d000`
    Bytes(Vec<u8>),
    /// `^hex:20`
    FirstBytes(Vec<u8>),
    /// `/pointer=value`
    Json { rule: JsonRule, hints: Hints },
    /// `/pointer`
    Exists { pointer: String, hints: Hints },
}

/// How a pattern may begin, for errors.
pub(crate) const FORMS: &str = "must be a pattern: /pointer=value, /pointer, =text, ^prefix, ~part, \
                                hex:bytes or ^hex:bytes";

impl Test {
    /// # Errors
    /// What must be instead.
    pub(crate) fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        const HEX: &str = "must have an even number of the digits 0-9 and a-f after hex:";
        if let Some(digits) = text.strip_prefix("hex:") {
            return hex::parse(digits).map(Self::Bytes).ok_or(HEX.into());
        }
        if let Some(digits) = text.strip_prefix("^hex:") {
            return hex::parse(digits).map(Self::FirstBytes).ok_or(HEX.into());
        }
        let mut letters = text.chars();
        let (first, rest) = (letters.next(), letters.as_str().to_string());
        match first {
            Some('=') => Ok(Self::Equal(rest)),
            Some('^') if !rest.is_empty() => Ok(Self::Prefix(rest)),
            Some('~') if !rest.is_empty() => Ok(Self::Part(rest)),
            Some('/') => match text.split_once('=') {
                Some((pointer, value)) => Self::json(pointer, value).map_err(Cow::Owned),
                None => Ok(Self::Exists { pointer: text.into(), hints: Hints::new(text, None) }),
            },
            _ => Err(FORMS.into()),
        }
    }

    /// `/type==pong`, `/type="pong"` and `/type = pong` would match nothing that a server sends. A
    /// value that does begin with such a letter has a backslash before it.
    fn json(pointer: &str, written: &str) -> Result<Self, String> {
        const ESCAPED: [char; 5] = ['=', '"', '\'', ' ', '\\'];
        let value = match written.strip_prefix('\\') {
            Some(literal) if literal.starts_with(ESCAPED) => literal,
            _ if written.starts_with(&ESCAPED[..4]) => {
                let meant = written.trim_start_matches(['=', ' ']).trim_matches(['"', '\'', ' ']);
                let (pointer, meant, written) =
                    (shown(pointer.trim_end()), shown(meant), shown(written));
                return Err(format!(
                    "must be {pointer}={meant}, or {pointer}=\\{written} if the value itself begins so"
                ));
            }
            _ => written,
        };
        let rule = JsonRule::parse(&format!("{pointer}={value}")).ok_or(FORMS)?;
        Ok(Self::Json { rule, hints: Hints::new(pointer, Some(value)) })
    }

    /// Prefixes first, because pointers look behind them; then what is cheap.
    fn cost(&self) -> u8 {
        match self {
            Self::Prefix(_) => 0,
            Self::Equal(_) | Self::Bytes(_) | Self::FirstBytes(_) => 1,
            Self::Part(_) => 2,
            Self::Json { .. } | Self::Exists { .. } => 3,
        }
    }

    pub(crate) fn is_bytes(&self) -> bool {
        matches!(self, Self::Bytes(_) | Self::FirstBytes(_))
    }

    fn longest(&self) -> Option<u32> {
        let bytes = match self {
            Self::Equal(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Prefix(_)
            | Self::Part(_)
            | Self::FirstBytes(_)
            | Self::Json { .. }
            | Self::Exists { .. } => return None,
        };
        u32::try_from(bytes).ok()
    }

    /// Returns what the next test's pointer looks at, if the message passes this one.
    fn check<'a>(&self, subject: Subject<'a>, body: &'a str) -> Option<&'a str> {
        let passes = match self {
            Self::Prefix(prefix) => return subject.text?.strip_prefix(prefix.as_str()),
            Self::Equal(text) => subject.text? == text,
            Self::Part(part) => subject.text?.contains(part.as_str()),
            Self::Bytes(bytes) => subject.binary? == bytes,
            Self::FirstBytes(bytes) => subject.binary?.starts_with(bytes),
            Self::Json { rule, hints } => {
                subject.text.is_some() && hints.allow(body) && rule.matches_text(body)
            }
            Self::Exists { pointer, hints } => {
                let found = || json::find(body, pointer) != Found::Nothing;
                subject.text.is_some() && hints.allow(body) && found()
            }
        };
        passes.then_some(body)
    }
}

/// What a JSON text must contain if it matches, unless it has escapes. Most messages are for no
/// rule, and are so not parsed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hints(Vec<String>);

impl Hints {
    fn new(pointer: &str, value: Option<&str>) -> Self {
        let is_plain = |text: &&str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte);
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.bytes().all(is_letter)
        };
        let name = pointer.rsplit('/').next().filter(is_plain).map(|name| format!("\"{name}\""));
        let value = value.filter(is_plain).map(str::to_string);
        Self(value.into_iter().chain(name).collect())
    }

    fn allow(&self, text: &str) -> bool {
        self.0.iter().all(|hint| text.contains(hint.as_str())) || text.contains('\\')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn pattern(tests: &[&[&str]]) -> Pattern {
        let parse = |tests: &&[&str]| tests.iter().map(|test| Test::parse(test).unwrap()).collect();
        Pattern::new(tests.iter().map(parse).collect())
    }

    fn matches(test: &str, message: Message<'_>, frames: Frames) -> bool {
        pattern(&[&[test]]).find(Subject::new(message, frames)).is_some()
    }

    #[test]
    fn each_form_matches_what_the_guide_says() {
        for (test, text, expected) in [
            ("=pong", "pong", true),
            ("=pong", "pong ", false),
            ("=", "", true),
            ("^40", "40{}", true),
            ("^40", "4", false),
            ("~\"hb-", r#"[3,"hb-1",{}]"#, true),
            ("~x", "y", false),
            ("/op=pong", r#"{"op":"pong"}"#, true),
            ("/op=pong", r#"{"op":"p\u006fng"}"#, true),
            ("/op=pong", r#"{"\u006fp":"pong"}"#, true),
            ("/op=pong", r#"{"op":"ping","of":"pong"}"#, false),
            ("/a/0=1.5", r#"{"a":[1.50]}"#, true),
            ("/id", r#"{"id":{}}"#, true),
            ("/id", r#"{"id":null}"#, false),
            ("/id", r#"{"ID":1}"#, false),
            ("/id", "id", false),
            ("hex:70", "p", false),
        ] {
            assert_eq!(matches(test, Message::Text(text), Frames::Text), expected, "{test} {text}");
        }
    }

    #[test]
    fn bytes_match_binary_messages_and_texts_only_with_binary_frames() {
        let binary = Message::Binary(b"\xd0\x00");
        assert!(matches("hex:d000", binary, Frames::Text));
        assert!(!matches("hex:d0", binary, Frames::Text));
        assert!(matches("^hex:D0", binary, Frames::Text));
        assert!(matches("=PING", Message::Binary(b"PING"), Frames::Binary));
        assert!(!matches("=PING", Message::Binary(b"PING"), Frames::Text));
        assert!(!matches("~P", Message::Binary(b"P\xff"), Frames::Binary), "it is not UTF-8");
    }

    #[test]
    fn a_pointer_looks_behind_the_prefix_of_its_list() {
        let pattern = pattern(&[&["/sid", "^0"], &["=x"]]);
        let subject = |text| Subject::new(Message::Text(text), Frames::Text);
        assert_eq!(pattern.find(subject(r#"0{"sid":"a"}"#)), Some(r#"{"sid":"a"}"#));
        assert_eq!(pattern.find(subject(r#"1{"sid":"a"}"#)), None);
        assert_eq!(pattern.find(subject("0")), None);
        assert_eq!(pattern.find(subject("x")), Some("x"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "pong", "^", "~", "hex:0", "hex:", "^hex:xy", "op=pong"] {
            assert!(Test::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_reach_is_as_short_as_the_patterns_allow() {
        let reach = |tests: &[&[&str]], frames| pattern(tests).reach(frames).interest();
        assert_eq!(reach(&[&["=2"], &["=41"]], Frames::Text), Interest::texts_up_to(2));
        assert_eq!(reach(&[&["/op=pong", "=2"]], Frames::Text), Interest::texts_up_to(1));
        assert_eq!(reach(&[&["^40"]], Frames::Text), Interest::TEXT);
        assert_eq!(reach(&[&["hex:d000"]], Frames::Text), Interest::binaries_up_to(2));
        assert_eq!(reach(&[&["^hex:d0"]], Frames::Text), Interest::BINARY);
        let both = Interest::texts_up_to(4).or(Interest::binaries_up_to(4));
        assert_eq!(reach(&[&["=PING"]], Frames::Binary), both);
        let limited = pattern(&[&["/op=pong"]]).reach(Frames::Text).up_to(256).interest();
        assert_eq!(limited, Interest::texts_up_to(256));
    }

    fn json() -> impl Strategy<Value = Value> {
        let text = prop::sample::select(vec!["pong", "op", "a\"b", "é", "null", ""]);
        let leaf = prop_oneof![
            text.prop_map(Value::from),
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
        ];
        let name = prop::sample::select(vec!["op", "pong", "a\"b", "0", "x y", "é"]);
        leaf.prop_recursive(3, 20, 3, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::vec((name.clone(), inner), 0..3).prop_map(|entries| {
                    entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_hint_never_hides_a_match(
            document in json(),
            tokens in prop::collection::vec(
                prop::sample::select(vec!["op", "pong", "a\"b", "0", "1", "x y", "é"]), 0..3,
            ),
            is_escaped in any::<bool>(),
        ) {
            let pointer: String = tokens.iter().flat_map(|token| ["/", token]).collect();
            let mut text = document.to_string();
            if is_escaped {
                text = text.replace('p', "\\u0070");
            }
            let value = match document.pointer(&pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => return Ok(()),
            };
            if let Some(rule) = JsonRule::parse(&format!("{pointer}={value}")) {
                let hints = Hints::new(&pointer, Some(&value));
                prop_assert!(!rule.matches_text(&text) || hints.allow(&text), "{} {}", rule, text);
            }
        }
    }
}
