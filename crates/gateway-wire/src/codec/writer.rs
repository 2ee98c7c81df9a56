//! Writes frames: unfragmented, and masked if a client sends them.

use super::Role;
use super::head::{FIN, LONGEST, MASKED};
use super::mask::Mask;

/// A payload is copied and masked in blocks of this many bytes, because the copy of a block is still
/// in the processor's nearest cache. A multiple of the key's length.
const BLOCK: usize = 4_096;
const _: () = assert!(BLOCK.is_multiple_of(4), "a block begins with the key's first byte");

/// Appends a frame to `output`. A client's frame is masked with a new, unpredictable key (section
/// 5.3).
#[inline]
pub(super) fn append(role: Role, opcode: u8, payload: &[u8], output: &mut Vec<u8>) {
    output.reserve(LONGEST + payload.len());
    match role {
        Role::Server => {
            append_head(FIN | opcode, 0, payload.len(), output);
            output.extend_from_slice(payload);
        }
        Role::Client => {
            append_head(FIN | opcode, MASKED, payload.len(), output);
            append_masked(payload, output);
        }
    }
}

/// Appends a key and the payload.
#[inline]
fn append_masked(mut payload: &[u8], output: &mut Vec<u8>) {
    let key = rand::random::<u32>().to_ne_bytes();
    output.extend(key);
    loop {
        let (block, rest) = payload.split_at(payload.len().min(BLOCK));
        let start = output.len();
        output.extend_from_slice(block);
        Mask::new(key).apply(&mut output[start..]);
        if rest.is_empty() {
            return;
        }
        payload = rest;
    }
}

/// The first bytes of a head, up to the length, which takes the least number of bytes (section 5.2).
#[inline(always)] // a call costs as much as its work
fn append_head(first: u8, masked: u8, length: usize, output: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => output.extend([first, masked | short]),
        (_, Ok(medium)) => {
            output.extend([first, masked | 126]);
            output.extend(medium.to_be_bytes());
        }
        (_, Err(_)) => {
            output.extend([first, masked | 127]);
            output.extend((length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::FrameHeader;
    use tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::super::head::BINARY;
    use super::*;

    #[test]
    fn a_head_is_written_as_tungstenite_writes_it() {
        for length in [0, 1, 125, 126, 0xffff, 0x1_0000] {
            let opcode = OpCode::Data(Data::Binary);
            let mut output = Vec::new();
            append(Role::Server, BINARY, &vec![7; length], &mut output);
            let head = FrameHeader { opcode, ..FrameHeader::default() };
            let mut expected = Vec::new();
            head.format(length as u64, &mut expected).unwrap();
            expected.resize(expected.len() + length, 7);
            assert!(output == expected, "{length} bytes");
        }
    }
}
