//! The head of a frame (section 5.2): parsed and judged here, once, before anything is done with the
//! frame.
//!
//! tungstenite's `FrameHeader::parse` does the same as [`parse`], but it does not check how a length is
//! coded, and it takes four times as many instructions. A test compares the two.

use super::Role;
use super::breach::Breach;

/// The longest head, in bytes: two bytes, a length of eight, a key of four.
pub(super) const LONGEST: usize = 14;

pub(super) const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const OPCODE: u8 = 0x0f;

/// The first bytes of a message's only frame.
const WHOLE_TEXT: u8 = FIN | TEXT;
const WHOLE_BINARY: u8 = FIN | BINARY;

/// The opcodes (section 5.2).
const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The bit that says that a key follows, and the bits of the length.
pub(super) const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;

/// The longest payload of a control frame, in bytes (section 5.5).
pub(super) const CONTROL_PAYLOAD: usize = 125;

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Binary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Close,
    Ping,
    Pong,
}

/// What a frame is, by its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// The only or first frame of a message.
    Message(Kind),
    /// A further fragment.
    Continuation,
    Control(Control),
}

/// A head that has come whole, and is legal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// FIN, RSV1 and the opcode.
    first: u8,
    pub(super) length: u64,
    pub(super) key: Option<[u8; 4]>,
}

impl Head {
    /// The message, if the frame is all of it, and neither masked nor transformed by an extension.
    #[inline]
    pub(super) const fn whole(self) -> Option<Kind> {
        match (self.first, self.key) {
            (WHOLE_TEXT, None) => Some(Kind::Text),
            (WHOLE_BINARY, None) => Some(Kind::Binary),
            _ => None,
        }
    }

    pub(super) const fn is_final(self) -> bool {
        self.first & FIN != 0
    }

    /// Whether an extension transforms the message.
    pub(super) const fn is_extended(self) -> bool {
        self.first & RSV1 != 0
    }

    pub(super) const fn opening(self) -> Opening {
        match self.first & OPCODE {
            TEXT => Opening::Message(Kind::Text),
            BINARY => Opening::Message(Kind::Binary),
            CLOSE => Opening::Control(Control::Close),
            PING => Opening::Control(Control::Ping),
            PONG => Opening::Control(Control::Pong),
            _ => Opening::Continuation, // no other opcode is legal
        }
    }
}

/// What a head is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) role: Role,
    pub(super) has_extension: bool,
    pub(super) max_message_size: usize,
    /// The bytes announced so far of the message whose last fragment is still to come.
    pub(super) begun: Option<u64>,
}

/// Parses the head at the start of `bytes`. Returns it with its length in bytes, or `None` if more
/// bytes must come.
#[inline(always)] // called once for each frame
pub(super) fn parse(bytes: &[u8], rules: &Rules) -> Result<Option<(Head, usize)>, Breach> {
    let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let (length, size) = match second & LENGTH {
        126 => match rest.first_chunk() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Ok(None),
        },
        length => (u64::from(length), 2),
    };
    let is_masked = second & MASKED != 0;
    if size != 2 && !is_least(size, length) {
        return Err(Breach::Length);
    }
    let (key, size) = match (rules.role, is_masked) {
        (Role::Client, false) => (None, size),
        (Role::Server, true) => match bytes[size..].first_chunk() {
            Some(key) => (Some(*key), size + key.len()),
            None => return Ok(None),
        },
        (Role::Client, true) => return Err(Breach::Masked),
        (Role::Server, false) => return Err(Breach::Unmasked),
    };
    judge(first, length, rules)?;
    Ok(Some((Head { first, length, key }, size)))
}

/// Whether a length takes no fewer bytes than it could, and its highest bit is 0.
const fn is_least(size: usize, length: u64) -> bool {
    if size == 4 { length > 125 } else { length > u16::MAX as u64 && length <= i64::MAX as u64 }
}

#[inline(always)]
fn judge(first: u8, length: u64, rules: &Rules) -> Result<(), Breach> {
    if first & (RSV1 | RSV2 | RSV3) != 0 {
        let may_extend = rules.has_extension && matches!(first & OPCODE, TEXT | BINARY);
        if !may_extend || first & (RSV2 | RSV3) != 0 {
            return Err(Breach::ReservedBit);
        }
    }
    let before = match (first & OPCODE, rules.begun) {
        (TEXT | BINARY, None) => 0,
        (CONTINUATION, Some(before)) => before,
        (TEXT | BINARY, Some(_)) => return Err(Breach::Interrupted),
        (CONTINUATION, None) => return Err(Breach::NothingToContinue),
        (CLOSE | PING | PONG, _) => return judge_control(first, length),
        (reserved, _) => return Err(Breach::ReservedOpcode(reserved)),
    };
    let (size, limit) = (before.saturating_add(length), rules.max_message_size);
    if size > limit as u64 {
        return Err(Breach::TooLong { size, is_whole: first & FIN != 0, limit });
    }
    Ok(())
}

const fn judge_control(first: u8, length: u64) -> Result<(), Breach> {
    if first & FIN == 0 {
        return Err(Breach::FragmentedControl);
    }
    if length > CONTROL_PAYLOAD as u64 {
        return Err(Breach::LongControl);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tungstenite::protocol::frame::FrameHeader;
    use tungstenite::protocol::frame::coding::{self, Data, OpCode};

    use super::*;

    fn rules(role: Role) -> Rules {
        Rules { role, has_extension: true, max_message_size: usize::MAX, begun: None }
    }

    /// The heads that this test must find legal: text and binary with or without FIN and RSV1, and
    /// continuations with or without FIN, each of 256 second bytes; and Ping, Pong and Close, each of
    /// 126 short lengths with and without a key.
    const LEGAL: usize = 10 * 256 + 3 * 126 * 2;

    /// Each first and second byte, with lengths of each coding.
    #[test]
    fn a_head_is_read_as_tungstenite_reads_it() {
        let mut legal = 0;
        for (first, second) in (0..=u8::MAX).flat_map(|a| (0..=u8::MAX).map(move |b| (a, b))) {
            let length: &[u8] = match second & LENGTH {
                126 => &[1, 0],
                127 => &[0, 0, 0, 1, 0, 0, 0, 0],
                _ => &[],
            };
            let bytes = [&[first, second], length, &[1, 2, 3, 4]].concat();
            let role = if second & MASKED == 0 { Role::Client } else { Role::Server };
            let begun = (first & OPCODE == 0).then_some(0);
            let Ok(Some((head, size))) = parse(&bytes, &Rules { begun, ..rules(role) }) else {
                continue;
            };
            let mut cursor = Cursor::new(&bytes[..]);
            let (header, length) = FrameHeader::parse(&mut cursor).unwrap().expect("a whole head");
            let opening = match header.opcode {
                OpCode::Data(Data::Text) => Opening::Message(Kind::Text),
                OpCode::Data(Data::Binary) => Opening::Message(Kind::Binary),
                OpCode::Data(Data::Continue) => Opening::Continuation,
                OpCode::Control(coding::Control::Close) => Opening::Control(Control::Close),
                OpCode::Control(coding::Control::Ping) => Opening::Control(Control::Ping),
                OpCode::Control(coding::Control::Pong) => Opening::Control(Control::Pong),
                OpCode::Data(Data::Reserved(_)) | OpCode::Control(coding::Control::Reserved(_)) => {
                    panic!("{first:02x} is reserved")
                }
            };
            assert_eq!((head.opening(), head.length, head.key), (opening, length, header.mask));
            assert_eq!((head.is_final(), head.is_extended()), (header.is_final, header.rsv1));
            assert_eq!(size as u64, cursor.position());
            assert!(!header.rsv2 && !header.rsv3);
            legal += 1;
        }
        assert_eq!(legal, LEGAL);
    }

    #[test]
    fn each_cut_of_a_head_waits_for_the_rest() {
        let long = b"\x82\xff\0\0\0\0\0\x01\0\0keys";
        let medium = b"\x81\x7e\x01\0";
        for (bytes, role) in [(&long[..], Role::Server), (&medium[..], Role::Client)] {
            for end in 0..bytes.len() {
                assert!(parse(&bytes[..end], &rules(role)).unwrap().is_none(), "{end} bytes");
            }
            let (_, size) = parse(bytes, &rules(role)).unwrap().expect("a whole head");
            assert_eq!(size, bytes.len());
        }
    }
}
