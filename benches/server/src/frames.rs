//! Frames by hand: a masked header read, a payload unmasked in place, an unmasked header written (RFC 6455, section 5).

use std::io;

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The header of a client's frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    mask: [u8; 4],
    /// Bytes of the header itself; the payload follows.
    pub(crate) size: usize,
    pub(crate) length: usize,
}

impl Header {
    /// Reads the header that `bytes` begin with; `None` while they are too few.
    #[inline]
    pub(crate) fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if second & 0x80 == 0 {
            return Err(io::Error::other("a client's frame is not masked"));
        }
        let (length, rest, size) = match second & 0x7f {
            126 => {
                let Some((length, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*length)), rest, 8)
            }
            127 => {
                let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
                (u64::from_be_bytes(*length), rest, 14)
            }
            short => (u64::from(short), rest, 6),
        };
        let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        Ok(Some(Self { fin, opcode, mask: *mask, size, length: length as usize }))
    }

    /// Unmasks this frame's whole payload, eight bytes at a time.
    #[inline]
    pub(crate) fn unmask(&self, payload: &mut [u8]) {
        let [a, b, c, d] = self.mask;
        let mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, tail) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ mask).to_ne_bytes();
        }
        for (byte, mask) in tail.iter_mut().zip(mask.to_ne_bytes()) {
            *byte ^= mask;
        }
    }
}

/// Appends the header of a whole frame of the server.
#[inline]
pub(crate) fn write_header(output: &mut Vec<u8>, opcode: u8, length: usize) {
    let first = 0x80 | opcode;
    if length <= 125 {
        output.extend_from_slice(&[first, length as u8]);
    } else if let Ok(length) = u16::try_from(length) {
        let [high, low] = length.to_be_bytes();
        output.extend_from_slice(&[first, 126, high, low]);
    } else {
        output.extend_from_slice(&[first, 127]);
        output.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// Appends a whole frame of the server.
#[inline]
pub(crate) fn write(output: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    write_header(output, opcode, payload.len());
    output.extend_from_slice(payload);
}
