//! Byte streams that a client can wait for, and other ways than TCP to open one.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use gateway_wire::{ByteStream, Endpoint, OpenFailure, with_read_buffer};
use mio::event::Source;
use mio::net::TcpStream;
use socket2::SockRef;

/// A non-blocking byte stream to a server: TCP, TLS over TCP, or your own type. A read or write
/// that would have to wait must fail with [`io::ErrorKind::WouldBlock`]. A write of zero bytes
/// means that the stream is dead.
///
/// The buffer passed to a read is reused, and may hold old bytes of other connections. A read must
/// return exactly the number of bytes that it put there. These count as received.
pub trait Transport: Read + Write + Send {
    /// Returns the socket under the stream, for the poller.
    fn source(&mut self) -> &mut dyn Source;

    /// Whether bytes left the stream's own buffer since the last call; see
    /// [`ByteStream::take_progress`]. The default, `false`, is for a stream without a buffer.
    fn take_progress(&mut self) -> bool {
        false
    }

    /// Ends the stream's outgoing direction, as far as possible without blocking.
    fn shutdown(&mut self);

    /// Prepares the stream so that dropping it resets the connection instead of closing it.
    /// Otherwise a dead peer could later receive what the kernel still holds. A stream over TCP
    /// sets `SO_LINGER` to zero here. The default does nothing, so dropping the stream closes the
    /// connection.
    fn abort(&mut self) {}
}

impl Transport for TcpStream {
    fn source(&mut self) -> &mut dyn Source {
        self
    }

    fn shutdown(&mut self) {
        // If the shutdown fails, the drop follows in any case.
        let _ = Self::shutdown(self, Shutdown::Write);
    }

    fn abort(&mut self) {
        // If this fails, the drop follows in any case.
        let _ = SockRef::from(&*self).set_linger(Some(Duration::ZERO));
    }
}

#[cfg(unix)]
impl Transport for mio::net::UnixStream {
    fn source(&mut self) -> &mut dyn Source {
        self
    }

    fn shutdown(&mut self) {
        // If the shutdown fails, the drop follows in any case.
        let _ = Self::shutdown(self, Shutdown::Write);
    }
}

/// Opens the byte stream under a WebSocket. The default is TCP, with TLS for `wss://`. Your own
/// implementation may use a Unix socket, or another proxy than those of
/// [`Proxy`](gateway_wire::Proxy).
///
/// [`Builder::dial`](crate::Builder::dial) expects a stream that needs no TLS from the client, even for
/// `wss://`. With [`Builder::dial_under_tls`](crate::Builder::dial_under_tls) the client performs it.
pub trait Dial: Send + Sync + 'static {
    /// Makes one attempt. `endpoint` is the client's, with the changes of the provider's request. This
    /// runs on a helper thread, where it may block. If it returns a stream
    /// after the connect timeout has expired, the client drops that stream.
    ///
    /// # Errors
    /// Why no stream could be opened.
    fn dial(&self, endpoint: &Endpoint) -> Result<Box<dyn Transport>, OpenFailure>;

    /// Whether a failed write means that none of its bytes left this process. Return `true` for a
    /// bare socket: messages in such a write get the outcome [`Rejected`](crate::Fate::Rejected).
    /// Return `false`, the default, for a stream with a buffer, such as TLS: they get the outcome
    /// [`MaybeSent`](crate::Fate::MaybeSent).
    fn fails_whole(&self) -> bool {
        false
    }
}

/// An open stream of a [`Client`](crate::Client).
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
    fn read<T>(&mut self, size: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        with_read_buffer(size, |buffer| {
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

/// A stream whose calls are repeated if a signal has interrupted them.
pub(crate) struct Uninterrupted<'a>(pub(crate) &'a mut dyn Transport);

impl Read for Uninterrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.read(buffer))
    }
}

impl Write for Uninterrupted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        uninterrupted(|| self.0.flush())
    }
}

/// Repeats a system call that a signal has interrupted.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
