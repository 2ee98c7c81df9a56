//! A flood: many numbered texts, written from one buffer of ready frames in which only the digits change.

use crate::frames;

/// Digits of a message's number.
const DIGITS: usize = 10;
/// As many frames are ready at once as fit into this, but at least one.
const CHUNK: usize = 128 << 10;
/// A number, a space, and some filler.
const SHORTEST: usize = 16;

/// Texts that one connection is still owed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flood {
    next: u64,
    count: u64,
    bytes: usize,
}

impl Flood {
    /// Reads `go N BYTES`; `None` is any other message.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let rest = str::from_utf8(text.strip_prefix(b"go ")?).ok()?;
        let (count, bytes) = rest.split_once(' ')?;
        let (count, bytes) = (count.parse().ok()?, bytes.parse().ok()?);
        (bytes >= SHORTEST).then_some(Self { next: 0, count, bytes })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next == self.count
    }
}

/// Ready frames of one length, numbered in a row.
pub(crate) struct Chunk {
    buffer: Vec<u8>,
    /// The number of the first frame.
    first: u64,
    /// Payload bytes of a frame.
    bytes: usize,
    /// Bytes of a frame, the header included.
    size: usize,
}

impl Chunk {
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::new(), first: 0, bytes: 0, size: 1 }
    }

    /// The next frames of the flood, as many as are ready.
    pub(crate) fn next(&mut self, flood: &Flood) -> &[u8] {
        if self.bytes != flood.bytes {
            self.build(flood.bytes);
        }
        if self.first != flood.next {
            self.number(flood.next);
        }
        let owed = usize::try_from(flood.count - flood.next).unwrap_or(usize::MAX);
        &self.buffer[..owed.saturating_mul(self.size).min(self.buffer.len())]
    }

    /// Counts written bytes of [`Self::next`]. Returns the unwritten bytes of the frame that is cut.
    pub(crate) fn written(&self, flood: &mut Flood, written: usize) -> &[u8] {
        let frames = written.div_ceil(self.size);
        flood.next += frames as u64;
        &self.buffer[written..frames * self.size]
    }

    fn build(&mut self, bytes: usize) {
        let mut frame = Vec::new();
        frames::write_header(&mut frame, frames::TEXT, bytes);
        self.size = frame.len() + bytes;
        self.bytes = bytes;
        frame.resize(frame.len() + DIGITS, b'0');
        frame.push(b' ');
        frame.resize(self.size, b'x');
        self.buffer = frame.repeat((CHUNK / self.size).max(1));
        self.number(0);
    }

    fn number(&mut self, first: u64) {
        self.first = first;
        let header = self.size - self.bytes;
        let mut digits = [b'0'; DIGITS];
        let mut rest = first;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        for frame in self.buffer.chunks_exact_mut(self.size) {
            frame[header..header + DIGITS].copy_from_slice(&digits);
            increment(&mut digits);
        }
    }
}

fn increment(digits: &mut [u8; DIGITS]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_ends_within_a_frame_leaves_its_rest_and_goes_on_behind_it() {
        let mut chunk = Chunk::new();
        let mut flood = Flood { next: 999_999_998, count: 1_000_000_001, bytes: 16 };
        let mut sent = Vec::new();

        for part in [7, 18, 1, 40, 40] {
            let next = chunk.next(&flood);
            let written = part.min(next.len());
            sent.extend_from_slice(&next[..written]);
            sent.extend_from_slice(chunk.written(&mut flood, written));
        }

        assert!(flood.is_over());
        let text = |number: &str| format!("\u{10}{number} xxxxx").into_bytes();
        let expected = ["0999999998", "0999999999", "1000000000"]
            .map(text)
            .map(|text| [&[0x81][..], &text].concat());
        assert_eq!(sent, expected.concat());
    }
}
