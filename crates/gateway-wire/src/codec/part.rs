//! A message that is not complete. Its memory grows as bytes arrive, and a text is checked as it
//! arrives (sections 5.6 and 8.1).

use bytes::Bytes;

use super::breach::Breach;
use super::head::Kind;
use crate::message::{Message, Text};

/// The most bytes that are reserved because they were announced, before as many have arrived.
const AHEAD: usize = 64 << 10;

#[derive(Debug)]
pub(super) enum Part {
    Text(Checked),
    Binary(Vec<u8>),
}

/// A text, and the first bytes of a character that is not complete.
#[derive(Debug, Default)]
pub(super) struct Checked {
    text: String,
    begun: [u8; 4],
    have: usize,
}

impl Part {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(Checked::default()),
            Kind::Binary => Self::Binary(Vec::new()),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(checked) => checked.text.len() + checked.have,
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Appends bytes of a frame. The frame announced `left` more. If the frame is not the last one, the
    /// memory at least doubles when it grows. Otherwise each small fragment could copy the message.
    pub(super) fn push(&mut self, bytes: &[u8], left: u64, is_final: bool) -> Result<(), Breach> {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let ahead = |held: usize| {
            let announced = left.min(held.max(AHEAD));
            if is_final { announced } else { announced.max(held) }
        };
        match self {
            Self::Text(checked) => {
                let coming = checked.have + bytes.len();
                let (held, room) = (checked.text.len(), checked.text.capacity());
                if room - held < coming {
                    checked.text.reserve_exact(coming.saturating_add(ahead(held)));
                }
                checked.push(bytes)
            }
            Self::Binary(held) => {
                if held.capacity() - held.len() < bytes.len() {
                    held.reserve_exact(bytes.len().saturating_add(ahead(held.len())));
                }
                held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> Result<Message, Breach> {
        match self {
            Self::Text(Checked { have: 1.., .. }) => Err(Breach::Text),
            Self::Text(Checked { text, .. }) => Ok(Message::Text(Text::from(text))),
            Self::Binary(bytes) => Ok(Message::Binary(Bytes::from(bytes))),
        }
    }
}

impl Checked {
    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Breach> {
        while self.have > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.begun[self.have] = byte;
            self.have += 1;
            match std::str::from_utf8(&self.begun[..self.have]) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.have = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Breach::Text),
            }
        }
        let (whole, begun) = match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => (text, &[][..]),
            Err(error) if error.error_len().is_none() => {
                let (whole, begun) = bytes.split_at(error.valid_up_to());
                (std::str::from_utf8(whole).map_err(|_| Breach::Text)?, begun)
            }
            Err(_) => return Err(Breach::Text),
        };
        self.text.push_str(whole);
        self.begun[..begun.len()].copy_from_slice(begun); // at most three bytes
        self.have = begun.len();
        Ok(())
    }
}
