//! The bytes of one read.

use bytes::{Buf as _, Bytes};
use tungstenite::Utf8Bytes;

use super::breach::Breach;
use super::head::Kind;
use crate::message::{Message, Text};

/// The most bytes that several messages share in one copy. A larger copy would be cheaper, but one
/// retained message keeps the whole copy alive.
const RUN: usize = 8 << 10;

/// The bytes of one read that are still to be decoded.
#[derive(Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
    /// A copy of the beginning of `rest`, for the messages in it to share.
    run: Bytes,
}

impl<'a> Input<'a> {
    /// Creates an input of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, run: Bytes::new() }
    }

    /// The bytes that are still to be decoded.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips bytes that were decoded.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count..];
        self.run.advance(count.min(self.run.len()));
    }

    /// Takes a payload of this length, which has come whole.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        let Some((payload, rest)) = self.rest.split_at_checked(length) else { return Bytes::new() };
        if length > RUN {
            self.advance(length);
            return Bytes::copy_from_slice(payload);
        }
        if self.run.len() < length {
            self.run = Bytes::copy_from_slice(&self.rest[..RUN.min(self.rest.len())]);
        }
        self.rest = rest;
        self.run.split_to(length)
    }

    /// Takes a message whose payload has come whole.
    #[inline]
    pub(super) fn take_message(&mut self, kind: Kind, length: usize) -> Result<Message, Breach> {
        let payload = self.take(length);
        Ok(match kind {
            Kind::Text => {
                let text = Utf8Bytes::try_from(payload).map_err(|_| Breach::Text)?;
                Message::Text(Text::from_codec(text))
            }
            Kind::Binary => Message::Binary(payload),
        })
    }
}
