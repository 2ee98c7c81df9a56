//! Byte streams in memory that follow the input: they deliver a server's bytes in pieces, late, in
//! part or not at all.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use gateway_core::{OpenError, SocketId};
use gateway_testkit::{Frame, answer_upgrade, history::Listed as _};
use gateway_tokio::{Dial, Dialing, Endpoint, Message, OpenFailure, Transport};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answers::{CODES, KnownCode};

/// A pong in JSON. An unsolicited one is delivered to the application.
pub(super) const PONG: &str = r#"{"type":"pong"}"#;

/// How one attempt to connect goes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Attempt {
    pub(super) opening: Opening,
    pub(super) inbound: Vec<Inbound>,
    /// Whether the server answers pings and the Close.
    pub(super) answers: bool,
    pub(super) reads: Vec<Io>,
    pub(super) writes: Vec<Io>,
    pub(super) flushes: Flushes,
    pub(super) ending: Ending,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Opening {
    #[default]
    Accepted,
    Answered(#[serde(with = "serde_bytes")] Vec<u8>),
    HangsUp,
    Refused,
    NeverConnected,
}

/// What the server writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Inbound {
    Text(u8),
    /// At most 599 bytes.
    Binary(u16),
    /// A text in so many frames, with a Ping between them.
    Fragments(u8),
    Ping(u8),
    Pong(u8),
    HeartbeatPong,
    PeerPing,
    Welcome,
    Close(#[serde(with = "KnownCode")] u8),
    /// Any bytes: what follows them may be anything.
    Raw(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// How one call goes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Io {
    /// So many bytes, at least one.
    Few(u8),
    All,
    /// None now, but soon.
    Wait,
    /// None any more.
    Never,
    Fail(u8),
    /// The end of the stream, or a write of nothing.
    Zero,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) enum Flushes {
    #[default]
    AtOnce,
    Late,
    Never,
    Fail,
}

/// What reading comes to in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Ending {
    #[default]
    Silence,
    Eof,
    Reset,
}

/// The server's side of one socket.
#[derive(Debug)]
pub(super) struct End {
    pub(super) id: SocketId,
    attempt: Attempt,
    request: Vec<u8>,
    is_upgraded: bool,
    inbox: VecDeque<u8>,
    ending: Ending,
    written: Vec<u8>,
    is_closed: bool,
    reads: usize,
    writes: usize,
    flush_waits: bool,
    reader: Option<Waker>,
    /// The texts of the application that have come, whole.
    pub(super) texts: Vec<String>,
    /// What a client must be given, in this order; `None` where that cannot be said.
    pub(super) expected: Option<Vec<Message>>,
}

/// All sockets of one client.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) attempts: VecDeque<Attempt>,
    pub(super) ends: Vec<End>,
    /// The socket that was opened last.
    pub(super) opened: u64,
}

pub(super) type Shared = Arc<Mutex<World>>;

pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens them.
pub(super) struct Feed {
    pub(super) shared: Shared,
    pub(super) fails_whole: bool,
}

impl Dial for Feed {
    fn fails_whole(&self) -> bool {
        self.fails_whole
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        let refused = || OpenFailure::new(OpenError::Refused, "nobody is there");
        let mut world = lock(&self.shared);
        let Some(attempt) = world.attempts.pop_front() else {
            // Unplanned attempts are few, because each takes its whole time.
            return Box::pin(std::future::pending());
        };
        match attempt.opening {
            Opening::Refused => Box::pin(std::future::ready(Err(refused()))),
            Opening::NeverConnected => Box::pin(std::future::pending()),
            Opening::Accepted | Opening::Answered(_) | Opening::HangsUp => {
                let (id, index) = (SocketId::new(world.opened), world.ends.len());

                world.ends.push(End::new(id, attempt));
                let stream = Stream { shared: Arc::clone(&self.shared), index };
                Box::pin(std::future::ready(Ok(Box::new(stream) as Box<dyn Transport>)))
            }
        }
    }
}

impl End {
    fn new(id: SocketId, attempt: Attempt) -> Self {
        let ending = attempt.ending;
        Self {
            id,
            attempt,
            request: Vec::new(),
            is_upgraded: false,
            inbox: VecDeque::new(),
            ending,
            written: Vec::new(),
            is_closed: false,
            reads: 0,
            writes: 0,
            flush_waits: false,
            reader: None,
            texts: Vec::new(),
            expected: None,
        }
    }

    /// The request is whole: the answer, and all that the server says by itself.
    fn upgrade(&mut self) {
        self.is_upgraded = true;
        match &self.attempt.opening {
            Opening::Answered(bytes) => self.inbox.extend(bytes),
            Opening::HangsUp => self.ending = Ending::Eof,
            Opening::Accepted | Opening::Refused | Opening::NeverConnected => {
                let upgrade = answer_upgrade(&self.request).expect("the request is whole");
                self.inbox.extend(upgrade.1.as_bytes());
                self.expected = Some(Vec::new());
                for inbound in self.attempt.inbound.clone().iter() {
                    self.say(inbound);
                }
            }
        }
    }

    fn say(&mut self, inbound: &Inbound) {
        let number = self.expected.as_ref().map_or(0, Vec::len);
        let name = format!("a{}.{number}", self.id.number());
        let pad = |length: u16| "x".repeat(length.into());
        match inbound {
            Inbound::Text(length) => {
                let text = format!("{name}{}", pad((*length).into()));
                self.message(&[Frame::text(&text)], Message::text(text));
            }
            Inbound::Binary(length) => {
                let bytes = format!("{name}{}", pad(*length % 600)).into_bytes();
                self.message(&[Frame::binary(&bytes)], Message::binary(bytes));
            }
            Inbound::Fragments(count) => {
                let mut frames = vec![Frame::new(0x01, &name), Frame::ping("between")];
                for _ in 0..*count % 8 {
                    frames.push(Frame::new(0x00, "y"));
                }
                frames.push(Frame::new(0x80, "."));
                let text = format!("{name}{}.", "y".repeat(usize::from(*count % 8)));
                self.message(&frames, Message::text(text));
            }
            Inbound::Ping(length) => self.frame(&Frame::ping(vec![7; usize::from(*length % 126)])),
            Inbound::Pong(length) => {
                self.frame(&Frame::pong(vec![b'1'; usize::from(*length % 126)]))
            }
            Inbound::HeartbeatPong => self.frame(&Frame::text(PONG)),
            Inbound::PeerPing => {
                let ping = r#"{"type":"ping","timestamp":5}"#;
                self.message(&[Frame::text(ping)], Message::text(ping));
            }
            Inbound::Welcome => {
                let welcome = r#"{"type":"welcome"}"#;
                self.message(&[Frame::text(welcome)], Message::text(welcome));
            }
            Inbound::Close(code) => {
                self.frame(&Frame::close(CODES[usize::from(*code)], ""));
                // What follows is ignored, as is the end of the list.
                self.is_closed = true;
            }
            Inbound::Raw(bytes) => {
                self.inbox.extend(bytes);
                self.expected = None;
            }
        }
    }

    fn message(&mut self, frames: &[Frame], message: Message) {
        for frame in frames {
            self.frame(frame);
        }
        if let (false, Some(expected)) = (self.is_closed, &mut self.expected) {
            expected.push(message);
        }
    }

    fn frame(&mut self, frame: &Frame) {
        self.inbox.extend(frame.bytes());
    }

    /// Takes what the client wrote.
    fn hear(&mut self, bytes: &[u8]) {
        if !self.is_upgraded {
            self.request.extend(bytes);
            if self.request.ends_with(b"\r\n\r\n") {
                self.upgrade();
                self.is_closed = false;
            }
            return;
        }
        self.written.extend(bytes);
        while let Some(frame) = Frame::take(&mut self.written) {
            assert!(!self.is_closed, "I11: {frame:?} after a Close");
            match frame.first {
                0x81 if frame.is_heartbeat() => self.answer(&Frame::text(PONG)),
                0x81 => self.texts.push(frame.as_text().to_owned()),
                0x88 => {
                    self.is_closed = true;
                    self.answer(&frame);
                    if self.attempt.answers {
                        self.ending = Ending::Eof;
                    }
                }
                0x89 => self.answer(&Frame::pong(&frame.payload)),
                0x8a => {}
                first => panic!("a client never sends {first:x}"),
            }
        }
    }

    fn answer(&mut self, frame: &Frame) {
        if self.attempt.answers {
            self.frame(frame);
            if let Some(waker) = self.reader.take() {
                waker.wake();
            }
        }
    }
}

fn next(calls: &[Io], count: &mut usize) -> Io {
    let call = calls.get(*count).copied().unwrap_or(Io::All);
    // What does not end goes on.
    if !matches!(call, Io::Never | Io::Fail(_) | Io::Zero) {
        *count += 1;
    }
    call
}

fn error(which: u8) -> io::Error {
    use io::ErrorKind as Kind;
    let kinds = [Kind::ConnectionReset, Kind::BrokenPipe, Kind::TimedOut, Kind::Other];
    kinds[usize::from(which) % kinds.len()].into()
}

/// The client's side of a socket.
struct Stream {
    shared: Shared,
    index: usize,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut world = lock(&self.shared);
        let end = &mut world.ends[self.index];
        if end.inbox.is_empty() && (end.ending == Ending::Silence || !end.is_upgraded) {
            end.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let most = match next(&end.attempt.reads, &mut end.reads) {
            Io::Few(most) => usize::from(most).max(1),
            Io::All => usize::MAX,
            Io::Wait => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Io::Never => return Poll::Pending,
            Io::Fail(which) => {
                end.expected = None;
                return Poll::Ready(Err(error(which)));
            }
            Io::Zero => {
                end.expected = None;
                return Poll::Ready(Ok(()));
            }
        };
        if end.inbox.is_empty() && end.ending == Ending::Reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let count = most.min(buffer.remaining()).min(end.inbox.len());
        buffer.put_slice(&end.inbox.make_contiguous()[..count]);
        end.inbox.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut world = lock(&self.shared);
        let end = &mut world.ends[self.index];
        let most = match next(&end.attempt.writes, &mut end.writes) {
            Io::Few(most) => usize::from(most).max(1),
            Io::All => usize::MAX,
            Io::Wait => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Io::Never => return Poll::Pending,
            Io::Fail(which) => return Poll::Ready(Err(error(which))),
            Io::Zero => return Poll::Ready(Ok(0)),
        };
        let count = most.min(bytes.len());
        end.hear(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut world = lock(&self.shared);
        let end = &mut world.ends[self.index];
        match end.attempt.flushes {
            Flushes::AtOnce => Poll::Ready(Ok(())),
            Flushes::Late => {
                end.flush_waits = !end.flush_waits;
                if end.flush_waits {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(()))
            }
            Flushes::Never => Poll::Pending,
            Flushes::Fail => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
