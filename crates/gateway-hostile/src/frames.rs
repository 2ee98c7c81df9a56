//! Parses frames of any size from the bytes of a stream, in bounded memory.
//!
//! This is not gateway-wire's codec. The codec refuses a frame that breaks a rule, such as a Close
//! with a code that may not be sent, and keeps whole messages. The judge must report such a frame, and
//! reads on after it, even where the script does not read.

use std::io::Cursor;

use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};

/// How much of a payload is kept: a whole control frame, and enough of a message to recognise a ping.
const MAX_KEPT: usize = 256;
/// The longest header.
const MAX_HEADER: usize = 14;

/// A complete frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) opcode: OpCode,
    pub(crate) is_final: bool,
    pub(crate) length: u64,
    /// The beginning of the payload, unmasked.
    pub(crate) start: Vec<u8>,
}

/// Parses frames from bytes that come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Frames(State);

#[derive(Debug)]
enum State {
    /// In a header, with these bytes of it.
    Header(Vec<u8>),
    /// In a payload, with this much missing.
    Payload { frame: Passed, mask: Option<[u8; 4]>, left: u64 },
    /// After an invalid frame. Further frames cannot be found.
    Lost,
}

impl Default for State {
    fn default() -> Self {
        Self::Header(Vec::new())
    }
}

impl Frames {
    /// Parses the next bytes, and reports each frame that they complete.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Passed)) {
        while !bytes.is_empty() {
            self.0 = match std::mem::replace(&mut self.0, State::Lost) {
                State::Header(head) => in_header(head, &mut bytes),
                State::Payload { frame, mask, left } => in_payload(frame, mask, left, &mut bytes),
                State::Lost => return,
            };
            if let State::Payload { left: 0, .. } = self.0
                && let State::Payload { mut frame, mask, .. } = std::mem::take(&mut self.0)
            {
                unmask(&mut frame.start, mask);
                tell(frame);
            }
        }
    }
}

fn in_header(mut head: Vec<u8>, bytes: &mut &[u8]) -> State {
    let before = head.len();
    let room = MAX_HEADER.saturating_sub(before).min(bytes.len());
    head.extend_from_slice(&bytes[..room]);
    let mut cursor = Cursor::new(&head);
    match FrameHeader::parse(&mut cursor) {
        Ok(Some((header, length))) => {
            let used = usize::try_from(cursor.position()).unwrap_or(MAX_HEADER);
            *bytes = &bytes[used.saturating_sub(before)..];
            let FrameHeader { is_final, opcode, mask, .. } = header;
            let frame = Passed { opcode, is_final, length, start: Vec::new() };
            State::Payload { frame, mask, left: length }
        }
        Ok(None) => {
            *bytes = &bytes[room..];
            State::Header(head)
        }
        Err(_) => State::Lost,
    }
}

fn in_payload(mut frame: Passed, mask: Option<[u8; 4]>, left: u64, bytes: &mut &[u8]) -> State {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let (payload, rest) = bytes.split_at(length);
    let kept = MAX_KEPT.saturating_sub(frame.start.len()).min(length);
    frame.start.extend_from_slice(&payload[..kept]);
    *bytes = rest;
    State::Payload { frame, mask, left: left.saturating_sub(length as u64) }
}

fn unmask(payload: &mut [u8], mask: Option<[u8; 4]>) {
    let Some(mask) = mask else { return };
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

impl Passed {
    /// The text, if this is a whole text message.
    pub(crate) fn text(&self) -> Option<&str> {
        let is_whole = self.is_final && self.length == self.start.len() as u64;
        (is_whole && self.opcode == OpCode::Data(Data::Text))
            .then(|| std::str::from_utf8(&self.start).ok())
            .flatten()
    }

    /// The code, if this is a Close frame with one.
    pub(crate) fn close_code(&self) -> Option<u16> {
        Some(u16::from_be_bytes(*self.start.first_chunk()?))
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::coding::Control;

    use super::*;

    fn passed(pieces: &[&[u8]]) -> Vec<Passed> {
        let mut frames = Frames::default();
        let mut all = Vec::new();
        for piece in pieces {
            frames.take(piece, |frame| all.push(frame));
        }
        all
    }

    #[test]
    fn frames_are_the_same_however_the_bytes_come() {
        let bytes =
            b"\x81\x82\x01\x02\x03\x04ik\x88\x82\x00\x00\x00\x00\x03\xe8\x8a\x80\x00\x00\x00\x00";
        let whole = passed(&[bytes]);

        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();

        assert_eq!(passed(&bytewise), whole);
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].text(), Some("hi"));
        assert_eq!(whole[1].close_code(), Some(1000));
        assert_eq!(whole[2].opcode, OpCode::Control(Control::Pong));
    }

    #[test]
    fn of_a_long_payload_only_the_beginning_is_kept() {
        let mut bytes = b"\x82\x7e\x10\x00".to_vec();
        bytes.resize(bytes.len() + 4096, b'x');
        bytes.extend_from_slice(b"\x89\x00");

        let all = passed(&[&bytes]);

        assert_eq!((all[0].length, all[0].start.len()), (4096, MAX_KEPT));
        assert_eq!(all[0].text(), None);
        assert_eq!(all[1].opcode, OpCode::Control(Control::Ping));
    }

    #[test]
    fn after_bytes_that_are_no_frame_nothing_is_told() {
        assert_eq!(passed(&[b"\x83\x00", b"\x81\x00"]), []);
    }
}
