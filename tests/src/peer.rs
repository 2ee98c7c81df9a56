//! The server's side of one socket: the upgrade, then raw frames.

use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tungstenite::handshake::derive_accept_key;

use crate::clock::within;
use gateway_testkit::Frame;

/// What a server sees of a client.
pub struct Peer<S> {
    /// The socket.
    pub stream: S,
    /// The upgrade request.
    pub head: Head,
    /// Read, and not yet taken as a frame.
    unread: Vec<u8>,
}

/// An upgrade request.
pub struct Head(String);

impl Head {
    /// Reads one; it ends with an empty line.
    ///
    /// # Panics
    /// The client ended TCP before that.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Self {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(stream.read_u8().await.expect("an upgrade request"));
        }
        Self(String::from_utf8(bytes).expect("visible characters"))
    }

    /// Takes one from the front of `bytes`; `None` while it is not whole.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = bytes.drain(..end).collect();
        Some(Self(String::from_utf8(head).expect("visible characters")))
    }

    /// The path and the query of the URL.
    #[must_use]
    pub fn target(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The answer that completes the handshake, with these header lines as well.
    ///
    /// # Panics
    /// The request has no key.
    #[must_use]
    pub fn acceptance(&self, more: &str) -> String {
        let key = self.header("sec-websocket-key").expect("a key");
        let accept = derive_accept_key(key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        )
    }
}

/// Reads the request and gives this answer in place of an upgrade. Keeps nothing open.
pub async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> Head {
    let head = Head::read(&mut stream).await;
    let _ = stream.write_all(answer.as_bytes()).await; // the client may have ended TCP
    let _ = stream.shutdown().await;
    head
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Does the upgrade.
    pub async fn accept(stream: S) -> Self {
        Self::accept_with(stream, "").await
    }

    /// Does the upgrade with more header lines, each with its line end.
    pub async fn accept_with(mut stream: S, more: &str) -> Self {
        let head = Head::read(&mut stream).await;
        let mut peer = Self { head, stream, unread: Vec::new() };
        peer.write(peer.head.acceptance(more)).await;
        peer
    }

    /// Writes these bytes.
    ///
    /// # Panics
    /// The client has ended TCP.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the client is there");
        self.stream.flush().await.expect("the client is there");
    }

    /// The stream, past its upgrade.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Writes a frame.
    pub async fn send(&mut self, frame: Frame) {
        self.write(frame.bytes()).await;
    }

    /// The next frame.
    ///
    /// # Panics
    /// The stream ended.
    pub async fn frame(&mut self) -> Frame {
        self.next().await.expect("a frame")
    }

    /// The next frame; `None` at the end of the stream, however it comes.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Frame::take(&mut self.unread) {
                return Some(frame);
            }
            if matches!(within(self.stream.read_buf(&mut self.unread)).await, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    /// All frames up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// Echoes messages and answers heartbeats until the client ends TCP or closes.
    pub async fn echo(&mut self) {
        while let Some(frame) = self.next().await {
            let (answer, last) = match frame.first {
                _ if frame.is_heartbeat() => (Frame::text(r#"{"type":"pong"}"#), false),
                0x88 => (frame, true),
                _ => (frame, false),
            };
            if self.stream.write_all(&answer.bytes()).await.is_err() || last {
                return;
            }
        }
    }
}

impl<S> fmt::Debug for Peer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("head", &self.head).finish_non_exhaustive()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
