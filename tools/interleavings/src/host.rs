//! In place of `crates/gateway-tokio/src/host.rs`: a peer in memory, which answers at once.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use gateway_core::{Credentials, Instant, SocketId, UnixMillis};
use gateway_wire::{ByteStream, Dialled, Endpoint, Handshake, Host, OpenFailure};
use tungstenite::handshake::derive_accept_key;

use crate::clock::Clock;
use crate::open::Opener;
use crate::outside::Outside;
use crate::sync::{AtomicUsize, Ordering};

/// A text that the peer echoes.
pub(crate) const ECHOED: &str = "echo";

/// The peer: what it has received, and what it sends. Threads of a scenario share it.
#[derive(Default)]
pub(crate) struct Peer {
    /// How many more bytes the sockets take. loom explores who sees a change when.
    pub(crate) takes: AtomicUsize,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// What the client wrote since its last upgrade request.
    received: Vec<u8>,
    /// What it has yet to read.
    sends: Vec<u8>,
    is_upgraded: bool,
}

impl Peer {
    /// One that takes this much.
    pub(crate) fn new(takes: usize) -> Self {
        Self { takes: AtomicUsize::new(takes), books: Mutex::default() }
    }

    /// Sends these bytes. The scenario wakes the client.
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.books().sends.extend(bytes);
    }

    /// The payloads of the text frames that came, and whether a Close came behind them.
    pub(crate) fn received(&self) -> (Vec<String>, bool) {
        self.books().received()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn receive(&mut self, bytes: &[u8]) {
        self.received.extend(bytes);
        if !self.is_upgraded {
            let request = String::from_utf8(std::mem::take(&mut self.received)).expect("a request");
            let key = request
                .lines()
                .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
                .expect("a key");
            self.sends = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            )
            .into_bytes();
            self.is_upgraded = true;
            return;
        }
        let (texts, is_closed) = self.received();
        if is_closed {
            self.sends.extend([0x88, 2, 3, 0xe8]);
        } else if texts.last().is_some_and(|text| text == ECHOED) {
            self.sends.extend([0x81, ECHOED.len() as u8]);
            self.sends.extend(ECHOED.bytes());
        }
    }

    /// All frames are short and come whole.
    fn received(&self) -> (Vec<String>, bool) {
        let (mut texts, mut rest) = (Vec::new(), &self.received[..]);
        while let [first, length, masked @ ..] = rest {
            let length = usize::from(length & 0x7f);
            let (mask, masked) = masked.split_at(4);
            let payload = masked[..length].iter().zip(mask.iter().cycle());
            let payload: Vec<_> = payload.map(|(byte, key)| byte ^ key).collect();
            if *first == 0x88 {
                return (texts, true);
            }
            texts.push(String::from_utf8(payload).expect("a text"));
            rest = &masked[length..];
        }
        (texts, false)
    }
}

/// The host.
pub(crate) struct Tokio {
    pub(crate) opener: std::sync::Arc<Opener>,
    pub(crate) waker: Waker,
    pub(crate) peer: std::sync::Arc<Peer>,
}

impl Tokio {
    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    #[allow(clippy::unused_self)]
    pub(crate) const fn clock(&self) -> &Clock {
        &Clock
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn poll_outside(&mut self) {}

    #[allow(clippy::unused_self)]
    pub(crate) fn take_outside(&mut self) -> Vec<Outside> {
        Vec::new()
    }
}

impl Host for Tokio {
    type Dialing = ();
    type Stream = Stream;

    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn wall(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn dial(&mut self, _: SocketId, _: Credentials, _: Option<std::sync::Arc<Endpoint>>) {
        let mut books = self.peer.books();
        *books = Books::default();
    }

    fn poll_dialing(&mut self, (): &mut ()) -> Poll<Result<Dialled<Stream>, OpenFailure>> {
        let handshake = Handshake::start(&self.opener.endpoint);
        let stream = Stream(std::sync::Arc::clone(&self.peer));
        Poll::Ready(Ok(Dialled { stream, handshake }))
    }
}

/// The client's end of the socket.
pub(crate) struct Stream(std::sync::Arc<Peer>);

impl ByteStream for Stream {
    fn read<T>(&mut self, _: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let bytes = std::mem::take(&mut self.0.books().sends);
        if bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(take(&bytes))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let takes = self.0.takes.load(Ordering::Acquire);
        let count = takes.min(bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.takes.fetch_sub(count, Ordering::AcqRel);
        self.0.books().receive(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn shutdown(&mut self) {}

    fn fails_whole(&self) -> bool {
        true
    }
}
