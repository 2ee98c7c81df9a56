//! Texts that came whole in one read. They are copied one behind the other, without their heads, and
//! share this copy.

use bytestring::ByteString;

use super::input::SHARED;
use crate::message::Text;

/// The most texts of a run.
const MOST: usize = 64;

/// A run of texts, of which the first have been taken.
#[derive(Debug)]
pub(super) struct Run {
    copy: ByteString,
    /// Where in `copy` the next text begins.
    at: usize,
    lengths: [u16; MOST],
    next: usize,
    count: usize,
}

impl Run {
    pub(super) const fn new() -> Self {
        Self { copy: ByteString::new(), at: 0, lengths: [0; MOST], next: 0, count: 0 }
    }

    /// Begins a new run. All texts of the last one were taken.
    #[inline]
    pub(super) const fn begin(&mut self) {
        (self.at, self.next, self.count) = (0, 0, 0);
    }

    /// Copies a text into the run, if there is room. `behind` bytes of the read follow the text.
    #[inline(always)]
    pub(super) fn push(&mut self, copy: &mut String, text: &[u8], behind: usize) -> Added {
        if self.count == 0 {
            // What nothing follows gets what it needs, and what is long does not share.
            let shared = if behind == 0 { 0 } else { SHARED.min(text.len() + behind) };
            *copy = String::with_capacity(text.len().max(shared));
        } else if self.count == MOST || copy.len() + text.len() > SHARED {
            return Added::NoRoom;
        }
        let Ok(checked) = simdutf8::basic::from_utf8(text) else { return Added::NotUtf8 };
        copy.push_str(checked);
        self.lengths[self.count] = text.len() as u16; // a longer one is the only one
        self.count += 1;
        Added::Yes
    }

    /// Whether no text was added since the run began.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether all texts were taken.
    #[inline]
    pub(super) const fn is_over(&self) -> bool {
        self.next == self.count
    }

    /// Ends the run, and takes its first text.
    #[inline]
    pub(super) fn finish(&mut self, copy: String) -> Option<Text> {
        if self.count == 1 {
            self.count = 0;
            return Some(Text::from(copy));
        }
        self.copy = copy.into();
        self.next()
    }

    /// Takes the next text of a run that has ended.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<Text> {
        if self.is_over() {
            return None;
        }
        let end = self.at + usize::from(self.lengths[self.next]);
        let text = self.copy.slice_ref(&self.copy[self.at..end]);
        (self.at, self.next) = (end, self.next + 1);
        Some(Text::from_codec(text))
    }
}

/// Whether a text was added to a run.
pub(super) enum Added {
    Yes,
    NoRoom,
    NotUtf8,
}
