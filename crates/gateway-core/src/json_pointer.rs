//! Finds the value that a JSON pointer ([RFC 6901]) leads to. It does so while it parses the text,
//! so a long text takes no memory.
//!
//! [RFC 6901]: https://www.rfc-editor.org/rfc/rfc6901

use alloc::borrow::Cow;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Finds the value that `pointer` leads to, and returns what `leaf` makes of it.
///
/// Returns `None` if `text` is not JSON or has no such value. If an object has a name twice, the
/// last one counts; `leaf` is called for each.
pub fn find<'de, L>(text: &'de str, pointer: &str, leaf: L) -> Option<L::Value>
where
    L: DeserializeSeed<'de> + Copy,
{
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return None;
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let found = Target { pointer, leaf }.deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    found
}

/// Splits a pointer into its first token, unescaped, and the pointer behind it. Returns `None` if
/// the pointer is empty.
#[must_use]
pub fn split_first(pointer: &str) -> Option<(Cow<'_, str>, &str)> {
    let path = pointer.strip_prefix('/')?;
    let end = path.find('/').unwrap_or(path.len());
    let (token, rest) = path.split_at(end);
    let is_escaped = token.contains('~');
    let token = if is_escaped {
        Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(token)
    };
    Some((token, rest))
}

/// Returns the list index that a token is: decimal, without a sign or leading zeros (RFC 6901
/// section 4).
#[must_use]
pub fn index(token: &str) -> Option<usize> {
    let is_canonical = token == "0" || !token.starts_with(['0', '+']);
    is_canonical.then(|| token.parse().ok())?
}

/// Applies what is left of the pointer to the value that is parsed next.
#[derive(Clone, Copy)]
struct Target<'a, L> {
    /// Empty, or a `/` and the next token.
    pointer: &'a str,
    leaf: L,
}

impl<'de, L: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for Target<'_, L> {
    type Value = Option<L::Value>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        if self.pointer.is_empty() {
            self.leaf.deserialize(parser).map(Some)
        } else {
            parser.deserialize_any(self)
        }
    }
}

/// Looks for the next token in a list or an object. The pointer is not empty.
impl<'de, L: DeserializeSeed<'de> + Copy> Visitor<'de> for Target<'_, L> {
    type Value = Option<L::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let step = split_first(self.pointer)
            .and_then(|(token, pointer)| Some((index(&token)?, Self { pointer, ..self })));
        let mut found = None;
        for place in 0_usize.. {
            let is_there = match step {
                Some((index, target)) if index == place => {
                    let item = items.next_element_seed(target)?;
                    item.map(|value| found = value).is_some()
                }
                _ => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !is_there {
                break;
            }
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let step = split_first(self.pointer);
        let name = step.as_ref().map(|(token, _)| &**token);
        let mut found = None;
        while let Some(is_named) = entries.next_key_seed(Name(name))? {
            match step {
                Some((_, pointer)) if is_named => {
                    found = entries.next_value_seed(Self { pointer, ..self })?;
                }
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Whether an object's name is this one.
struct Name<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<bool, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use core::marker::PhantomData;
    use std::vec::Vec;

    use super::*;

    fn find_number(text: &str, pointer: &str) -> Option<u64> {
        find(text, pointer, PhantomData::<u64>)
    }

    #[test]
    fn a_pointer_leads_through_lists_and_objects() {
        let text = r#"{"a/~":[1,{"":2,"":3}],"":4}"#;

        assert_eq!(find_number(text, "/a~1~0/0"), Some(1));
        assert_eq!(find_number(text, "/a~1~0/1/"), Some(3), "of two names the last counts");
        assert_eq!(find_number(text, "/"), Some(4));
        assert_eq!(find_number("5", ""), Some(5));
        for nothing in ["/a~1~0/2", "/a~1~0/00", "/a~1~0/+0", "/a~1~0/-", "//x", "/x", "a", "x/"] {
            assert_eq!(find_number(text, nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_pointer_is_split_into_unescaped_tokens() {
        let tokens = |mut pointer| {
            let mut tokens = Vec::new();
            while let Some((token, rest)) = split_first(pointer) {
                tokens.push(token);
                pointer = rest;
            }
            tokens
        };

        assert!(tokens("").is_empty());
        assert_eq!(tokens("/"), [""]);
        assert_eq!(tokens("/a~1b//~01"), ["a/b", "", "~1"]);
    }
}
