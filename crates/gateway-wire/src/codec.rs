//! The one seam between bytes and frames. Only this file and the files below it know the codec's
//! crate.
//!
//! The codec runs over memory. It answers Ping and Close by itself, so neither the core nor a
//! driver does.

mod heads;
mod input;
mod masked;

use std::io::{self, Read, Write};

use bytes::Bytes;
use gateway_core::{CloseCode, CloseFrame, Failure, Frame};
use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::frame::coding;
use tungstenite::protocol::{CloseFrame as WireClose, Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Message as WireMessage, Utf8Bytes};

use self::heads::Heads;
pub(crate) use self::input::Input;
use self::input::{BINARY, TEXT};
use crate::message::{Message, Text};

/// Turns bytes into frames and messages into bytes, for the client's side of one socket.
#[derive(Debug)]
pub(crate) struct Codec {
    context: WebSocketContext,
    heads: Heads,
    max_message_size: usize,
}

/// A received message or control frame, complete.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    Close(Option<(CloseCode, Utf8Bytes)>),
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

/// The size of the codec's read buffer. It is small because it is filled from memory, few frames
/// need it, and most connections are idle most of the time.
const READ_BUFFER: usize = 1 << 10;

impl Codec {
    /// Creates a codec that accepts messages of at most `max_message_size` bytes.
    pub(crate) fn new(max_message_size: usize) -> Self {
        Self { context: context(max_message_size), heads: Heads::default(), max_message_size }
    }

    /// The fast path: takes the next message out of `input` if it is complete and in one frame, as
    /// nearly all are. [`decode`](Self::decode) handles everything else.
    #[inline]
    pub(crate) fn take_message(&mut self, input: &mut Input<'_>) -> Option<Message> {
        let is_message_due = self.heads.is_between_messages() && self.context.can_read();
        if is_message_due { input.take_whole(self.max_message_size) } else { None }
    }

    /// Takes the next frame out of `input`. If this returns `None`, `input` is used up. Appends the
    /// answers to Ping and Close to `output`.
    pub(crate) fn decode(
        &mut self,
        input: &mut Input<'_>,
        output: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, (Failure, String)> {
        let decoded = self.decode_any(input, output);
        if let Ok(Some(Incoming::Message(message))) = &decoded
            && message.len() > READ_BUFFER
        {
            self.give_back();
        }
        decoded
    }

    /// Frees the codec's buffer if it grew for a long message. Otherwise the codec would keep it as
    /// long as all messages take the fast path. Between messages, and before any Close, the codec
    /// has no other state, so a new codec can replace it.
    fn give_back(&mut self) {
        if self.heads.is_between_messages() && self.can_write() {
            self.context = context(self.max_message_size);
        }
    }

    /// The slow path: accepts any bytes, in pieces of any size.
    fn decode_any(
        &mut self,
        input: &mut Input<'_>,
        output: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, (Failure, String)> {
        let Self { context, heads, max_message_size } = self;
        let mut wire = Wire { input, output, heads };
        loop {
            let message = match context.read(&mut wire) {
                Ok(message) => message,
                Err(Error::Io(_)) if wire.heads.is_broken() => {
                    return Err((Failure::Protocol, LONG_LENGTH.to_owned()));
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => {
                    return Err(wire.heads.too_long(*max_message_size));
                }
                Err(error) => return Err((failure(&error), error.to_string())),
            };
            return Ok(Some(match message {
                WireMessage::Text(text) => Incoming::Message(Message::Text(Text::from_codec(text))),
                WireMessage::Binary(bytes) => Incoming::Message(Message::Binary(bytes)),
                WireMessage::Ping(payload) => {
                    flush(context, &mut wire);
                    Incoming::Ping(payload)
                }
                WireMessage::Pong(payload) => Incoming::Pong(payload),
                WireMessage::Close(frame) => {
                    let answer = wire.output.len();
                    flush(context, &mut wire);
                    // The codec replaces a code that it does not know, and its error text could
                    // also come from a peer. So only the received bytes decide.
                    let close = received_close(wire.heads.close())?;
                    if let (Some((code, _)), Some(frame)) = (&close, &frame)
                        && u16::from(frame.code) != code.number()
                    {
                        echo_close(wire.output, answer, wire.heads.close());
                    }
                    Incoming::Close(close)
                }
                WireMessage::Frame(_) => continue, // the codec never reads a raw frame
            }));
        }
    }

    /// Whether frames may follow: no Close was written, neither our own nor the answer to the
    /// peer's.
    pub(crate) fn can_write(&self) -> bool {
        self.context.can_write()
    }

    /// Appends a message's frame to `output`.
    #[inline]
    pub(crate) fn encode(&mut self, message: &Message, output: &mut Vec<u8>) {
        match message {
            Message::Text(text) => self.encode_text(text, output),
            Message::Binary(bytes) => self.encode_data(BINARY, bytes, output),
        }
    }

    /// Appends a text's frame to `output`.
    pub(crate) fn encode_text(&mut self, text: &str, output: &mut Vec<u8>) {
        self.encode_data(TEXT, text.as_bytes(), output);
    }

    /// Writes a message as one frame, without the codec. The codec would copy it through its own
    /// buffer, and keep that buffer.
    fn encode_data(&self, first: u8, payload: &[u8], output: &mut Vec<u8>) {
        if self.can_write() {
            masked::append(first, payload, rand::random::<u32>().to_ne_bytes(), output);
        }
    }

    /// Appends a Ping frame to `output`.
    pub(crate) fn encode_ping(&mut self, payload: &str, output: &mut Vec<u8>) {
        self.write(WireMessage::Ping(Bytes::copy_from_slice(payload.as_bytes())), output);
    }

    /// Appends a Close frame to `output`.
    pub(crate) fn encode_close(&mut self, code: CloseCode, reason: &str, output: &mut Vec<u8>) {
        let frame =
            WireClose { code: coding::CloseCode::from(code.number()), reason: reason.into() };
        self.write(WireMessage::Close(Some(frame)), output);
    }

    fn write(&mut self, message: WireMessage, output: &mut Vec<u8>) {
        let Self { context, heads, .. } = self;
        let mut wire = Wire { input: &mut Input::new(&[]), output, heads };
        // Memory accepts everything. The codec only refuses a frame after a Close, which the core
        // never orders.
        let _ = context.write(&mut wire, message);
        flush(context, &mut wire);
    }
}

fn context(max_message_size: usize) -> WebSocketContext {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(max_message_size))
        .max_frame_size(Some(max_message_size));
    WebSocketContext::new(Role::Client, Some(config))
}

fn flush(context: &mut WebSocketContext, wire: &mut Wire<'_, '_>) {
    let _ = context.flush(wire); // memory accepts everything
}

/// The codec answers a Close whose code it does not know, such as 1014, with another code.
/// That answer begins at `answer`. This replaces it with an echo of `payload`, masked with the same
/// key (RFC 6455 section 5.5.1).
fn echo_close(output: &mut Vec<u8>, answer: usize, payload: &[u8]) {
    let Some(&[first, _, a, b, c, d, ..]) = output.get(answer..) else { return };
    let mask = [a, b, c, d];
    output.truncate(answer);
    // A control frame's payload has at most 125 bytes.
    output.extend([first, 0x80 | u8::try_from(payload.len()).unwrap_or(0)]);
    output.extend(mask);
    output.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The error text for a length that the codec would accept.
const LONG_LENGTH: &str = "a length that is coded in more bytes than it needs";

/// Parses the payload of a received Close (RFC 6455 section 5.5.1).
fn received_close(payload: &[u8]) -> Result<Option<(CloseCode, Utf8Bytes)>, (Failure, String)> {
    if payload.is_empty() {
        return Ok(None);
    }
    let illegal =
        || (Failure::Protocol, "a Close frame with a code that may not be sent".to_owned());
    let (code, reason) = payload.split_first_chunk().ok_or_else(illegal)?;
    let code = CloseCode::new(u16::from_be_bytes(*code)).map_err(|_| illegal())?;
    let reason = std::str::from_utf8(reason)
        .map_err(|error| (Failure::InvalidUtf8, format!("a Close frame's reason: {error}")))?;
    Ok(Some((code, reason.into())))
}

/// Converts an error of the codec for the core. A bare end of the stream is a lost connection, not
/// a protocol violation.
fn failure(error: &Error) -> Failure {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => Failure::Eof,
        Error::Utf8(_) => Failure::InvalidUtf8,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Failure::TooBig,
        Error::Io(_) => Failure::Io,
        _ => Failure::Protocol,
    }
}

/// Both directions of the socket, in memory.
struct Wire<'a, 'b> {
    input: &'a mut Input<'b>,
    output: &'a mut Vec<u8>,
    heads: &'a mut Heads,
}

impl Read for Wire<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.input.rest();
        if rest.is_empty() || self.heads.is_broken() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // The codec reads one frame at a time. So between frames it holds no bytes of the next
        // frame.
        let Some(count) = self.heads.follow(&rest[..rest.len().min(into.len())]) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        into[..count].copy_from_slice(&rest[..count]);
        self.input.advance(count);
        Ok(count)
    }
}

impl Write for Wire<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
