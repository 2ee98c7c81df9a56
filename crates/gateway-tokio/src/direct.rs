//! Writes directly to the socket, without asking tokio whether it is writable.
//!
//! Linux reports a TCP socket as writable only once a third of its send buffer is free. Until then
//! tokio answers `Pending`, although the socket takes bytes. With a buffer of some megabytes and a
//! slow link, that lasts for minutes. The peer would seem to take nothing.

use std::any::Any;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::task::coop;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConnection;

use crate::dial::Transport;
use crate::layers::Secured;

/// Writes to the socket, if `transport` is a bare one.
pub(crate) fn poll_write(
    transport: &mut dyn Transport,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    let transport: &mut dyn Any = transport;
    match transport.downcast_ref::<TcpStream>() {
        Some(tcp) => within_budget(cx, || Direct(tcp).write(bytes)),
        None => Poll::Pending,
    }
}

/// Writes the pending TLS records, if `transport` is TLS of this client, or TLS over a socket.
/// Returns how many of their bytes the stream under all TLS took.
pub(crate) fn poll_records(
    transport: &mut dyn Transport,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let transport: &mut dyn Any = transport;
    if let Some(secured) = transport.downcast_mut::<Secured>() {
        let (under, connection) = secured.parts();
        return poll_push(connection, under, cx);
    }
    match transport.downcast_mut::<TlsStream<TcpStream>>() {
        Some(tls) => {
            let (tcp, connection) = tls.get_mut();
            poll_push(connection, tcp, cx)
        }
        None => Poll::Ready(Ok(0)),
    }
}

/// Writes the pending records of `connection` to `under`.
fn poll_push(
    connection: &mut ClientConnection,
    under: &mut dyn Transport,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // TLS below has a buffer of its own, which must be empty before it takes more.
    let mut taken = ready!(poll_records(under, cx))?;
    let mut passed_on = 0;
    while connection.wants_write() {
        let any: &dyn Any = under;
        let written = match any.downcast_ref::<TcpStream>() {
            Some(tcp) => within_budget(cx, || connection.write_tls(&mut Direct(tcp))),
            None => match connection.write_tls(&mut NonBlocking::new(under, cx)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                outcome => Poll::Ready(outcome),
            },
        };
        match written {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => passed_on += count,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => break,
        }
    }
    let any: &dyn Any = under;
    if any.is::<Secured>() || any.is::<TlsStream<TcpStream>>() {
        taken += ready!(poll_records(under, cx))?;
    } else {
        taken += passed_on;
    }
    Poll::Ready(Ok(taken))
}

/// A transport whose reads and writes fail with `WouldBlock` where they would have to wait. The task
/// is then woken when they can go on.
pub(crate) struct NonBlocking<'a, 'b> {
    transport: &'a mut dyn Transport,
    cx: &'a mut Context<'b>,
}

impl<'a, 'b> NonBlocking<'a, 'b> {
    pub(crate) fn new(transport: &'a mut dyn Transport, cx: &'a mut Context<'b>) -> Self {
        Self { transport, cx }
    }
}

fn now<T>(outcome: Poll<io::Result<T>>) -> io::Result<T> {
    match outcome {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Read for NonBlocking<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        now(Pin::new(&mut *self.transport).poll_read(self.cx, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl Write for NonBlocking<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now(Pin::new(&mut *self.transport).poll_write(self.cx, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        now(Pin::new(&mut *self.transport).poll_flush(self.cx))
    }
}

/// Without this, a task that sends in a loop would never let other tasks run.
fn within_budget(
    cx: &mut Context<'_>,
    write: impl FnOnce() -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let budget = ready!(coop::poll_proceed(cx));
    match write() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        outcome => {
            budget.made_progress();
            Poll::Ready(outcome)
        }
    }
}

/// A socket that is written to without tokio's readiness. tokio's sockets never block.
struct Direct<'a>(&'a TcpStream);

impl Write for Direct<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        send(self.0, pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn send(tcp: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    /// `MSG_NOSIGNAL`: a lost peer causes an error, not a signal.
    const NO_SIGNAL: i32 = 0x4000;
    socket2::SockRef::from(tcp).send_vectored_with_flags(pieces, NO_SIGNAL)
}

/// Other systems report a socket as writable as soon as it takes bytes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(tcp: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    tcp.try_write_vectored(pieces)
}
