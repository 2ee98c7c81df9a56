//! Texts that came whole in one read. They are copied one behind the other, without their heads,
//! checked at once, and share this copy.

use bytestring::ByteString;

use super::input::SHARED;
use crate::message::Text;

/// The most texts of a run.
const MOST: usize = 256;

/// A run of texts, of which the first have been taken.
#[derive(Debug)]
pub(super) struct Run {
    /// The bytes of the run while it grows. Its memory serves all runs of a read.
    bytes: Vec<u8>,
    copy: ByteString,
    /// Where in `copy` the next text begins.
    at: usize,
    lengths: [u16; MOST],
    next: usize,
    count: usize,
}

impl Run {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            copy: ByteString::new(),
            at: 0,
            lengths: [0; MOST],
            next: 0,
            count: 0,
        }
    }

    /// Begins a new run. All texts of the last one were taken.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        (self.at, self.next, self.count) = (0, 0, 0);
    }

    /// Copies a text into the run. Returns whether there was room. `behind` bytes of the read follow
    /// the text.
    #[inline(always)]
    pub(super) fn push(&mut self, text: &[u8], behind: usize) -> bool {
        let length = self.bytes.len() + text.len();
        if self.count == MOST || length > SHARED {
            return false;
        }
        if self.count == 0 {
            self.bytes.reserve(SHARED.min(length + behind));
        }
        self.bytes.extend_from_slice(text);
        self.lengths[self.count] = text.len() as u16; // it fits: see SHARED
        self.count += 1;
        true
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

    /// Ends the run and checks its texts. Returns whether all are UTF-8. If one is not, the run ends
    /// before it.
    #[inline]
    pub(super) fn finish(&mut self) -> bool {
        let whole = simdutf8::basic::from_utf8(&self.bytes);
        // One text could end with the first bytes of a character, and the next one begin with the rest.
        match whole.ok().filter(|copy| self.ends().all(|end| copy.is_char_boundary(end))) {
            Some(copy) => {
                self.copy = ByteString::from(copy);
                true
            }
            None => {
                self.cut();
                false
            }
        }
    }

    /// Where each text ends.
    fn ends(&self) -> impl Iterator<Item = usize> {
        self.lengths[..self.count].iter().scan(0, |end, length| {
            *end += usize::from(*length);
            Some(*end)
        })
    }

    /// Ends the run before the first text that is not UTF-8.
    #[cold]
    fn cut(&mut self) {
        let mut rest = &self.bytes[..];
        let mut copy = String::new();
        for index in 0..self.count {
            let (text, behind) = rest.split_at(usize::from(self.lengths[index]));
            let Ok(text) = str::from_utf8(text) else {
                self.count = index;
                break;
            };
            copy.push_str(text);
            rest = behind;
        }
        self.copy = copy.into();
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
