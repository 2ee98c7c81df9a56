//! Byte streams that a client can wait for, and other ways to open one than TCP.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use gateway_wire::{ByteStream, Endpoint, OpenFailure, with_read_buffer};
use mio::event::Source;
use mio::net::TcpStream;
use socket2::SockRef;

/// A byte stream to a server that never waits: TCP, TLS over it, or one of the embedder's own. Reading and writing fail
/// with [`io::ErrorKind::WouldBlock`] where they would have to wait; a write of no bytes means that the stream is dead.
///
/// What it is given to read into holds what other connections of the thread have read: it must report exactly what it has written.
pub trait Transport: Read + Write + Send {
    /// The socket under it, for the poller.
    fn source(&mut self) -> &mut dyn Source;

    /// Whether a buffer of the stream's own has passed on bytes since this was last asked: see
    /// [`ByteStream::take_progress`]. The default is for a stream without a buffer.
    fn take_progress(&mut self) -> bool {
        false
    }

    /// Ends this direction of the stream, as far as that needs no waiting.
    fn shutdown(&mut self);

    /// Makes the drop that follows reset the connection, so that a dead peer receives nothing later that the kernel still
    /// holds. A stream over TCP sets `SO_LINGER` to zero here. The default is a plain drop.
    fn abort(&mut self) {}
}

impl Transport for TcpStream {
    fn source(&mut self) -> &mut dyn Source {
        self
    }

    fn shutdown(&mut self) {
        // A socket that cannot be ended is about to be dropped.
        let _ = Self::shutdown(self, Shutdown::Write);
    }

    fn abort(&mut self) {
        // A socket that cannot be reset is about to be dropped.
        let _ = SockRef::from(&*self).set_linger(Some(Duration::ZERO));
    }
}

#[cfg(unix)]
impl Transport for mio::net::UnixStream {
    fn source(&mut self) -> &mut dyn Source {
        self
    }

    fn shutdown(&mut self) {
        // A socket that cannot be ended is about to be dropped.
        let _ = Self::shutdown(self, Shutdown::Write);
    }
}

/// Opens the byte stream under a WebSocket. The default is TCP, with TLS for `wss://`; another may go through
/// a proxy, or a Unix socket.
pub trait Dial: Send + Sync + 'static {
    /// Makes one attempt. It runs on a helper thread and may block there; the client's connect deadline runs meanwhile, and
    /// what comes after it is dropped.
    ///
    /// # Errors
    /// Why there is no stream.
    fn dial(&self, endpoint: &Endpoint) -> Result<Box<dyn Transport>, OpenFailure>;

    /// Whether a write that fails has passed on nothing of what it was offered. So it is with a bare socket, and not
    /// with a stream that buffers, as TLS does: there messages in such a write count as
    /// [`MaybeSent`](crate::Fate::MaybeSent), not as [`Rejected`](crate::Fate::Rejected).
    fn fails_whole(&self) -> bool {
        false
    }
}

/// An open stream, as the engine sees it.
pub struct Socket {
    transport: Box<dyn Transport>,
    fails_whole: bool,
}

impl Socket {
    pub(crate) fn new(transport: Box<dyn Transport>, fails_whole: bool) -> Self {
        Self { transport, fails_whole }
    }
}

impl ByteStream for Socket {
    fn read<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        with_read_buffer(|buffer| {
            let count = uninterrupted(|| self.transport.read(buffer))?;
            Ok(take(&buffer[..count]))
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| self.transport.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        uninterrupted(|| self.transport.flush())
    }

    fn take_progress(&mut self) -> bool {
        self.transport.take_progress()
    }

    fn shutdown(&mut self) {
        self.transport.shutdown();
    }

    fn abort(&mut self) {
        self.transport.abort();
    }

    fn fails_whole(&self) -> bool {
        self.fails_whole
    }
}

/// A system call that a signal has interrupted is made again.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
