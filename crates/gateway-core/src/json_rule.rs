//! A JSON pointer and the value that it must point to.

use alloc::string::{String, ToString};
use core::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Number;

use crate::json_pointer;
use crate::json_value::Plain;

/// A JSON pointer ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)) and the value that it must
/// point to.
///
/// It is written as `POINTER=VALUE`, such as `/type=login_ok`. A string matches by its content. Any
/// other value, such as a number or a boolean, matches by its JSON text without white space. If an
/// object has a name twice, the last one counts.
///
/// ```
/// use gateway_core::JsonRule;
/// let rule = JsonRule::parse("/payload/ok=true").unwrap();
/// assert!(rule.matches_text(r#"{"payload":{"ok":true}}"#));
/// assert!(!rule.matches_text(r#"{"payload":{"ok":false}}"#));
/// assert!(JsonRule::parse("payload=true").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonRule {
    pub(crate) pointer: String,
    pub(crate) value: String,
}

impl JsonRule {
    /// Parses `POINTER=VALUE`. Returns `None` unless the pointer is empty or starts with `/`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (pointer, value) = text.split_once('=')?;
        let valid = pointer.is_empty() || pointer.starts_with('/');
        valid.then(|| Self { pointer: pointer.to_string(), value: value.to_string() })
    }

    /// Whether `text` is JSON that has the value at the pointer.
    #[must_use]
    pub fn matches_text(&self, text: &str) -> bool {
        json_pointer::find(text, &self.pointer, Equals(&self.value)).unwrap_or(false)
    }
}

impl fmt::Display for JsonRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pointer, self.value)
    }
}

/// Whether the value at the pointer is this one.
#[derive(Clone, Copy)]
struct Equals<'a>(&'a str);

impl Equals<'_> {
    fn is(self, text: &str) -> bool {
        self.0 == text
    }
}

impl<'de> DeserializeSeed<'de> for Equals<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<bool, D::Error> {
        parser.deserialize_any(self)
    }
}

/// Keeps a list or an object in memory only if the rule's value starts like one, which is rare.
impl<'de> Visitor<'de> for Equals<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(self.is(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.is(if value { "true" } else { "false" }))
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(self.is("null"))
    }

    fn visit_u64<E>(self, number: u64) -> Result<bool, E> {
        Ok(self.is(&number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<bool, E> {
        Ok(self.is(&number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<bool, E> {
        Ok(Number::from_f64(number).is_some_and(|number| self.is(&number.to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<bool, A::Error> {
        if !self.0.starts_with('[') {
            return IgnoredAny.visit_seq(items).map(|IgnoredAny| false);
        }
        let Plain(list) = Plain::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(self.is(&list.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<bool, A::Error> {
        if !self.0.starts_with('{') {
            return IgnoredAny.visit_map(entries).map(|IgnoredAny| false);
        }
        let Plain(object) = Plain::deserialize(MapAccessDeserializer::new(entries))?;
        Ok(self.is(&object.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What the rule says of the whole document in memory.
    fn expected(rule: &JsonRule, text: &str) -> bool {
        let Ok(document) = serde_json::from_str::<Value>(text) else { return false };
        match document.pointer(&rule.pointer) {
            Some(Value::String(text)) => *text == rule.value,
            Some(other) => {
                let text = other.to_string();
                text == rule.value
            }
            None => false,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            prop_oneof![any::<u64>().prop_map(Number::from), any::<i64>().prop_map(Number::from)]
                .prop_map(Value::Number),
            any::<f64>()
                .prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
            "[a~/1\"\\\\é]{0,3}".prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((name(), inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn name() -> impl Strategy<Value = String> {
        prop::sample::select(std::vec!["", "a", "b", "~", "/", "0", "00", "1"])
            .prop_map(String::from)
    }

    /// Pointers, most of which lead somewhere in such a document.
    fn pointer() -> impl Strategy<Value = String> {
        let token = name().prop_map(|name| name.replace('~', "~0").replace('/', "~1"));
        let tokens = prop::collection::vec(token, 0..4);
        tokens.prop_map(|tokens| tokens.iter().flat_map(|token| ["/", token]).collect())
    }

    proptest! {
        #[test]
        fn the_value_is_found_as_in_the_whole_document(
            document in json(), pointer in pointer(), other in "[a-z0-9]{0,3}", takes_other in any::<bool>(),
        ) {
            let text = document.to_string();
            let value = match document.pointer(&pointer) {
                Some(Value::String(text)) if !takes_other => text.clone(),
                Some(found) if !takes_other => found.to_string(),
                _ => other,
            };
            let rule = JsonRule { pointer, value };
            prop_assert_eq!(rule.matches_text(&text), expected(&rule, &text), "{} in {}", rule, text);
        }
    }

    #[test]
    fn only_a_whole_document_matches_and_of_two_names_the_last_counts() {
        let rule = JsonRule::parse("/a=1").unwrap();
        for (text, is_match) in [
            (r#"{"a":1}"#, true),
            (r#" { "b" : [1,{"a":2}] , "\u0061" : 1 } "#, true),
            (r#"{"a":2,"a":1}"#, true),
            (r#"{"a":1,"a":2}"#, false),
            (r#"{"a":1"#, false),
            (r#"{"a":1} x"#, false),
            (r#"{"a":"1"}"#, true),
            (r#"{"a":[1]}"#, false),
            ("[1]", false),
            ("1", false),
        ] {
            assert_eq!(rule.matches_text(text), is_match, "{text}");
            assert_eq!(expected(&rule, text), is_match, "{text}");
        }
    }

    #[test]
    fn each_kind_of_value_matches_its_own_text_alone() {
        for value in ["null", "true", "false", "0", "18446744073709551615", "-1", "1.5", "-1e300"] {
            let document: Value = serde_json::from_str(value).unwrap();
            let rule = |value| JsonRule { pointer: String::new(), value };
            assert!(rule(document.to_string()).matches_text(value), "{value}");
            assert!(!rule(String::from("x")).matches_text(value), "{value}");
        }
    }

    #[test]
    fn a_string_matches_by_its_content() {
        let rule = JsonRule::parse("/a=x y").unwrap();

        assert!(rule.matches_text(r#"{"a":"x y"}"#));
        assert!(rule.matches_text(r#"{"a":"\u0078 y"}"#));
        assert!(!rule.matches_text(r#"{"a":"x"}"#));
    }

    #[test]
    fn lists_and_objects_match_by_their_text() {
        let text = r#"{"a":[ 1, 2 ],"b":{ "c" : {} }}"#;
        for (rule, is_match) in [
            ("/a=[1,2]", true),
            ("/a=[1]", false),
            (r#"/b={"c":{}}"#, true),
            ("/b/c={}", true),
            ("/a/1=2", true),
            ("/a/01=2", false),
        ] {
            assert_eq!(JsonRule::parse(rule).unwrap().matches_text(text), is_match, "{rule}");
        }
    }

    #[test]
    fn a_text_that_nests_too_deeply_matches_nothing() {
        let deep: Vec<_> = ["[".repeat(1_000), "]".repeat(1_000)].into();
        assert!(!JsonRule::parse("/a=1").unwrap().matches_text(&deep.concat()));
    }
}
