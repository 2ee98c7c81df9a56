//! Which messages a dialect wants to see.

use crate::event::Message;

/// Which messages a [`Dialect`](crate::Dialect) wants to see, by kind and length.
///
/// The narrower the interest, the faster are all other messages: they skip the dialect.
///
/// ```
/// use gateway_core::{Interest, Message};
/// let interest = Interest::texts_up_to(2).or(Interest::BINARY);
/// assert!(interest.wants(Message::Text("2")));
/// assert!(!interest.wants(Message::Text("42[\"news\"]")));
/// assert!(interest.wants(Message::Binary(&[0; 64])));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    /// Texts shorter than this.
    text_below: u32,
    /// Binary messages shorter than this.
    binary_below: u32,
}

impl Interest {
    /// No message.
    pub const NONE: Self = Self { text_below: 0, binary_below: 0 };

    /// Every text message.
    pub const TEXT: Self = Self { text_below: u32::MAX, binary_below: 0 };

    /// Every binary message.
    pub const BINARY: Self = Self { text_below: 0, binary_below: u32::MAX };

    /// Every message.
    pub const ALL: Self = Self::TEXT.or(Self::BINARY);

    /// Text messages of at most this many bytes.
    #[must_use]
    pub const fn texts_up_to(bytes: u32) -> Self {
        Self { text_below: bytes.saturating_add(1), binary_below: 0 }
    }

    /// Binary messages of at most this many bytes.
    #[must_use]
    pub const fn binaries_up_to(bytes: u32) -> Self {
        Self { text_below: 0, binary_below: bytes.saturating_add(1) }
    }

    /// What either of the two wants.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        const fn greater(one: u32, other: u32) -> u32 {
            if one > other { one } else { other }
        }
        Self {
            text_below: greater(self.text_below, other.text_below),
            binary_below: greater(self.binary_below, other.binary_below),
        }
    }

    /// Whether it includes this message.
    #[must_use]
    #[inline]
    pub const fn wants(self, message: Message<'_>) -> bool {
        let (bytes, below) = match message {
            Message::Text(text) => (text.len(), self.text_below),
            Message::Binary(bytes) => (bytes.len(), self.binary_below),
        };
        // The longest message that may be configured has 1 GiB.
        bytes < below as usize
    }
}
