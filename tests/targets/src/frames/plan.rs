//! What a peer sends: frames, legal or not, and raw bytes.

use gateway_testkit::{history::Listed as _, listed};
use serde::{Deserialize, Serialize};

use crate::answers::{CODES, KnownCode};
use crate::codec::Side;

#[derive(Serialize, Deserialize)]
pub(super) enum Part {
    Frame {
        first: First,
        #[serde(default)]
        mask: Mask,
        #[serde(default)]
        length: Length,
        #[serde(default)]
        payload: Payload,
    },
    Raw(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// The first byte: FIN, reserved bits, opcode.
#[derive(Serialize, Deserialize)]
pub(super) enum First {
    Known(#[serde(with = "Kind")] u8),
    Any(u8),
}

const KINDS: [(&str, u8); 9] = [
    ("text", 0x81),
    ("binary", 0x82),
    ("first of text", 0x01),
    ("first of binary", 0x02),
    ("continuation", 0x00),
    ("last", 0x80),
    ("close", 0x88),
    ("ping", 0x89),
    ("pong", 0x8a),
];

listed!(pub(super) Kind, KINDS, kind => kind.0.to_owned());

/// The key of a masked frame.
#[derive(Default, Serialize, Deserialize)]
pub(super) enum Mask {
    /// A client masks with a key of zeros, a server does not mask.
    #[default]
    Zeros,
    /// A client masks with this key, a server does not mask.
    Key([u8; 4]),
    /// A server masks with this key, a client does not mask.
    Wrong([u8; 4]),
}

/// How the length is coded.
#[derive(Default, Serialize, Deserialize)]
pub(super) enum Length {
    /// In the least number of bytes.
    #[default]
    Least,
    /// In two bytes behind the first, of which 65,536 is 0.
    Two,
    Eight,
    /// Another length, in the least number of bytes.
    Says(u64),
}

#[derive(Serialize, Deserialize)]
pub(super) enum Payload {
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A byte, and how often; modulo [`MOST`].
    Many(u8, u32),
    Close(#[serde(with = "KnownCode")] u8, #[serde(with = "serde_bytes")] Vec<u8>),
}

const MOST: u32 = 70_000;

impl Default for Payload {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Part {
    /// The bytes that `reader` reads.
    pub(super) fn bytes(&self, reader: Side) -> Vec<u8> {
        let (first, mask, length, payload) = match self {
            Self::Raw(bytes) => return bytes.clone(),
            Self::Frame { first, mask, length, payload } => (first, mask, length, payload),
        };
        let first = match first {
            First::Known(index) => KINDS[usize::from(*index)].1,
            First::Any(first) => *first,
        };
        let mut payload = payload.bytes();
        let (code, length) = length.coded(payload.len() as u64);
        let key = match (mask, reader) {
            (Mask::Zeros, Side::Server) => Some([0; 4]),
            (Mask::Key(key), Side::Server) | (Mask::Wrong(key), Side::Client) => Some(*key),
            (Mask::Zeros | Mask::Key(_), Side::Client) | (Mask::Wrong(_), Side::Server) => None,
        };
        let mut bytes = vec![first, code | if key.is_some() { 0x80 } else { 0 }];
        bytes.extend(length);
        if let Some(key) = key {
            bytes.extend(key);
            payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        }
        bytes.extend(payload);
        bytes
    }
}

impl Length {
    /// The seven bits of the second byte, and the bytes behind it.
    fn coded(&self, length: u64) -> (u8, Vec<u8>) {
        match self {
            Self::Two => (126, (length as u16).to_be_bytes().to_vec()),
            Self::Eight => (127, length.to_be_bytes().to_vec()),
            Self::Says(length) => Self::Least.coded(*length),
            Self::Least if length < 126 => (length as u8, Vec::new()),
            Self::Least if length <= u64::from(u16::MAX) => Self::Two.coded(length),
            Self::Least => Self::Eight.coded(length),
        }
    }
}

impl Payload {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Many(byte, count) => vec![*byte; (count % MOST) as usize],
            Self::Close(index, reason) => {
                [&CODES[usize::from(*index)].to_be_bytes(), &reason[..]].concat()
            }
        }
    }
}
