//! Encodes a message as a client's frame: unfragmented and masked ([RFC 6455 section
//! 5.3](https://www.rfc-editor.org/rfc/rfc6455#section-5.3)).
//!
//! This takes one pass over the payload. The codec would copy the payload into a second buffer, and
//! that buffer keeps the size of the largest message until the socket closes. The codec still
//! writes Pings, Pongs and Closes, because it has to know that it sent a Close.

/// The bit of the second byte that says that a masking key follows.
const MASKED: u8 = 0x80;

/// Appends a frame with this first byte and payload, masked with `key`. The key must be
/// unpredictable.
#[inline]
pub(super) fn append(first: u8, payload: &[u8], key: [u8; 4], output: &mut Vec<u8>) {
    output.reserve(LONGEST_HEAD + payload.len());
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => output.extend([first, MASKED | short]),
        (_, Ok(medium)) => {
            output.extend([first, MASKED | 126]);
            output.extend(medium.to_be_bytes());
        }
        (_, Err(_)) => {
            output.extend([first, MASKED | 127]);
            output.extend((length as u64).to_be_bytes());
        }
    }
    output.extend(key);
    let start = output.len();
    output.extend_from_slice(payload);
    mask(&mut output[start..], key);
}

/// The longest head in bytes: two bytes, a length of eight, a key of four.
const LONGEST_HEAD: usize = 14;

fn mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::{Role, WebSocketContext};

    use super::*;

    /// Checked with the codec in a server's role, on both sides of each boundary between the
    /// codings of a length.
    #[test]
    fn a_server_reads_the_payload_that_was_masked() {
        for length in (0..40).chain([125, 126, 127, 0xffff, 0x1_0000, 100_001]) {
            let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut frame = Vec::new();
            append(0x82, &payload, [0xa1, 0x02, 0xf3, 0x44], &mut frame);
            assert_eq!(frame[1] & MASKED, MASKED);
            assert!(length == 0 || frame.last() != payload.last(), "{length} bytes, not masked");

            let mut server = WebSocketContext::new(Role::Server, None);
            let mut wire = std::io::Cursor::new(frame);
            let read = server.read(&mut wire).unwrap();
            assert_eq!(read.into_data(), payload, "{length} bytes");
        }
    }
}
