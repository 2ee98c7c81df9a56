//! A JSON value in memory, read from a text that a peer sent.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a value from JSON; `None` if the text is not JSON, or nests more than 127 levels deep.
///
/// Use it for texts of a peer, and not `Value`'s own `Deserialize`. If any crate of the program turns
/// on `serde_json`'s feature `raw_value`, that reads the text of a string under a certain key as JSON
/// again, with a new limit of depth. A peer can so overflow the stack.
#[must_use]
pub fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|Plain(value)| value)
}

/// A value whose names and strings mean nothing else.
pub(crate) struct Plain(pub(crate) Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read).map(Self)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Plain(value))) = entries.next_entry::<String, Plain>()? {
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_serde_json_uses_for_itself_is_a_name() {
        let text = r#"{"$serde_json::private::RawValue":"[1]"}"#;
        let value = parse(text).unwrap();
        assert_eq!(value["$serde_json::private::RawValue"], "[1]");
        assert_eq!(
            parse(r#"{"$serde_json::private::RawValue":1}"#).unwrap().as_object().unwrap().len(),
            1
        );
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_none() {
        assert_eq!(parse("[1] x"), None);
        assert_eq!(parse(&"[".repeat(1_000)), None);
    }

    proptest! {
        #[test]
        fn any_other_text_is_read_as_serde_json_reads_it(text in r#"[\[\]{}",:0-9a-z. -]{0,40}"#) {
            prop_assert_eq!(parse(&text), serde_json::from_str::<Value>(&text).ok());
        }
    }
}
