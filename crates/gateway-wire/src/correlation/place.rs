//! Finds the place of an id in a JSON text, as byte offsets.
//!
//! `serde_json` skips each value that is not on the way to the id, and returns where it ends. This
//! file reads only names and punctuation.
//!
//! `serde_json::value::RawValue` also has offsets, but only with the feature `raw_value`. With this
//! feature, the whole program reads a `Value` in another way: it parses the string in
//! `{"$serde_json::private::RawValue": ".."}` as JSON, with a new limit of depth. A peer can nest
//! such objects until the stack overflows.

use std::ops::Range;

use gateway_core::json_pointer::index;
use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// Where an id is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Instead of the value at these offsets.
    Value(Range<usize>),
    /// As the first member of an object, at the offset behind its brace. `is_only`: the object is
    /// empty.
    Member { at: usize, is_only: bool },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson;

/// Finds the place at the end of a pointer, which has these tokens. Returns `None` if the object or
/// list around it does not exist.
pub(super) fn find(text: &str, tokens: &[String]) -> Result<Option<Place>, NotJson> {
    let mut cursor = Cursor { text, at: 0 };
    let place = cursor.find(tokens)?;
    if cursor.peek().is_none() { Ok(place) } else { Err(NotJson) }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    /// Reads one value, and finds the place in it.
    fn find(&mut self, tokens: &[String]) -> Result<Option<Place>, NotJson> {
        match (tokens, self.peek()) {
            ([], _) => self.skip_value().map(|value| Some(Place::Value(value))),
            ([name, rest @ ..], Some(b'{')) => self.find_member(name, rest),
            ([token, rest @ ..], Some(b'[')) => self.find_item(index(token), rest),
            (_, _) => self.skip_value().map(|_| None),
        }
    }

    /// If an object has the name twice, the last one counts.
    fn find_member(&mut self, name: &str, rest: &[String]) -> Result<Option<Place>, NotJson> {
        self.at += 1;
        let at = self.at;
        let is_only = self.take(b'}');
        let mut found = None;
        let mut goes_on = !is_only;
        while goes_on {
            let is_named = self.read_name(name)?;
            if self.read()? != b':' {
                return Err(NotJson);
            }
            if is_named {
                found = self.find(rest)?;
            } else {
                self.skip_value()?;
            }
            goes_on = self.goes_on(b'}')?;
        }
        let insertion = rest.is_empty().then_some(Place::Member { at, is_only });
        Ok(found.or(insertion))
    }

    fn find_item(
        &mut self,
        index: Option<usize>,
        rest: &[String],
    ) -> Result<Option<Place>, NotJson> {
        self.at += 1;
        let mut found = None;
        let mut goes_on = !self.take(b']');
        for place in 0_usize.. {
            if !goes_on {
                break;
            }
            if index == Some(place) {
                found = self.find(rest)?;
            } else {
                self.skip_value()?;
            }
            goes_on = self.goes_on(b']')?;
        }
        Ok(found)
    }

    /// Reads what follows a member or an item. Returns whether another one follows.
    fn goes_on(&mut self, closing: u8) -> Result<bool, NotJson> {
        match self.read()? {
            b',' => Ok(true),
            byte if byte == closing => Ok(false),
            _ => Err(NotJson),
        }
    }

    /// Skips white space, and reads the next byte.
    fn read(&mut self) -> Result<u8, NotJson> {
        let byte = self.peek().ok_or(NotJson)?;
        self.at += 1;
        Ok(byte)
    }

    /// Reads the next byte if it is this one.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Skips white space, and returns the next byte without reading it.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let space = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        let skipped = space.count();
        self.at += skipped;
        rest.get(skipped).copied()
    }

    /// Reads a name, and returns whether it is this one.
    fn read_name(&mut self, name: &str) -> Result<bool, NotJson> {
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        let rest = &self.text[self.at + 1..];
        // Calls of `serde_json` for each name would make this 50 % slower.
        let is_end = |byte| matches!(byte, b'"' | b'\\' | ..b' ');
        let end = rest.bytes().position(is_end).ok_or(NotJson)?;
        if rest.as_bytes()[end] == b'"' {
            self.at += end + 2;
            return Ok(rest[..end] == *name);
        }
        let written = self.skip_value()?;
        let read = serde_json::from_str::<String>(&self.text[written]).map_err(|_| NotJson)?;
        Ok(read == name)
    }

    /// Skips white space and one value. Returns where the value is.
    fn skip_value(&mut self) -> Result<Range<usize>, NotJson> {
        self.peek();
        let start = self.at;
        let mut values = Deserializer::from_str(&self.text[start..]).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(IgnoredAny)) => self.at += values.byte_offset(),
            Some(Err(_)) | None => return Err(NotJson),
        }
        Ok(start..self.at)
    }
}
