//! A peer's deeds on an open socket: their bytes, and what a connection sees of them.

use gateway_core::Failure;

use crate::frame::Frame;

/// A deed of a peer at one instant. Its bytes arrive in one read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Bytes {
        bytes: Vec<u8>,
        heard: Heard,
    },
    /// The peer's socket accepts this many more bytes.
    Takes(u64),
    /// The end of the stream.
    End,
    Reset,
}

/// What a connection sees of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // as events are
pub enum Heard {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A Ping.
    Ping(Vec<u8>),
    /// A Pong.
    Pong(Vec<u8>),
    /// A Close with its content.
    Close(Option<(u16, String)>),
    /// A part of a frame.
    Part,
    /// The end of the socket.
    Failed(Failure),
}

impl Deed {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::raw(Frame::text(text).bytes(), Heard::Text(text.to_owned()))
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: &[u8]) -> Self {
        Self::raw(Frame::binary(bytes).bytes(), Heard::Binary(bytes.to_vec()))
    }

    /// A Ping frame.
    #[must_use]
    pub fn ping(payload: &str) -> Self {
        Self::raw(Frame::ping(payload).bytes(), Heard::Ping(payload.into()))
    }

    /// A Pong frame.
    #[must_use]
    pub fn pong(payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref();
        Self::raw(Frame::pong(payload).bytes(), Heard::Pong(payload.to_vec()))
    }

    /// A Close frame.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        Self::raw(Frame::close(code, reason).bytes(), Heard::Close(Some((code, reason.to_owned()))))
    }

    /// A Close frame without a code.
    #[must_use]
    pub fn close_without_code() -> Self {
        Self::raw(Frame::new(0x88, []).bytes(), Heard::Close(None))
    }

    /// The stream ends.
    #[must_use]
    pub fn end() -> Self {
        Self { parts: vec![Part::End] }
    }

    /// The stream is reset.
    #[must_use]
    pub fn reset() -> Self {
        Self { parts: vec![Part::Reset] }
    }

    /// Sends nothing. The peer's socket accepts this many more bytes.
    #[must_use]
    pub fn takes(bytes: u64) -> Self {
        Self { parts: vec![Part::Takes(bytes)] }
    }

    /// Sends nothing. The peer's socket accepts everything from now on.
    #[must_use]
    pub fn takes_all() -> Self {
        Self::takes(u64::MAX)
    }

    /// Any bytes, with what a connection sees of them.
    #[must_use]
    pub fn raw(bytes: Vec<u8>, heard: Heard) -> Self {
        Self { parts: vec![Part::Bytes { bytes, heard }] }
    }

    /// Bytes after which the client must fail the socket.
    #[must_use]
    pub fn breach(bytes: &[u8], failure: Failure) -> Self {
        Self::raw(bytes.to_vec(), Heard::Failed(failure))
    }

    /// This and then `next`, in the same read.
    #[must_use]
    pub fn and(mut self, next: Self) -> Self {
        self.parts.extend(next.parts);
        self
    }

    /// This message in `count` pieces. Each but the last is a part of a frame.
    ///
    /// # Panics
    /// If the message has fewer bytes than pieces, or is not a single message.
    #[must_use]
    pub fn in_pieces(self, count: usize) -> Vec<Self> {
        let [Part::Bytes { bytes, heard }] = self.parts.as_slice() else {
            panic!("only a single message can be cut into pieces");
        };
        assert!(count > 0 && bytes.len() >= count, "too short for {count} pieces");
        let length = bytes.len().div_ceil(count);
        let pieces: Vec<_> = bytes.chunks(length).collect();
        let last = pieces.len() - 1;
        let heard_at = |index| if index == last { heard.clone() } else { Heard::Part };
        (0..).zip(pieces).map(|(index, piece)| Self::raw(piece.to_vec(), heard_at(index))).collect()
    }

    /// Whether it ends the stream.
    pub(crate) fn is_end(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::End | Part::Reset))
    }

    /// Whether it resets the stream.
    pub(crate) fn is_reset(&self) -> bool {
        self.parts.contains(&Part::Reset)
    }

    /// How many more bytes the peer's socket accepts.
    pub(crate) fn opens_by(&self) -> u64 {
        let opens = self.parts.iter().map(|part| match part {
            Part::Takes(bytes) => *bytes,
            Part::Bytes { .. } | Part::End | Part::Reset => 0,
        });
        opens.fold(0, u64::saturating_add)
    }

    /// What a connection sees, in order. Parts only count if the read has nothing whole.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut is_part = false;
        for part in &self.parts {
            match part {
                Part::Bytes { heard: Heard::Part, .. } => is_part = true,
                Part::Bytes { heard: whole, .. } => heard.push(whole.clone()),
                Part::Takes(_) => {}
                Part::End => heard.push(Heard::Failed(Failure::Eof)),
                Part::Reset => heard.push(Heard::Failed(Failure::Reset)),
            }
        }
        let is_whole = heard.iter().any(|heard| !matches!(heard, Heard::Failed(_)));
        if is_part && !is_whole {
            heard.insert(0, Heard::Part);
        }
        heard
    }
}
