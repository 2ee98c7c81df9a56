//! The header fields of the answer that opened a socket.

use std::fmt;
use std::str;

use super::head::Head;

/// The header fields of the server's last answer 101, in their order. It takes no more memory than
/// their text.
///
/// `Debug` shows only the number of fields: values may be secret, such as cookies.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResponseHeaders(Box<[u8]>);

impl ResponseHeaders {
    pub(super) fn of(head: &Head<'_>) -> Self {
        let mut lines = Vec::new();
        for (name, value) in head.fields() {
            for part in [name.as_bytes(), b":", value, b"\n"] {
                lines.extend_from_slice(part);
            }
        }
        Self(lines.into())
    }

    /// Returns the value of the first field of this name, if it is text. Case does not matter in a
    /// name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?.1;
        str::from_utf8(value).ok()
    }

    /// Returns every field, with its value without surrounding spaces.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // Neither a name nor a value contains a line end, and a name contains no colon.
        self.0.split(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
        })
    }
}

impl fmt::Debug for ResponseHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.iter().count();
        f.debug_struct("ResponseHeaders").field("count", &count).finish_non_exhaustive()
    }
}
