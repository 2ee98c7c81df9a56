//! Finds one value in a JSON text.

use std::fmt;

use gateway_core::json_pointer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// A string, a number or a boolean, which a message may hold for a later one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Number(Number),
    Boolean(bool),
}

impl Scalar {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
        }
    }
}

/// What a JSON pointer leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// Nothing or `null`, or the text is not JSON.
    Nothing,
    Scalar(Scalar),
    /// A list or an object.
    Other,
}

impl Found {
    pub(crate) fn scalar(self) -> Option<Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            Self::Nothing | Self::Other => None,
        }
    }
}

/// Finds what a JSON pointer (RFC 6901) leads to. If an object has a name twice, the last one
/// counts.
pub(crate) fn find(text: &str, pointer: &str) -> Found {
    json_pointer::find(text, pointer, Leaf).unwrap_or(Found::Nothing)
}

/// Reads the value that a pointer leads to.
#[derive(Clone, Copy)]
struct Leaf;

impl Leaf {
    fn number(number: Option<Number>) -> Found {
        number.map_or(Found::Other, |number| Found::Scalar(Scalar::Number(number)))
    }
}

impl<'de> DeserializeSeed<'de> for Leaf {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Found, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Leaf {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Scalar(Scalar::Text(text.to_string())))
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Found, E> {
        Ok(Found::Scalar(Scalar::Boolean(boolean)))
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Nothing)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Found, E> {
        Ok(Self::number(Some(number.into())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Found, E> {
        Ok(Self::number(Some(number.into())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Found, E> {
        Ok(Self::number(Number::from_f64(number)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Found, A::Error> {
        IgnoredAny.visit_seq(items).map(|IgnoredAny| Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Found, A::Error> {
        IgnoredAny.visit_map(entries).map(|IgnoredAny| Found::Other)
    }
}

/// Writes `text` as the inside of a JSON string.
pub(crate) fn write_escaped(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    for letter in text.chars() {
        match letter {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control < ' ' => write!(f, "\\u{:04x}", u32::from(control))?,
            other => f.write_char(other)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    struct Escaped<'a>(&'a str);

    impl fmt::Display for Escaped<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_escaped(self.0, f)
        }
    }

    #[test]
    fn a_pointer_finds_scalars_and_says_what_else_is_there() {
        let text = r#"{"a":{"b~/":[7,"x",-1.5,true,null,{}]},"a2":1,"a2":2}"#;
        let found = |pointer| find(text, pointer);
        let number = |number: Value| match number {
            Value::Number(number) => Found::Scalar(Scalar::Number(number)),
            _ => Found::Other,
        };
        assert_eq!(found("/a/b~0~1/0"), number(json!(7)));
        assert_eq!(found("/a/b~0~1/1"), Found::Scalar(Scalar::Text("x".into())));
        assert_eq!(found("/a/b~0~1/2"), number(json!(-1.5)));
        assert_eq!(found("/a/b~0~1/3"), Found::Scalar(Scalar::Boolean(true)));
        for other in ["/a/b~0~1/5", "/a", "/a/b~0~1", ""] {
            assert_eq!(found(other), Found::Other, "{other}");
        }
        for nothing in ["/a/b~0~1/4", "/a/b~0~1/6", "/a/b~0~1/00", "/x", "/a/x/y", "/a2/x"] {
            assert_eq!(found(nothing), Found::Nothing, "{nothing}");
        }
        assert_eq!(found("/a2"), number(json!(2)), "of two names the last counts");
        assert_eq!(find(r#"{"a":1} x"#, "/a"), Found::Nothing);
        assert_eq!(find(&"[".repeat(1_000), "/0"), Found::Nothing);
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back_as_it_was(text in any::<String>()) {
            let json = format!("\"{}\"", Escaped(&text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
