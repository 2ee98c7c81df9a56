//! The TCP connection to one client. If a client is judged, a pen records what passes.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpStream,
};

use crate::{clock, judge::observed::End, record::Pen};

/// How much is read from a judged client that the script does not read: no more than the kernel would
/// have buffered.
const UNHEARD: usize = 64 * 1024;

/// How long a client may take to end TCP after the server has.
const LINGER: Duration = Duration::from_secs(1);

/// A connection to a client.
#[derive(Debug)]
pub(crate) struct Line {
    tcp: TcpStream,
    pen: Option<Pen>,
}

impl Line {
    pub(crate) fn new(tcp: TcpStream, pen: Option<Pen>) -> Self {
        // Every frame, and every byte of a slow answer, is sent at once. Fails only on a closed socket.
        let _ = tcp.set_nodelay(true);
        Self { tcp, pen }
    }

    /// Calls the pen, if there is one.
    pub(crate) fn note(&mut self, note: impl FnOnce(&mut Pen)) {
        if let Some(pen) = &mut self.pen {
            note(pen);
        }
    }

    /// Appends the next bytes to `buffer`. Returns how many, and 0 at the end. Cancel-safe.
    pub(crate) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let before = buffer.len();
        let read = self.tcp.read_buf(buffer).await;
        self.note(|pen| match &read {
            Ok(0) => pen.ended(End::ClientFinished),
            Ok(_) => pen.received(&buffer[before..]),
            Err(_) => pen.ended(End::ClientReset),
        });
        read
    }

    /// Writes some of these bytes. Returns how many. Cancel-safe.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.tcp.write(bytes).await;
        self.note(|pen| match &written {
            Ok(count) => pen.sent(*count),
            // The peer is gone.
            Err(_) => pen.ended(End::ClientReset),
        });
        match written {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            Ok(_) | Err(_) => written,
        }
    }

    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Finishes TCP.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.tcp.shutdown().await?;
        self.note(|pen| pen.ended(End::ServerFinished));
        Ok(())
    }

    /// Finishes TCP, and reads for a moment, so that no reset overtakes what was written.
    pub(crate) async fn end(&mut self) -> io::Result<()> {
        self.finish().await?;
        let _ = clock::within(LINGER, self.discard(usize::MAX)).await;
        Ok(())
    }

    /// Reads and discards about this many bytes. Returns whether the peer has ended TCP before.
    async fn discard(&mut self, mut bytes: usize) -> bool {
        let mut unheard = Vec::with_capacity(4096);
        while bytes > 0 {
            unheard.clear();
            match self.read(&mut unheard).await {
                Ok(0) | Err(_) => return true,
                Ok(count) => bytes = bytes.saturating_sub(count),
            }
        }
        false
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

    /// Whether the peer has ended TCP, as far as the runtime has noticed. Reads nothing.
    pub(crate) async fn has_left(&self) -> bool {
        // `ready` is cancel-safe.
        tokio::select! {
            biased;
            ready = self.tcp.ready(Interest::READABLE) => {
                ready.map_or(true, |ready| ready.is_read_closed())
            }
            () = std::future::ready(()) => false,
        }
    }

    /// Waits until the peer has ended TCP, and discards its bytes.
    pub(crate) async fn hung_up(&mut self) {
        if self.pen.is_some() && self.discard(UNHEARD).await {
            return;
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
}
