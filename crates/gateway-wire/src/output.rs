//! The outgoing bytes of one socket: what is encoded and not yet written.

use std::cell::Cell;

/// A buffer that is appended to at its end and written from its front. Positions count all bytes of
/// the socket's life.
#[derive(Debug, Default)]
pub(crate) struct Output {
    buffer: Vec<u8>,
    /// The number of bytes of the buffer that the transport has taken.
    taken: usize,
    /// The buffer's length when it was last written completely.
    burst: usize,
    /// The position of the buffer's first byte.
    base: u64,
    /// The position up to which bytes were offered to the transport.
    offered: u64,
    /// The position up to which the transport has flushed.
    flushed: u64,
    /// The position up to which a failed write may have come.
    failed: u64,
}

/// The socket does not keep an empty buffer that is larger than this.
const KEPT: usize = 1 << 10;

/// The largest buffer that a thread keeps for the next burst of any connection: a message of 64 KiB
/// fits.
const SPARE: usize = 72 << 10;

thread_local! {
    /// A buffer that a burst has left. If each burst allocated its own, long messages would give
    /// memory back to the system and take it again, and the system fills it with zeros each time.
    static LEFT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The most that is reserved for a burst because the last one needed it.
const BURST: usize = 64 << 10;

/// This many new bytes are written even if more may follow. Otherwise a loop that answers a whole
/// read before the next read leaves the peer idle while it works, and is then idle itself. The
/// bytes are offered again only after as many more, because behind a slow peer each offer costs a
/// system call.
const MUCH: u64 = 16 << 10;

/// The buffer's rest is moved to its front only after this many bytes were written.
const MOVED: usize = 4 << 10;

impl Output {
    /// The buffer, to append to. A burst that exceeds [`KEPT`] reserves at once what the last burst
    /// needed.
    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        let held = self.buffer.len();
        if self.burst > KEPT && held == 0 {
            self.take_left();
        }
        if held > KEPT / 2 && held < self.burst && self.buffer.capacity() < self.burst {
            self.buffer.reserve(self.burst - held);
        }
        &mut self.buffer
    }

    /// Takes the buffer that a burst has left.
    #[inline(never)]
    fn take_left(&mut self) {
        let left = LEFT.try_with(Cell::take).unwrap_or_default();
        if left.capacity() > KEPT {
            self.buffer = left;
        }
    }

    /// The bytes to write.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// The position after the last encoded byte.
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
                give_back(std::mem::take(&mut self.buffer));
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

    /// Whether [`MUCH`] bytes have come since the last offer to the transport.
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

/// Keeps an empty buffer for the next burst on this thread, or frees it.
#[inline(never)]
fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() <= SPARE {
        let _ = LEFT.try_with(|place| place.set(buffer));
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
    fn a_thread_keeps_one_buffer_for_the_bursts_of_all_connections() {
        let (mut first, mut second) = (Output::default(), Output::default());
        let mut at = Vec::new();
        for _ in 0..3 {
            for output in [&mut first, &mut second] {
                encode(output, 60_000);
                at.push(output.pending().as_ptr().addr());
                write(output);
            }
        }
        assert!(at[2..].iter().all(|place| *place == at[1]), "{at:?}");

        encode(&mut first, 10);
        write(&mut first);
        encode(&mut first, 10);
        assert!(first.buffer.capacity() <= KEPT, "no burst");
        encode(&mut second, SPARE + 1);
        write(&mut second);
        assert!(LEFT.take().capacity() <= SPARE);
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
