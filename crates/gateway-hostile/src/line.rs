//! The TCP connection to one client. If a client is judged, a pen records what passes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest, ReadBuf},
    net::TcpStream,
};

use crate::{frames, judge::observed::End, record::Pen};

/// How much is read from a judged client that the script does not read: no more than the kernel would
/// have buffered.
const UNHEARD: u64 = 64 * 1024;

/// A connection to a client.
#[derive(Debug)]
pub(crate) struct Line {
    tcp: TcpStream,
    pen: Option<Pen>,
    /// Whether the automatic pongs of the WebSocket layer are removed.
    mutes_pongs: bool,
    /// Frames without their pongs that are not yet written.
    pending: Vec<u8>,
}

impl Line {
    pub(crate) fn new(tcp: TcpStream, pen: Option<Pen>) -> Self {
        // Every frame, and every byte of a slow answer, is sent at once. Fails only on a closed socket.
        let _ = tcp.set_nodelay(true);
        Self { tcp, pen, mutes_pongs: false, pending: Vec::new() }
    }

    /// Calls the pen, if there is one.
    pub(crate) fn note(&mut self, note: impl FnOnce(&mut Pen)) {
        if let Some(pen) = &mut self.pen {
            note(pen);
        }
    }

    /// Sets whether the automatic pongs of the WebSocket layer are removed.
    pub(crate) fn mute_pongs(&mut self, mute: bool) {
        self.mutes_pongs = mute;
    }

    /// Writes bytes unchanged, with any pongs.
    pub(crate) async fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush().await?;
        let written = self.tcp.write_all(bytes).await;
        self.noted(written)?;
        self.note(|pen| pen.sent(bytes.len()));
        Ok(())
    }

    /// Waits until the peer has ended TCP, and reads nothing. If the peer has sent bytes, they hide the end,
    /// and this never returns.
    pub(crate) async fn left_unheard(&mut self) {
        match self.tcp.peek(&mut [0]).await {
            Ok(0) => self.note(|pen| pen.ended(End::ClientFinished)),
            Ok(_) => std::future::pending().await,
            Err(_) => self.note(|pen| pen.ended(End::ClientReset)),
        }
    }

    /// Waits until the peer has ended TCP, and discards its bytes.
    pub(crate) async fn hung_up(&mut self) {
        if self.pen.is_some() {
            let mut unheard = tokio::io::sink();
            match tokio::io::copy(&mut (&mut *self).take(UNHEARD), &mut unheard).await {
                Ok(UNHEARD) => {}
                Ok(_) | Err(_) => return,
            }
        }
        while let Ok(ready) = self.tcp.ready(Interest::READABLE).await {
            if ready.is_read_closed() {
                break;
            }
            // Bytes have come. They stay unread; wait for the next change.
            let _ = self.tcp.try_io(Interest::READABLE, || {
                Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock))
            });
        }
        self.note(|pen| pen.ended(End::ClientFinished));
    }

    /// Makes dropping the connection reset it.
    pub(crate) fn reset_on_drop(&mut self) {
        // Fails only on a closed socket.
        let _ = self.tcp.set_zero_linger();
        self.note(|pen| pen.ended(End::ServerReset));
    }

    /// Reports the result of a write to the pen. A write fails if the peer is gone.
    fn noted<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        if written.is_err() {
            self.note(|pen| pen.ended(End::ClientReset));
        }
        written
    }

    fn poll_pending(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut self.tcp).poll_write(context, &self.pending));
            let written = self.noted(written)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
            self.note(|pen| pen.sent(written));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let had_room = buffer.remaining() > 0;
        let outcome = ready!(Pin::new(&mut self.tcp).poll_read(context, buffer));
        let bytes = &buffer.filled()[before..];
        self.note(|pen| match &outcome {
            Ok(()) if bytes.is_empty() && had_room => pen.ended(End::ClientFinished),
            Ok(()) => pen.received(bytes),
            Err(_) => pen.ended(End::ClientReset),
        });
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(context))?;
        if self.mutes_pongs {
            // The WebSocket layer offers whole frames and expects that all are written.
            self.pending = frames::without_pongs(bytes);
            if let Poll::Ready(outcome) = self.poll_pending(context) {
                outcome?;
            }
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.tcp).poll_write(context, bytes));
        let written = self.noted(written)?;
        self.note(|pen| pen.sent(written));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        ready!(Pin::new(&mut self.tcp).poll_shutdown(context))?;
        self.note(|pen| pen.ended(End::ServerFinished));
        Poll::Ready(Ok(()))
    }
}
