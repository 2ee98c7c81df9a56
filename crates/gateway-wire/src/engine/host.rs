//! What the engine needs of a driver: byte streams, clocks, and a way to open a stream.

use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};

use gateway_core::{Credentials, Instant, SocketId, UnixMillis};

use crate::endpoint::Endpoint;
use crate::handshake::Handshake;
use crate::open_failure::OpenFailure;
use crate::provider::{Asking, Attempt};
use crate::session::SocketEnd;

/// A non-blocking byte stream. An operation that would have to wait fails with
/// [`io::ErrorKind::WouldBlock`]. The stream must then wake the task or thread that drives the
/// engine once the operation can go on.
pub trait ByteStream {
    /// Reads once, and passes the bytes to `take`. At the end of the stream it passes an empty
    /// slice. The stream chooses its buffer: [`with_read_buffer`](crate::with_read_buffer) lends
    /// one that costs an idle connection no memory.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if no byte has come yet. Any other error means that none will
    /// come.
    fn read<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> io::Result<T>;

    /// Writes some of `bytes`, and returns how many. `bytes` is never empty. Zero means that the
    /// stream is dead. A stream that accepts no bytes for now must return
    /// [`io::ErrorKind::WouldBlock`] instead. rustls' `Stream` needs an adapter: it returns zero if
    /// its buffer is full.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing can be written now. Any other error means that
    /// nothing can be written again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Flushes the bytes in the stream's own buffer, if it has one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if some bytes cannot be flushed now. Any other error means
    /// that nothing can be flushed again.
    fn flush(&mut self) -> io::Result<()>;

    /// Whether bytes left the stream's own buffer since the last call. The engine asks this each
    /// time it has written and flushed as much as the stream accepts: a flush over TLS may have to
    /// wait, and still make progress. After `true`, the engine assumes that the transport has just
    /// taken bytes. So the peer does not count as dead, and no `send` fails as stalled. The
    /// default, `false`, is for a stream without a buffer.
    fn take_progress(&mut self) -> bool {
        false
    }

    /// Ends the stream's outgoing direction, as far as possible without blocking.
    fn shutdown(&mut self);

    /// Prepares the stream so that dropping it resets the connection instead of closing it. The
    /// peer then receives nothing that the kernel still holds. A TCP socket sets `SO_LINGER` to
    /// zero here. The default does nothing, so dropping the stream closes the connection.
    fn abort(&mut self) {}

    /// Whether a failed write means that none of its bytes left this process. Return `true` for a
    /// bare socket. Return `false` for a stream with a buffer, such as TLS.
    fn fails_whole(&self) -> bool;
}

/// The IO of a driver: it opens byte streams, and reads two clocks. No method may block.
pub trait Host {
    /// A socket that is opening. Dropping it leaves nothing open.
    type Dialing;
    /// An open byte stream. Dropping it closes it.
    type Stream: ByteStream;

    /// Returns the monotonic time.
    fn now(&self) -> Instant;

    /// Returns the wall-clock time.
    fn wall(&self) -> UnixMillis;

    /// Returns the waker of the task or thread that drives the engine. The engine registers it with
    /// the process-wide [`SuspendWatch`](crate::SuspendWatch), which wakes it within 5 s after the
    /// computer wakes up. `None`, the default, is for a host with its own clocks, such as a
    /// simulation. The engine then notices a suspend when a deadline fires.
    fn suspend_waker(&self) -> Option<Waker> {
        None
    }

    /// Asks the provider for the request of this attempt. The engine calls this before
    /// [`dial`](Self::dial) if the core's setting `ask_provider` is on. The default is for a host
    /// without a provider.
    fn ask(&mut self, _id: SocketId, _attempt: Attempt) -> Asking {
        Asking::nobody()
    }

    /// Starts to open a socket: DNS, TCP, TLS. `endpoint` is the attempt's, if the provider's request
    /// changes the host's own.
    fn dial(
        &mut self,
        id: SocketId,
        credentials: Credentials,
        endpoint: Option<Arc<Endpoint>>,
    ) -> Self::Dialing;

    /// Called when an attempt or its socket has ended, before the socket is dropped and before the
    /// next attempt starts. A host that chooses among addresses tries another one next: see
    /// [`AddressBook`](crate::AddressBook). The default does nothing.
    fn ended(&mut self, _id: SocketId, _end: SocketEnd) {}

    /// Runs `act`, which writes the last bytes to a socket that is dropped next. A runtime that
    /// limits a task's IO has to lift the limit here, or these bytes are lost. The default just
    /// runs `act`.
    fn without_budget(act: impl FnOnce()) {
        act();
    }

    /// Polls a socket that is opening: `Pending` while it does, then its result.
    fn poll_dialing(
        &mut self,
        dialing: &mut Self::Dialing,
    ) -> Poll<Result<Dialled<Self::Stream>, OpenFailure>>;
}

/// An open byte stream, and the opening handshake to perform on it.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // drivers construct it
pub struct Dialled<S> {
    /// The stream.
    pub stream: S,
    /// The handshake, not yet started.
    pub handshake: Handshake,
}
