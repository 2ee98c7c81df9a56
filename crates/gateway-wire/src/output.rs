//! The outgoing bytes of one socket: what was encoded and is not yet written.

/// A buffer that is appended to at its end and written from its front, with positions that count all
/// bytes of the socket's life.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    /// How much of the buffer the transport has taken.
    taken: usize,
    /// How much the buffer held when it was last written whole.
    burst: usize,
    /// The position of the buffer's first byte.
    base: u64,
    /// The position up to which the transport was offered bytes.
    offered: u64,
    /// The position up to which the transport has flushed.
    flushed: u64,
    /// The position up to which a write that failed may have come.
    failed: u64,
}

/// A buffer that is larger than this is given back once it is empty.
const KEPT: usize = 1 << 10;

/// The most that a burst takes at once because the last one did.
const BURST: usize = 64 << 10;

/// This many new bytes are written even if more may follow. Otherwise a loop that answers a whole read before the
/// next read leaves the peer idle while it works, and is then idle itself. The bytes are offered again after as many
/// more, not with each message: behind a slow peer each offer costs a system call.
const MUCH: u64 = 16 << 10;

/// A buffer is moved to its front only where that much has been written.
const MOVED: usize = 4 << 10;

impl Output {
    /// The buffer, to append to. Past what is always kept, a burst takes at once what the last one needed.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        let held = self.buffer.len();
        if held > KEPT / 2 && held < self.burst && self.buffer.capacity() < self.burst {
            self.buffer.reserve(self.burst - held);
        }
        &mut self.buffer
    }

    /// What is to be written.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// The position after the last byte that was encoded.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.buffer.len() as u64
    }

    /// The position after the last byte that the transport took.
    pub(crate) fn written(&self) -> u64 {
        self.base + self.taken as u64
    }

    /// The position after the last byte that the transport took, or may have taken when it failed.
    pub(crate) fn touched(&self) -> u64 {
        self.written().max(self.failed)
    }

    /// The position after the last byte that the transport flushed.
    pub(crate) fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Whether the transport has taken bytes that it has not flushed.
    pub(crate) fn is_dirty(&self) -> bool {
        self.flushed < self.written()
    }

    /// The transport took `count` of the pending bytes.
    pub(crate) fn on_written(&mut self, count: usize) {
        self.offered = self.end();
        self.taken = (self.taken + count).min(self.buffer.len());
        if self.taken == self.buffer.len() {
            self.base += self.buffer.len() as u64;
            self.burst = self.buffer.len().min(BURST);
            self.taken = 0;
            self.buffer.clear();
            if self.buffer.capacity() > KEPT {
                self.buffer = Vec::new();
            }
        } else if self.taken > MOVED && self.taken > self.buffer.len() / 2 {
            self.base += self.taken as u64;
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
    }

    /// The transport took none of the pending bytes.
    pub(crate) fn on_waiting(&mut self) {
        self.offered = self.end();
    }

    /// Whether much has come since the transport was last offered bytes.
    pub(crate) fn is_much(&self) -> bool {
        self.end() - self.offered >= MUCH
    }

    /// The transport failed while it was offered `count` of the pending bytes.
    pub(crate) fn on_failed(&mut self, count: usize) {
        let failed = self.written().saturating_add(count as u64).min(self.end());
        self.failed = self.failed.max(failed);
    }

    /// The transport flushed all that it took.
    pub(crate) fn on_flushed(&mut self) {
        self.flushed = self.written();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(output: &mut Output, count: usize) {
        let length = output.buffer().len();
        output.buffer().resize(length + count, 7);
    }

    fn write(output: &mut Output) {
        output.on_written(output.pending().len());
    }

    #[test]
    fn much_is_what_has_come_since_bytes_were_last_offered_whether_they_were_taken_or_not() {
        let mut output = Output::default();
        encode(&mut output, (16 << 10) - 1);
        assert!(!output.is_much());
        encode(&mut output, 1);
        assert!(output.is_much());

        output.on_waiting();
        encode(&mut output, (16 << 10) - 1);
        assert!(!output.is_much(), "it would take none of them either");
        encode(&mut output, 1);
        assert!(output.is_much(), "by now it may");

        output.on_written(1);
        assert!(!output.is_much());
    }

    #[test]
    fn what_is_written_whole_keeps_little_room() {
        let mut output = Output::default();
        for count in [10, 1_000, 1_000_000, 10] {
            encode(&mut output, count);
            write(&mut output);
            assert!(output.buffer.capacity() <= KEPT, "after {count} bytes");
        }
    }

    #[test]
    fn a_burst_behind_a_burst_takes_its_room_at_once_and_no_more_than_one_write() {
        let mut output = Output::default();
        for (last, room) in [(10_000, 10_000), (1_000_000, BURST)] {
            encode(&mut output, last);
            write(&mut output);
            encode(&mut output, KEPT);
            encode(&mut output, 1);
            let capacity = output.buffer.capacity();
            assert!((room..=2 * room).contains(&capacity), "{capacity} after {last}");
            write(&mut output);
        }
    }
}
