//! The bytes of one read, and the fast path for a message that came complete in one frame, as
//! nearly all do.
//!
//! The fast path reads the head twice and the text once. All other frames go to the codec, and so
//! does every frame with an error: so one place decides what is wrong. The codec gets one frame at
//! a time, so it never holds the beginning of a message that could take the fast path.

use bytes::{Buf as _, Bytes};
use tungstenite::Utf8Bytes;

use crate::message::{Message, Text};

/// First byte of an unfragmented text frame (RFC 6455 section 5.2).
pub(super) const TEXT: u8 = 0x81;

/// First byte of an unfragmented binary frame.
pub(super) const BINARY: u8 = 0x82;

/// The most bytes that several messages share in one copy. A larger copy would be cheaper, but one
/// retained message keeps the whole copy alive.
const RUN: usize = 8 << 10;

/// The bytes of one read that are still to be decoded.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    /// The beginning of `rest`: consecutive complete messages, copied once for all of them to
    /// share.
    run: Bytes,
}

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, run: Bytes::new() }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips the bytes that the codec has consumed.
    pub(super) fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }

    /// Takes the message that begins here, if it is complete and has no error. The codec handles
    /// all others.
    #[inline]
    pub(super) fn take_whole(&mut self, longest: usize) -> Option<Message> {
        let whole = Whole::at(self.rest, longest)?;
        if self.run.is_empty() {
            let bytes = self.rest.get(..RUN.max(whole.head + whole.length)).unwrap_or(self.rest);
            self.run = Bytes::copy_from_slice(&bytes[..run_length(bytes, longest)]);
        }
        self.run.advance(whole.head);
        let payload = self.run.split_to(whole.length);
        let message = if whole.is_text {
            let Ok(text) = Utf8Bytes::try_from(payload) else {
                self.run = Bytes::new(); // the codec continues from here, and reports what is wrong
                return None;
            };
            Message::Text(Text::from_codec(text))
        } else {
            Message::Binary(payload)
        };
        self.advance(whole.head + whole.length);
        Some(message)
    }
}

/// How many bytes at the start of `bytes` are complete messages.
fn run_length(bytes: &[u8], longest: usize) -> usize {
    let mut length = 0;
    while let Some(whole) = Whole::at(&bytes[length..], longest) {
        length += whole.head + whole.length;
    }
    length
}

/// A message in one frame: unmasked, without reserved bits, its length in the least number of
/// bytes.
struct Whole {
    is_text: bool,
    head: usize,
    length: usize,
}

impl Whole {
    #[inline]
    fn at(bytes: &[u8], longest: usize) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let is_text = match first {
            TEXT => true,
            BINARY => false,
            _ => return None,
        };
        let (head, length) = match second {
            0..=125 => (2, usize::from(second)),
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
            _ => return None,
        };
        let is_least = head == 2 || length > 125;
        let is_whole = length <= longest && length <= bytes.len().checked_sub(head)?;
        (is_least && is_whole).then_some(Self { is_text, head, length })
    }
}
