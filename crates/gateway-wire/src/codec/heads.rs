//! The heads of the frames that come in (RFC 6455 section 5.2), followed beside the codec for what it does not tell.

/// Opcode of a Close frame.
const CLOSE: u8 = 0x8;

/// The longest payload of a control frame.
const CONTROL_PAYLOAD: usize = 125;

/// Follows frames through bytes that come in pieces of any size. It checks that a length is coded in the least number of
/// bytes, which the codec does not, and keeps what a Close says, where the codec replaces a code that it does not know.
#[derive(Debug, Default)]
pub(super) struct Heads {
    head: [u8; 10],
    /// How much of the head has come; 0 between frames and within a payload.
    have: usize,
    /// How much of the payload is still to come.
    left: u64,
    /// Whether the payload is a Close's.
    is_close: bool,
    close: Vec<u8>,
    is_broken: bool,
}

/// A length that is coded in more bytes than it needs, or has its highest bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLength {
    /// Where its frame begins in the bytes at hand; 0 if it began before them.
    pub(super) at: usize,
}

impl Heads {
    /// Follows the frames on through `bytes`.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), BadLength> {
        let mut at = 0;
        let mut begins = 0;
        while at < bytes.len() {
            if self.left > 0 {
                let rest = &bytes[at..];
                let count =
                    usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
                if self.is_close {
                    let room = CONTROL_PAYLOAD.saturating_sub(self.close.len());
                    self.close.extend_from_slice(&rest[..count.min(room)]);
                }
                self.left -= count as u64;
                at += count;
                continue;
            }
            if self.have == 0 {
                begins = at;
            }
            self.head[self.have] = bytes[at];
            self.have += 1;
            at += 1;
            if self.have >= 2 && self.have == head_length(self.head[1]) {
                let Some(length) = self.length() else {
                    self.is_broken = true;
                    return Err(BadLength { at: begins });
                };
                self.left = length;
                self.is_close = self.head[0] & 0x0f == CLOSE;
                self.have = 0;
            }
        }
        Ok(())
    }

    /// Whether a bad length has come: nothing behind it can be read.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The payload of the Close that came.
    pub(super) fn close(&self) -> &[u8] {
        &self.close
    }

    /// The payload's length; `None` where it is coded as it must not be.
    fn length(&self) -> Option<u64> {
        let [_, short, long @ ..] = self.head;
        match short & 0x7f {
            126 => {
                let length = u64::from(u16::from_be_bytes([long[0], long[1]]));
                (length >= 126).then_some(length)
            }
            127 => {
                let length = u64::from_be_bytes(long);
                let is_least = length > u64::from(u16::MAX);
                (is_least && length <= i64::MAX as u64).then_some(length)
            }
            short => Some(u64::from(short)),
        }
    }
}

/// A server's frame is not masked; one that is, the codec refuses.
const fn head_length(second: u8) -> usize {
    match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(bytes: &[u8], size: usize) -> (Heads, Result<(), BadLength>) {
        let mut heads = Heads::default();
        for piece in bytes.chunks(size) {
            if let Err(bad) = heads.follow(piece) {
                return (heads, Err(bad));
            }
        }
        (heads, Ok(()))
    }

    #[test]
    fn frames_are_followed_through_pieces_of_any_size_to_the_close() {
        let mut bytes = b"\x81\x02hi\x82\x7e\x00\x7e".to_vec();
        bytes.extend([7; 126]);
        bytes.extend(b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
        bytes.extend(vec![7; 1 << 16]);
        bytes.extend(b"\x88\x05\x03\xf6bye");
        for size in [1, 2, 3, 7, 4096, bytes.len()] {
            let (heads, outcome) = follow(&bytes, size);
            assert_eq!((outcome, heads.close()), (Ok(()), &b"\x03\xf6bye"[..]), "by {size}");
        }
    }

    #[test]
    fn a_length_that_takes_more_bytes_than_it_needs_is_bad_from_its_frames_beginning() {
        for long in [
            &b"\x81\x7e\x00\x7d"[..],
            b"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
            b"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
        ] {
            let bytes = [b"\x81\x02hi", long].concat();
            assert_eq!(follow(&bytes, bytes.len()).1, Err(BadLength { at: 4 }), "{long:?}");
            assert_eq!(follow(&bytes, 1).1, Err(BadLength { at: 0 }), "{long:?}");
        }
    }
}
