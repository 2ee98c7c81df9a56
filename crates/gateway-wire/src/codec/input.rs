//! The bytes of one read.

use bytes::{Buf as _, Bytes};

use super::run::Run;
use crate::message::Text;

/// The most bytes that several messages share in one copy. A larger copy would be cheaper, but one
/// retained message keeps the whole copy alive.
pub(super) const SHARED: usize = 8 << 10;

/// The bytes of one read that are still to be decoded.
#[derive(Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
    /// Messages in front of `rest`, which the codec has judged.
    pub(super) texts: Run,
    /// A copy of the beginning of `rest`, for the binary messages in it to share.
    copy: Bytes,
}

impl<'a> Input<'a> {
    /// Creates an input of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, texts: Run::new(), copy: Bytes::new() }
    }

    /// The bytes that are still to be decoded.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left: neither bytes, nor messages that were decoded ahead.
    #[inline]
    pub(super) const fn is_used_up(&self) -> bool {
        self.rest.is_empty() && self.texts.is_over()
    }

    /// Skips bytes that were decoded.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count..];
        if !self.copy.is_empty() {
            self.copy.advance(count.min(self.copy.len()));
        }
    }

    /// Takes the next message, if it is a text that the codec has found together with others.
    #[inline(always)]
    pub(crate) fn next_text(&mut self) -> Option<Text> {
        self.texts.next()
    }

    /// Takes a binary payload of this length, which has come whole.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        let Some((payload, rest)) = self.rest.split_at_checked(length) else { return Bytes::new() };
        if length > SHARED {
            self.advance(length);
            return Bytes::copy_from_slice(payload);
        }
        if self.copy.len() < length {
            self.copy = Bytes::copy_from_slice(&self.rest[..SHARED.min(self.rest.len())]);
        }
        self.rest = rest;
        self.copy.split_to(length)
    }
}
