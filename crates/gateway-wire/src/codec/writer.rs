//! Writes frames: unfragmented, and masked if a client sends them.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use super::Role;
use super::mask::Mask;

/// Appends a frame to `output`, in one pass over the payload. A client's frame is masked with a new,
/// unpredictable key (section 5.3).
#[inline]
pub(super) fn append(role: Role, opcode: OpCode, payload: &[u8], output: &mut Vec<u8>) {
    let key = (role == Role::Client).then(|| rand::random::<u32>().to_ne_bytes());
    let head = FrameHeader { opcode, mask: key, ..FrameHeader::default() };
    let length = payload.len() as u64;
    output.reserve(head.len(length) + payload.len());
    let _ = head.format(length, output); // a Vec accepts everything
    let start = output.len();
    output.extend_from_slice(payload);
    if let Some(key) = key {
        Mask::new(key).apply(&mut output[start..]);
    }
}
