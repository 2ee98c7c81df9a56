//! Parses the heads of received frames (RFC 6455 section 5.2), next to the codec, for what the
//! codec does not report.

use gateway_core::Failure;

/// Opcode of a fragment that is not the first of its message.
const CONTINUATION: u8 = 0x0;

/// Opcode of a Close frame.
const CLOSE: u8 = 0x8;

/// The lowest opcode of a control frame.
const CONTROL: u8 = 0x8;

/// The bit that marks the last fragment of a message.
const FIN: u8 = 0x80;

/// The bit, in the byte with the length, that says that a masking key follows.
const MASKED: u8 = 0x80;

/// The length of a masking key, in bytes.
const KEY: u64 = 4;

/// The longest payload of a control frame, in bytes.
const CONTROL_PAYLOAD: usize = 125;

/// Follows frames through bytes that come in pieces of any size. It checks that each length is
/// coded in the least number of bytes, which the codec does not check. It also keeps the payload of
/// a Close, because the codec replaces a code that it does not know.
#[derive(Debug, Default)]
pub(super) struct Heads {
    head: [u8; 10],
    /// The number of bytes of the head that have come; 0 between frames and within a payload.
    have: usize,
    /// The number of bytes of the payload that are still to come.
    left: u64,
    /// Whether the current frame is a Close.
    is_close: bool,
    /// Whether a message has begun whose last fragment is still to come.
    is_in_message: bool,
    close: Vec<u8>,
    /// The payload length that the heads of the current or last message have announced so far.
    message: u64,
    is_broken: bool,
}

impl Heads {
    /// Follows the current frame, or a frame that begins with `bytes`. Returns how many of the
    /// bytes belong to it. Returns `None` if its length is coded in more bytes than it needs, or
    /// has its highest bit set.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while self.left == 0 {
            let Some(&byte) = bytes.get(at) else { return Some(at) };
            self.head[self.have] = byte;
            self.have += 1;
            at += 1;
            if self.have >= 2 && self.have == head_length(self.head[1]) {
                let Some(length) = self.length() else {
                    self.is_broken = true;
                    return None;
                };
                self.begin(length);
                break;
            }
        }
        let rest = &bytes[at..];
        let count = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        if self.is_close {
            let room = CONTROL_PAYLOAD.saturating_sub(self.close.len());
            self.close.extend_from_slice(&rest[..count.min(room)]);
        }
        self.left -= count as u64;
        Some(at + count)
    }

    /// The head is complete: a payload of `length` bytes begins.
    fn begin(&mut self, length: u64) {
        self.have = 0;
        // A masked frame has a key before its payload. The codec refuses such a frame.
        let key = if self.head[1] & MASKED == 0 { 0 } else { KEY };
        self.left = length.saturating_add(key);
        let opcode = self.head[0] & 0x0f;
        self.is_close = opcode == CLOSE;
        if self.is_close {
            self.close.clear();
        }
        if opcode < CONTROL {
            let carries_on = opcode == CONTINUATION && self.is_in_message;
            let before = if carries_on { self.message } else { 0 };
            self.is_in_message = self.head[0] & FIN == 0;
            self.message = before.saturating_add(length);
        }
    }

    /// Whether the next byte begins a frame, and no message waits for its next fragment.
    pub(super) const fn is_between_messages(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.is_in_message
    }

    /// Whether a bad length has come. Nothing after it can be parsed.
    pub(super) const fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns the error for the last frame, which the codec found too long.
    pub(super) fn too_long(&self, max_message_size: usize) -> (Failure, String) {
        if self.head[0] & 0x0f >= CONTROL {
            let text = "a control frame's payload is longer than 125 bytes";
            return (Failure::Protocol, text.to_owned());
        }
        let size = self.message;
        let size = if self.is_in_message {
            format!("of {size} bytes so far, without its last fragment,")
        } else {
            format!("of {size} bytes")
        };
        let limit = format!("is longer than max_message_size, {max_message_size} bytes");
        (Failure::TooBig, format!("a message {size} {limit}"))
    }

    /// The payload of the received Close.
    pub(super) fn close(&self) -> &[u8] {
        &self.close
    }

    /// The payload's length, or `None` if its coding is illegal.
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

/// The length of the head in bytes, without a masking key.
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

    fn follow(bytes: &[u8], size: usize) -> (Heads, Option<usize>) {
        let mut heads = Heads::default();
        let mut frames = 0;
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let Some(count) = heads.follow(piece) else { return (heads, None) };
                piece = &piece[count..];
                frames += usize::from(heads.have == 0 && heads.left == 0);
            }
        }
        (heads, Some(frames))
    }

    #[test]
    fn frames_are_followed_one_by_one_through_pieces_of_any_size_to_the_close() {
        let mut bytes = b"\x81\x02hi\x82\x7e\x00\x7e".to_vec();
        bytes.extend([7; 126]);
        bytes.extend(b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
        bytes.extend(vec![7; 1 << 16]);
        bytes.extend(b"\x8a\x00\x88\x05\x03\xf6bye");
        for size in [1, 2, 3, 7, 4096, bytes.len()] {
            let (heads, frames) = follow(&bytes, size);
            assert_eq!((frames, heads.close()), (Some(5), &b"\x03\xf6bye"[..]), "by {size}");
        }
    }

    #[test]
    fn a_length_that_takes_more_bytes_than_it_needs_is_bad() {
        for long in [
            &b"\x81\x7e\x00\x7d"[..],
            b"\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
            b"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
        ] {
            let bytes = [b"\x81\x02hi", long].concat();
            for size in [bytes.len(), 1] {
                let (heads, frames) = follow(&bytes, size);
                assert!(frames.is_none() && heads.is_broken(), "{long:?} by {size}");
            }
        }
    }

    #[test]
    fn the_key_of_a_masked_frame_is_its_own() {
        let mut heads = Heads::default();
        assert_eq!(heads.follow(b"\x82\x81"), Some(2));
        assert!(!heads.is_between_messages());
        assert_eq!(heads.follow(b"\x82\x02hi!\x82\x00"), Some(5));
        assert!(heads.is_between_messages());
    }

    #[test]
    fn between_messages_is_not_between_fragments_nor_within_a_frame() {
        let frames = b"\x01\x01a\x89\x01x\x00\x00\x80\x01b\x82\x00";
        let mut heads = Heads::default();
        let between: Vec<bool> = frames
            .chunks(1)
            .map(|byte| heads.follow(byte).is_some() && heads.is_between_messages())
            .collect();
        let ends: Vec<usize> =
            (1..).zip(&between).filter_map(|(at, is)| is.then_some(at)).collect();
        assert_eq!(ends, [11, 13]);
    }
}
