//! Messages of the application, owned.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use bytestring::ByteString;
use gateway_core::Frame;

/// A message of the application. Cloning a message shares its payload.
///
/// Messages that came in one read share one copy of that read, of at most 8 KiB. One retained
/// message keeps the whole copy alive, so copy the payload of a small message that you keep for
/// long.
///
/// ```
/// use gateway_wire::Message;
/// let message = Message::text("hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(message.len(), 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 defines no third kind
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Creates a text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// Creates a binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// Returns the text of a text message; `None` for a binary message.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the payload's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Returns the payload's length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// A copy with a payload of its own. If it is dropped, no code of the application's runs: the
    /// payload of a message may be the application's own buffer.
    pub(crate) fn detached(&self) -> Self {
        match self {
            Self::Text(text) => Self::text(text.as_str()),
            Self::Binary(bytes) => Self::binary(Bytes::copy_from_slice(bytes)),
        }
    }

    /// The message in the core's type.
    pub(crate) fn borrowed(&self) -> gateway_core::Message<'_> {
        match self {
            Self::Text(text) => gateway_core::Message::Text(text),
            Self::Binary(bytes) => gateway_core::Message::Binary(bytes),
        }
    }

    /// The frame of the message, in the core's type.
    pub(crate) fn as_frame(&self) -> Frame<'_> {
        match self {
            Self::Text(text) => Frame::Text(text),
            Self::Binary(bytes) => Frame::Binary(bytes),
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

/// The payload of a text message: UTF-8 bytes. Clones share them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(ByteString);

impl Text {
    pub(crate) fn from_codec(text: ByteString) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
