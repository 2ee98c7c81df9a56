//! tungstenite over memory, on one side of a connection.

use std::io::{self, ErrorKind, Read, Write};

use gateway_core::{CloseCode, Failure};
use gateway_wire::{Message, codec::Incoming};
use tungstenite::protocol::{CloseFrame, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message as PeerMessage};

use super::{Class, Reading, Side};

/// tungstenite, and the bytes that it reads and writes.
pub(crate) struct Peer<'a> {
    context: WebSocketContext,
    wire: Wire<'a>,
}

struct Wire<'a> {
    bytes: &'a [u8],
    /// How many zeros follow the bytes.
    zeros: usize,
    written: Vec<u8>,
}

impl<'a> Peer<'a> {
    /// Reads `bytes`, and so many zeros behind them.
    pub(crate) fn new(side: Side, limit: usize, bytes: &'a [u8], zeros: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(4 << 10)
            .max_message_size(Some(limit))
            // A limit of messages is none of control frames.
            .max_frame_size(Some(limit.max(125)))
            .accept_unmasked_frames(false);
        let context = WebSocketContext::new(side.peer_role(), Some(config));
        Self { context, wire: Wire { bytes, zeros, written: Vec::new() } }
    }

    /// Reads up to a Close, an error, or the end of the bytes, and answers.
    pub(crate) fn read(&mut self) -> Reading<Error> {
        let mut incoming = Vec::new();
        let error = loop {
            match self.context.read(&mut self.wire) {
                Ok(message) => incoming.push(translated(message)),
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break None,
                Err(error) => break Some(error),
            }
            if let Some(Incoming::Close(_)) = incoming.last() {
                self.flush();
                break None;
            }
        };
        Reading { incoming, error, left: self.wire.bytes.len() }
    }

    /// Writes a message, a Ping, a Pong or a Close.
    pub(crate) fn write(&mut self, incoming: &Incoming) {
        let message = match incoming {
            Incoming::Message(Message::Text(text)) => PeerMessage::text(text.as_str()),
            Incoming::Message(Message::Binary(bytes)) => PeerMessage::Binary(bytes.clone()),
            Incoming::Ping(payload) => PeerMessage::Ping(payload.clone()),
            Incoming::Pong(payload) => PeerMessage::Pong(payload.clone()),
            Incoming::Close(close) => PeerMessage::Close(close.as_ref().map(|(code, reason)| {
                CloseFrame { code: code.number().into(), reason: reason.as_str().into() }
            })),
        };
        if let Err(error) = self.context.write(&mut self.wire, message) {
            panic!("tungstenite does not write {incoming:?}: {error}");
        }
        self.flush();
    }

    /// What it has written.
    pub(crate) fn written(&self) -> &[u8] {
        &self.wire.written
    }

    fn flush(&mut self) {
        match self.context.flush(&mut self.wire) {
            // A server that has answered a Close wants the socket dropped.
            Ok(()) | Err(Error::ConnectionClosed) => {}
            Err(error) => panic!("tungstenite does not flush: {error}"),
        }
    }
}

/// The message of tungstenite in the codec's type.
fn translated(message: PeerMessage) -> Incoming {
    match message {
        PeerMessage::Text(text) => Incoming::Message(Message::text(text.as_str())),
        PeerMessage::Binary(bytes) => Incoming::Message(Message::binary(bytes)),
        PeerMessage::Ping(payload) => Incoming::Ping(payload),
        PeerMessage::Pong(payload) => Incoming::Pong(payload),
        PeerMessage::Close(close) => Incoming::Close(close.map(|CloseFrame { code, reason }| {
            let code = CloseCode::new(code.into());
            (
                code.unwrap_or_else(|code| panic!("tungstenite lets {code:?} pass")),
                reason.as_str().into(),
            )
        })),
        PeerMessage::Frame(frame) => panic!("tungstenite reads no {frame:?}"),
    }
}

impl Class for Error {
    fn class(&self) -> Failure {
        match self {
            Self::Protocol(_) => Failure::Protocol,
            Self::Capacity(_) => Failure::TooBig,
            Self::Utf8(_) => Failure::InvalidUtf8,
            error => panic!("tungstenite fails in another way: {error}"),
        }
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.bytes.is_empty() {
            return self.bytes.read(buffer);
        }
        let count = buffer.len().min(self.zeros);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..count].fill(0);
        self.zeros -= count;
        Ok(count)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
