//! Writes directly to the socket, without asking tokio whether it is writable.
//!
//! Linux reports a TCP socket as writable only once a third of its send buffer is free. Until then
//! tokio answers `Pending`, although the socket takes bytes. With a buffer of some megabytes and a
//! slow link, that lasts for minutes. The peer would seem to take nothing.

use std::any::Any;
use std::io::{self, IoSlice, Write};
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio::task::coop;
use tokio_rustls::client::TlsStream;

use crate::dial::Transport;

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

/// Writes the pending TLS records, if `transport` is TLS over a socket. Returns how many of their
/// bytes the socket took.
pub(crate) fn poll_records(
    transport: &mut dyn Transport,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let transport: &mut dyn Any = transport;
    let Some(tls) = transport.downcast_mut::<TlsStream<TcpStream>>() else {
        return Poll::Ready(Ok(0));
    };
    let (tcp, connection) = tls.get_mut();
    let mut taken = 0;
    while connection.wants_write() {
        match within_budget(cx, || connection.write_tls(&mut Direct(tcp))) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(count)) => taken += count,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(taken))
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
