//! What tokio gives the engine: its clock, its sockets, and a waker for both.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use gateway_core::{Credentials, Instant, SocketId, UnixMillis};
use gateway_wire::{ByteStream, Dialled, Host, OpenFailure, WallClock, with_read_buffer};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::clock::Clock;
use crate::dial::Transport;
use crate::open::{Opener, Opening};

/// The runtime, as the engine sees it.
pub(crate) struct Tokio {
    pub(crate) opener: Arc<Opener>,
    /// Wakes whoever polls the client.
    waker: Waker,
    wall: Option<WallClock>,
    /// Started at the first look: only then is the runtime known.
    clock: OnceLock<Clock>,
}

impl Tokio {
    pub(crate) fn new(opener: Arc<Opener>, waker: Waker, wall: Option<WallClock>) -> Self {
        Self { opener, waker, wall, clock: OnceLock::new() }
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.clock.get_or_init(|| Clock::start(self.wall.clone()))
    }
}

impl Host for Tokio {
    type Dialing = Opening;
    type Stream = Polled;

    fn now(&self) -> Instant {
        self.clock().now()
    }

    fn wall(&self) -> UnixMillis {
        self.clock().wall()
    }

    fn dial(&mut self, _: SocketId, credentials: Credentials) -> Opening {
        self.opener.open(credentials)
    }

    fn poll_dialing(
        &mut self,
        dialing: &mut Opening,
    ) -> Poll<Result<Dialled<Polled>, OpenFailure>> {
        let outcome = dialing.as_mut().poll(&mut Context::from_waker(&self.waker));
        outcome.map_ok(|Dialled { stream: transport, handshake, login }| {
            let fails_whole = self.opener.dial.fails_whole();
            let stream = Polled { transport, waker: self.waker.clone(), fails_whole };
            Dialled { stream, handshake, login }
        })
    }
}

/// A transport that is polled with the client's own waker.
pub(crate) struct Polled {
    transport: Box<dyn Transport>,
    waker: Waker,
    fails_whole: bool,
}

impl Polled {
    fn poll<T>(
        &mut self,
        look: impl FnOnce(Pin<&mut Box<dyn Transport>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        match look(Pin::new(&mut self.transport), &mut Context::from_waker(&self.waker)) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl ByteStream for Polled {
    fn read<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        with_read_buffer(|storage| {
            let mut buffer = ReadBuf::new(storage);
            self.poll(|transport, cx| transport.poll_read(cx, &mut buffer))?;
            Ok(take(buffer.filled()))
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.poll(|transport, cx| transport.poll_write(cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.poll(|transport, cx| transport.poll_flush(cx))
    }

    fn shutdown(&mut self) {
        // A stream that cannot be ended now is about to be dropped.
        let _ = self.poll(|transport, cx| transport.poll_shutdown(cx));
    }

    fn fails_whole(&self) -> bool {
        self.fails_whole
    }
}
