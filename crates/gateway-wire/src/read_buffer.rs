//! The read buffer, which all connections of a thread share. A thread keeps it from its first read
//! until it ends.

use std::cell::Cell;

/// The size of the buffer, and so the most bytes that one read takes: a message of 64 KiB fits.
pub(crate) const SIZE: usize = 72 << 10;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends `read` `size` bytes of the thread's read buffer, which has 72 KiB. So a read needs no stack,
/// and no time to fill a buffer with zeros.
///
/// The buffer still contains bytes of earlier reads. A stream that reads into it must report
/// exactly how many bytes it has written: the bytes after those belong to other connections.
///
/// ```
/// let mut stream = &b"hello"[..];
/// let read = gateway_wire::with_read_buffer(4096, |buffer| {
///     let count = std::io::Read::read(&mut stream, buffer)?;
///     std::io::Result::Ok(buffer[..count].to_vec())
/// });
/// assert_eq!(read?, b"hello");
/// # std::io::Result::Ok(())
/// ```
pub fn with_read_buffer<T>(size: usize, read: impl FnOnce(&mut [u8]) -> T) -> T {
    // While the buffer is lent, or while the thread is ending, a new one is made for this call.
    let lent = BUFFER.try_with(Cell::take).ok().flatten();
    let mut buffer = lent.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
    let outcome = read(&mut buffer[..size.min(SIZE)]);
    let _ = BUFFER.try_with(|place| place.set(Some(buffer)));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_is_the_same_for_each_read_also_after_a_read_within_a_read() {
        let first = with_read_buffer(SIZE, |buffer| buffer.as_ptr().addr());
        with_read_buffer(SIZE, |buffer| {
            assert_eq!(buffer.as_ptr().addr(), first);
            with_read_buffer(SIZE, |inner| assert_eq!(inner.len(), buffer.len()));
        });
        assert_eq!(with_read_buffer(SIZE, |buffer| buffer.as_ptr().addr()), first);
    }
}
