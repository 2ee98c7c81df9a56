//! Bytes to frames, and frames to bytes: [RFC 6455 section
//! 5](https://www.rfc-editor.org/rfc/rfc6455#section-5), for both sides of a connection.
//!
//! Most programs do not need this module: a [`Session`](crate::Session) contains a codec. Servers and
//! tests can use it on its own. It does no IO.
//!
//! `head.rs` judges each frame once, before memory is taken for it. This table says where each rule is:
//!
//! | section of RFC 6455 | rule | file |
//! |---|---|---|
//! | 5.1 | a client masks its frames, a server does not | `head.rs`, `writer.rs` |
//! | 5.2 | reserved bits and opcodes; a length in the least number of bytes | `head.rs` |
//! | 5.3 | masking, with a new key for each frame | `mask.rs`, `writer.rs` |
//! | 5.4 | fragments; control frames between them | `head.rs` (order), `reader.rs` (parts) |
//! | 5.5 | control frames have at most 125 bytes, in one frame | `head.rs` |
//! | 5.5.1 | the payload of a Close; the answer to it; nothing after it | `close.rs`, `codec.rs` |
//! | 5.5.2, 5.5.3 | the answer to a Ping | `codec.rs` |
//! | 5.6, 8.1 | a text is UTF-8, checked as it arrives | `part.rs`, `run.rs` |
//! | 5.8, 9 | extensions: a transform of messages with RSV1 | `extension.rs`, `head.rs` |
//! | 10.4 | the longest message; memory that grows as bytes arrive | `head.rs`, `part.rs` |
//!
//! ```
//! use gateway_wire::Message;
//! use gateway_wire::codec::{Codec, Incoming, Input, Role};
//!
//! let mut client = Codec::new(Role::Client, 1 << 20);
//! let mut server = Codec::new(Role::Server, 1 << 20);
//! let mut sent = Vec::new();
//! client.encode(&Message::text("hello"), &mut sent);
//!
//! // The bytes come in pieces of any size.
//! let mut messages = Vec::new();
//! for piece in sent.chunks(3) {
//!     let mut input = Input::new(piece);
//!     while let Some(incoming) = server.decode(&mut input)? {
//!         if let Incoming::Message(message) = incoming {
//!             messages.push(message);
//!         }
//!     }
//! }
//! assert_eq!(messages, [Message::text("hello")]);
//! # Ok::<(), gateway_wire::codec::Breach>(())
//! ```

mod breach;
mod close;
mod extension;
mod head;
mod input;
mod mask;
mod part;
mod reader;
mod run;
mod writer;

use bytes::Bytes;
use gateway_core::{CloseCode, CloseFrame, Frame};

pub use self::breach::Breach;
pub use self::extension::Extension;
pub use self::input::Input;
use self::reader::Reader;
use self::writer::append;
use crate::message::{Message, Text};
use crate::read_buffer;

/// The least bytes that a read should take. They, their messages and the events stay in the processor's
/// cache, and a thousand small messages still need one read.
const LEAST_READ: usize = read_buffer::SIZE / 2;

/// The side of the connection that a codec is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 defines no third side
pub enum Role {
    /// Masks the frames that it writes, and refuses masked ones.
    Client,
    /// Refuses frames that are not masked, and masks none.
    Server,
}

/// Turns bytes into frames and messages into bytes, for one side of one socket.
#[derive(Debug)]
pub struct Codec {
    role: Role,
    reader: Reader,
    /// Whether a Close was written: our own, or the answer to the peer's.
    is_closed: bool,
}

/// A received message or control frame, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // RFC 6455 defines no others
pub enum Incoming {
    /// A message, of one frame or of several.
    Message(Message),
    /// A Ping, with its payload.
    Ping(Bytes),
    /// A Pong, with its payload.
    Pong(Bytes),
    /// A Close, with its code and reason if it has a code. What comes after it is ignored.
    Close(Option<(CloseCode, Text)>),
}

impl Incoming {
    /// The frame in the core's type.
    pub(crate) fn borrowed(&self) -> Frame<'_> {
        match self {
            Self::Message(message) => message.as_frame(),
            Self::Ping(payload) => Frame::Ping(payload),
            Self::Pong(payload) => Frame::Pong(payload),
            // The reason in a received control frame has at most 123 bytes.
            Self::Close(Some((code, reason))) => {
                Frame::Close(CloseFrame::new(code.number(), reason).ok())
            }
            Self::Close(None) => Frame::Close(None),
        }
    }
}

impl Codec {
    /// Creates a codec that accepts messages of at most `max_message_size` bytes.
    #[must_use]
    pub const fn new(role: Role, max_message_size: usize) -> Self {
        Self { role, reader: Reader::new(role, max_message_size), is_closed: false }
    }

    /// Sets the extension that both sides have negotiated. Without one, a frame with RSV1 is a breach.
    #[must_use]
    pub fn with_extension(mut self, extension: Box<dyn Extension>) -> Self {
        self.reader.extend(extension);
        self
    }

    /// Takes the next message or control frame out of `input`. Call this until it returns `None`:
    /// otherwise the rest of `input` is lost. Pass each control frame to [`answer`](Self::answer),
    /// because RFC 6455 requires an answer to a Ping and to a Close.
    ///
    /// `None` means that `input` is used up. With an [extension](Self::with_extension), a part of
    /// `input` may be left: then call again with it, when there is time for more work.
    ///
    /// # Errors
    /// Returns what the peer violated. Nothing after that is read: each further call returns the same.
    pub fn decode(&mut self, input: &mut Input<'_>) -> Result<Option<Incoming>, Breach> {
        self.reader.next(input)
    }

    /// How many bytes the next read should take: enough for a few frames like the last one.
    pub(crate) fn read_size(&self) -> usize {
        self.reader.last_length().saturating_mul(4).clamp(LEAST_READ, read_buffer::SIZE)
    }

    /// Whether [`decode`](Self::decode) would return `None`. This is cheaper, but may miss it.
    #[inline]
    pub(crate) const fn is_done_with(&self, input: &Input<'_>) -> bool {
        self.reader.is_done_with(input)
    }

    /// Appends the answer to `output`: a Pong to a Ping, an echo to a Close. Messages and Pongs have
    /// none.
    pub fn answer(&mut self, incoming: &Incoming, output: &mut Vec<u8>) {
        match incoming {
            Incoming::Message(_) | Incoming::Pong(_) => {}
            Incoming::Ping(payload) => self.encode_pong(payload, output),
            Incoming::Close(close) => self.answer_close(close.as_ref(), output),
        }
    }

    /// Echoes the code and the reason (section 5.5.1).
    fn answer_close(&mut self, close: Option<&(CloseCode, Text)>, output: &mut Vec<u8>) {
        let payload = close.map(|(code, reason)| close::payload(*code, reason));
        self.write(head::CLOSE, &payload.unwrap_or_default(), output);
    }

    /// Whether frames may follow: no Close was written, neither our own nor the answer to the
    /// peer's.
    #[must_use]
    pub const fn can_write(&self) -> bool {
        !self.is_closed
    }

    /// Appends a message's frame to `output`. After a Close, this and the other functions that
    /// encode do nothing.
    #[inline]
    pub fn encode(&mut self, message: &Message, output: &mut Vec<u8>) {
        match message {
            Message::Text(text) => self.encode_text(text, output),
            Message::Binary(bytes) => self.encode_data(head::BINARY, bytes, output),
        }
    }

    /// Appends a text's frame to `output`.
    pub fn encode_text(&mut self, text: &str, output: &mut Vec<u8>) {
        self.encode_data(head::TEXT, text.as_bytes(), output);
    }

    /// Appends a binary message's frame to `output`.
    pub fn encode_binary(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        self.encode_data(head::BINARY, bytes, output);
    }

    #[inline]
    fn encode_data(&self, opcode: u8, payload: &[u8], output: &mut Vec<u8>) {
        if self.can_write() {
            append(self.role, opcode, payload, output);
        }
    }

    /// Appends a Ping frame to `output`. Of a payload over 125 bytes, the beginning is sent.
    pub fn encode_ping(&mut self, payload: &[u8], output: &mut Vec<u8>) {
        self.write(head::PING, payload, output);
    }

    /// Appends a Pong frame to `output` that answers no Ping, or answers it with another payload
    /// (section 5.5.3). Of a payload over 125 bytes, the beginning is sent.
    pub fn encode_pong(&mut self, payload: &[u8], output: &mut Vec<u8>) {
        self.write(head::PONG, payload, output);
    }

    /// Appends a Close frame to `output`. Of a reason over 123 bytes, the beginning is sent.
    pub fn encode_close(&mut self, code: CloseCode, reason: &str, output: &mut Vec<u8>) {
        self.write(head::CLOSE, &close::payload(code, reason), output);
    }

    fn write(&mut self, opcode: u8, payload: &[u8], output: &mut Vec<u8>) {
        if self.can_write() {
            self.is_closed = opcode == head::CLOSE;
            let payload = &payload[..payload.len().min(head::CONTROL_PAYLOAD)];
            append(self.role, opcode, payload, output);
        }
    }
}

#[cfg(test)]
mod tests;
