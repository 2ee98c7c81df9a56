//! What one side writes, read by the other: by the codec and by tungstenite.
//!
//! Catches: a message, a Ping, a Pong or a Close that the other side reads as something else, at any
//! cut; a client's frame without a mask, a server's with one; a head that is not the shortest; a frame
//! after a Close; an answer that tungstenite does not give; other bytes than tungstenite writes.

use std::io::Cursor;

use gateway_core::CloseCode;
use gateway_testkit::{history::Listed as _, listed};
use gateway_wire::Message;
use gateway_wire::codec::{Codec, Incoming};
use serde::{Deserialize, Serialize};
use tungstenite::protocol::frame::FrameHeader;

use crate::Sights;
use crate::codec::{Peer, Side, read};

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Input {
    /// Who writes.
    side: Side,
    /// The sizes of the pieces.
    cuts: Vec<u8>,
    steps: Vec<Step>,
}

/// The bytes that were written.
#[derive(Serialize, Deserialize)]
enum Step {
    Text(String),
    Binary(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A byte, and how often; modulo [`MOST`].
    Many(u8, u32),
    Ping(#[serde(with = "serde_bytes")] Vec<u8>),
    Close(#[serde(with = "Code")] u8, String),
    /// The answer to a Ping.
    Pong(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The answer to a Close.
    Echo(#[serde(with = "Code")] u8, String),
    /// The answer to a Close without a code.
    EmptyEcho,
    /// The answers to a text and to a Pong, which have none.
    Silence(String),
}

const MOST: u32 = 70_000;

/// More steps than these are left out.
const MOST_STEPS: usize = 16;

/// No message is too long.
const LIMIT: usize = 1 << 20;

const CODES: [u16; 14] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999];

listed!(Code, CODES, code => code.to_string());

impl crate::Input for Input {
    fn run(self) -> Sights {
        let mut sights = Sights::new();
        let mut codec = Codec::new(self.side.role(), LIMIT);
        let mut written = Vec::new();
        let mut expected = Vec::new();
        for step in self.steps.iter().take(MOST_STEPS) {
            let before = written.len();
            step.write(&mut codec, &mut written);
            if matches!(expected.last(), Some(Incoming::Close(_))) {
                assert_eq!(written.len(), before, "something after a Close");
                sights.insert("after a close");
                continue;
            }
            sights.insert(step.word());
            sights.extend(step.is_cut().then_some("cut"));
            expected.extend(step.expected());
        }
        let is_closed = matches!(expected.last(), Some(Incoming::Close(_)));
        assert_eq!(codec.can_write(), !is_closed);
        sights.insert(match self.side {
            Side::Client => "a client writes",
            Side::Server => "a server writes",
        });

        assert_eq!(heads(self.side, &written, &mut sights), expected.len());
        let answers = self.read(&written, &expected);
        sights.extend(self.read_by_tungstenite(&written, &expected, &answers));
        self.as_tungstenite_writes(&written, &expected);

        let answered = read(&mut codec, &answers, &self.cuts);
        assert_eq!(answered.error, None);
        assert_eq!(answered.incoming, expected.iter().filter_map(answer).collect::<Vec<_>>());
        sights.extend((!answered.incoming.is_empty()).then_some("answered"));
        sights
    }
}

impl Input {
    /// Reads with the codec. Returns its answers.
    fn read(&self, written: &[u8], expected: &[Incoming]) -> Vec<u8> {
        let codec = || Codec::new(self.side.other().role(), LIMIT);
        let mut reader = codec();
        let in_pieces = read(&mut reader, written, &self.cuts);
        let whole = read(&mut codec(), written, &[]);
        for reading in [&in_pieces, &whole] {
            assert_eq!((&reading.incoming[..], reading.error), (expected, None));
        }
        let mut answers = Vec::new();
        in_pieces.incoming.iter().for_each(|incoming| reader.answer(incoming, &mut answers));
        heads(self.side.other(), &answers, &mut Sights::new());
        answers
    }

    /// tungstenite reads the same, and answers the same.
    fn read_by_tungstenite(
        &self,
        written: &[u8],
        expected: &[Incoming],
        answers: &[u8],
    ) -> Option<&'static str> {
        let mut peer = Peer::new(self.side.other(), LIMIT, written, 0);
        let reading = peer.read();
        assert!(reading.error.is_none(), "{reading:?}");
        if let Some((Incoming::Close(Some((code, _))), before)) = expected.split_last()
            && code.number() == 1014
        {
            // tungstenite does not know this code, and replaces it.
            assert_eq!(reading.incoming[..before.len()], *before);
            return Some("the code 1014");
        }
        assert_eq!(reading.incoming, expected);
        if self.side.other() == Side::Server {
            assert_eq!(peer.written(), answers);
        }
        let theirs = read(&mut Codec::new(self.side.role(), LIMIT), peer.written(), &[]);
        let ours = read(&mut Codec::new(self.side.role(), LIMIT), answers, &[]);
        assert_eq!((theirs.incoming, theirs.error), (ours.incoming, ours.error));
        None
    }

    /// tungstenite writes the same bytes, save for the keys of a client.
    fn as_tungstenite_writes(&self, written: &[u8], expected: &[Incoming]) {
        let mut peer = Peer::new(self.side, LIMIT, &[], 0);
        expected.iter().for_each(|incoming| peer.write(incoming));
        assert_eq!(peer.written().len(), written.len());
        if self.side == Side::Server {
            assert_eq!(peer.written(), written);
        }
        let mut reader = Codec::new(self.side.other().role(), LIMIT);
        let reading = read(&mut reader, peer.written(), &self.cuts);
        assert_eq!((&reading.incoming[..], reading.error), (expected, None));
    }
}

/// Counts the frames. Each is whole, has the shortest head, and is masked if a client wrote it.
fn heads(writer: Side, written: &[u8], sights: &mut Sights) -> usize {
    let mut cursor = Cursor::new(written);
    let mut count = 0;
    while cursor.position() < written.len() as u64 {
        let start = cursor.position();
        let head = FrameHeader::parse(&mut cursor).expect("a legal head");
        let (header, length) = head.expect("a whole head");
        let size = cursor.position() - start;
        assert_eq!(size, header.len(length) as u64, "the shortest head");
        assert_eq!(header.mask.is_some(), writer == Side::Client);
        assert!(header.is_final && !header.rsv1 && !header.rsv2 && !header.rsv3, "{header:?}");
        sights.insert(match length {
            0 => "an empty payload",
            1..126 => "a length of one byte",
            126..0x1_0000 => "a length of two bytes",
            0x1_0000.. => "a length of eight bytes",
        });
        cursor.set_position(cursor.position() + length);
        count += 1;
    }
    assert_eq!(cursor.position(), written.len() as u64, "the last payload is whole");
    count
}

/// What answers a message or a control frame.
fn answer(incoming: &Incoming) -> Option<Incoming> {
    match incoming {
        Incoming::Ping(payload) => Some(Incoming::Pong(payload.clone())),
        Incoming::Close(_) => Some(incoming.clone()),
        Incoming::Message(_) | Incoming::Pong(_) => None,
    }
}

impl Step {
    fn write(&self, codec: &mut Codec, output: &mut Vec<u8>) {
        match self {
            Self::Text(text) => codec.encode_text(text, output),
            Self::Binary(_) | Self::Many(..) => {
                if let Some(Incoming::Message(message)) = self.expected() {
                    codec.encode(&message, output);
                }
            }
            Self::Ping(payload) => codec.encode_ping(payload, output),
            Self::Close(index, reason) => codec.encode_close(code(*index), reason, output),
            Self::Pong(payload) => codec.answer(&Incoming::Ping(payload.clone().into()), output),
            Self::Echo(index, reason) => {
                let close = Incoming::Close(Some((code(*index), reason.as_str().into())));
                codec.answer(&close, output);
            }
            Self::EmptyEcho => codec.answer(&Incoming::Close(None), output),
            Self::Silence(text) => {
                codec.answer(&Incoming::Message(Message::text(text.as_str())), output);
                codec.answer(&Incoming::Pong(text.clone().into_bytes().into()), output);
            }
        }
    }

    /// What the other side reads.
    fn expected(&self) -> Option<Incoming> {
        match self {
            Self::Text(text) => Some(Incoming::Message(Message::text(text.as_str()))),
            Self::Binary(bytes) => Some(Incoming::Message(Message::binary(bytes.clone()))),
            Self::Many(byte, count) => {
                let bytes = vec![*byte; (count % MOST) as usize];
                Some(Incoming::Message(Message::binary(bytes)))
            }
            Self::Ping(payload) => Some(Incoming::Ping(beginning(payload).into())),
            Self::Pong(payload) => Some(Incoming::Pong(beginning(payload).into())),
            Self::Close(index, reason) | Self::Echo(index, reason) => {
                let mut cut = String::new();
                // Two bytes are the code's.
                for char in reason.chars() {
                    if cut.len() + char.len_utf8() > 123 {
                        break;
                    }
                    cut.push(char);
                }
                Some(Incoming::Close(Some((code(*index), cut.into()))))
            }
            Self::EmptyEcho => Some(Incoming::Close(None)),
            Self::Silence(_) => None,
        }
    }

    /// Whether it is too long for a control frame.
    fn is_cut(&self) -> bool {
        match self {
            Self::Ping(payload) | Self::Pong(payload) => payload.len() > 125,
            Self::Close(_, reason) | Self::Echo(_, reason) => reason.len() > 123,
            Self::Text(_) | Self::Binary(_) | Self::Many(..) | Self::EmptyEcho => false,
            Self::Silence(_) => false,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Binary(_) | Self::Many(..) => "a binary",
            Self::Ping(_) => "a ping",
            Self::Close(..) => "a close",
            Self::Pong(_) => "a pong",
            Self::Echo(..) => "an echo",
            Self::EmptyEcho => "an empty echo",
            Self::Silence(_) => "no answer",
        }
    }
}

fn beginning(payload: &[u8]) -> Vec<u8> {
    payload[..payload.len().min(125)].to_vec()
}

fn code(index: u8) -> CloseCode {
    CloseCode::new(CODES[usize::from(index)]).expect("a code that may be sent")
}
