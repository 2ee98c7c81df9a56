//! Where reads go: a buffer that all connections of a thread share. A thread that has read keeps it until it ends.

use std::cell::Cell;

/// The most that one read takes.
const SIZE: usize = 48 << 10;

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends `read` the thread's read buffer: 48 KiB, with whatever was read before still in it. Nothing is filled with zeros for a read, and
/// nothing of it lies on the stack. A stream that is read into it must report exactly what it has written: behind that lie other connections' bytes.
///
/// ```
/// let mut stream = &b"hello"[..];
/// let read = gateway_wire::with_read_buffer(|buffer| {
///     let count = std::io::Read::read(&mut stream, buffer)?;
///     std::io::Result::Ok(buffer[..count].to_vec())
/// });
/// assert_eq!(read?, b"hello");
/// # std::io::Result::Ok(())
/// ```
pub fn with_read_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    // Away while it is lent, or where the thread is ending: then one is made for this call.
    let lent = BUFFER.try_with(Cell::take).ok().flatten();
    let mut buffer = lent.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice());
    let outcome = read(&mut buffer);
    let _ = BUFFER.try_with(|place| place.set(Some(buffer)));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_is_the_same_for_each_read_also_after_a_read_within_a_read() {
        let first = with_read_buffer(|buffer| buffer.as_ptr().addr());
        with_read_buffer(|buffer| {
            assert_eq!(buffer.as_ptr().addr(), first);
            with_read_buffer(|inner| assert_eq!(inner.len(), buffer.len()));
        });
        assert_eq!(with_read_buffer(|buffer| buffer.as_ptr().addr()), first);
    }
}
