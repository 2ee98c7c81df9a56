//! Frames by hand: a masked header read, a payload unmasked in place, an unmasked header written (RFC 6455, section 5).

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The longest message, and so the longest payload, that is taken: 64 MiB.
pub(crate) const LONGEST: usize = 64 << 20;

/// What a peer did wrong, as it is told in a Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

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
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(protocol("a reserved bit is set"));
        }
        if second & 0x80 == 0 {
            return Err(protocol("a client's frame is not masked"));
        }
        let short = second & 0x7f;
        match opcode {
            CONTINUATION | TEXT | BINARY => {}
            CLOSE | PING | PONG if fin && short <= 125 => {}
            CLOSE | PING | PONG => {
                return Err(protocol("a control frame is too long or fragmented"));
            }
            _ => return Err(protocol("an opcode is reserved")),
        }
        let (length, rest, size) = match short {
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
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= LONGEST)
            .ok_or(Fault { code: 1009, reason: "a message is longer than 64 MiB" })?;
        let Some(mask) = rest.first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Self { fin, opcode, mask: *mask, size, length }))
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

pub(crate) const fn protocol(reason: &'static str) -> Fault {
    Fault { code: 1002, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_once_it_is_whole() {
        let mask = [1, 2, 3, 4];
        for (begin, length) in [
            (&[0x81, 0x80 | 125][..], 125),
            (&[0x81, 0xfe, 0, 126], 126),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
        ] {
            let bytes = [begin, &mask].concat();
            for part in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..part]), Ok(None));
            }
            let header = Header { fin: true, opcode: TEXT, mask, size: bytes.len(), length };
            assert_eq!(Header::parse(&bytes), Ok(Some(header)));
        }
    }

    #[test]
    fn unmasking_words_is_unmasking_bytes() {
        let header = Header { fin: true, opcode: TEXT, mask: [9, 8, 7, 6], size: 6, length: 0 };
        for length in 0..40 {
            let mut payload: Vec<u8> = (0..length).collect();
            header.unmask(&mut payload);
            let bytes = (0..length).zip([9, 8, 7, 6].into_iter().cycle());
            assert_eq!(payload, bytes.map(|(byte, mask)| byte ^ mask).collect::<Vec<u8>>());
        }
    }
}
