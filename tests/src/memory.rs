//! Sockets in memory: only the two tasks run, so a paused clock does not advance until both wait.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use gateway_tokio::{Dial, Dialing, Endpoint, Transport};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

use crate::peer::Peer;

/// Opens sockets in memory.
#[derive(Debug)]
pub struct Memory {
    dialled: mpsc::UnboundedSender<DuplexStream>,
    capacity: usize,
    switch: Arc<Switch>,
    calls: Arc<Calls>,
}

/// The server's ends of the sockets that were opened.
#[derive(Debug)]
pub struct Sockets {
    /// The ends.
    dialled: mpsc::UnboundedReceiver<DuplexStream>,
    /// What may go wrong with the client's ends.
    pub switch: Arc<Switch>,
    /// What the client did with its ends.
    pub calls: Arc<Calls>,
}

/// Sockets whose buffers hold `capacity` bytes each way.
#[must_use]
pub fn memory(capacity: usize) -> (Memory, Sockets) {
    let (sender, dialled) = mpsc::unbounded_channel();
    let (switch, calls) = (Arc::<Switch>::default(), Arc::<Calls>::default());
    let sockets = Sockets { dialled, switch: Arc::clone(&switch), calls: Arc::clone(&calls) };
    (Memory { dialled: sender, capacity, switch, calls }, sockets)
}

impl Dial for Memory {
    fn fails_whole(&self) -> bool {
        true
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        let (client, server) = duplex(self.capacity);
        let _ = self.dialled.send(server); // a test may be over
        let (switch, calls) = (Arc::clone(&self.switch), Arc::clone(&self.calls));
        let transport = Watched { inner: client, switch, calls };
        Box::pin(async move { Ok(Box::new(transport) as Box<dyn Transport>) })
    }
}

impl Sockets {
    /// The next socket, not yet upgraded.
    ///
    /// # Panics
    /// The client is gone.
    pub async fn stream(&mut self) -> DuplexStream {
        self.dialled.recv().await.expect("a socket")
    }

    /// The next socket, upgraded.
    pub async fn peer(&mut self) -> Peer<DuplexStream> {
        Peer::accept(self.stream().await).await
    }

    /// Whether no socket is waiting to be taken.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.dialled.is_empty()
    }
}

/// What may go wrong with the client's end of a socket.
#[derive(Debug)]
pub struct Switch {
    dead: AtomicBool,
    /// How many writes the client's ends still take.
    writes_left: AtomicUsize,
    flushing: AtomicUsize,
    babble: OnceLock<Vec<u8>>,
    waker: AtomicWaker,
}

impl Default for Switch {
    fn default() -> Self {
        let (dead, flushing) = Default::default();
        let writes_left = AtomicUsize::new(usize::MAX);
        Self { dead, writes_left, flushing, babble: OnceLock::new(), waker: AtomicWaker::new() }
    }
}

/// How a flush goes: the values of [`Switch::flushing`].
const AT_ONCE: usize = 0;
const HELD: usize = 1;
const FAILING: usize = 2;

impl Switch {
    /// From now on the client's calls fail, as after a reset; the server still reads what was written before.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.waker.wake();
    }

    /// From now on the client's writes fail; what the server has sent can still be read.
    pub fn fail_writes(&self) {
        self.fail_writes_after(0);
    }

    /// The same, once so many writes were taken.
    pub fn fail_writes_after(&self, count: usize) {
        self.writes_left.store(count, Ordering::SeqCst);
    }

    /// Sockets that are opened from now on work again.
    pub fn revive(&self) {
        self.dead.store(false, Ordering::SeqCst);
        self.fail_writes_after(usize::MAX);
    }

    /// From now on no flush is done.
    pub fn hold_flushes(&self) {
        self.flushing.store(HELD, Ordering::SeqCst);
    }

    /// From now on flushes are done again, and the one that waits.
    pub fn release_flushes(&self) {
        self.flushing.store(AT_ONCE, Ordering::SeqCst);
        self.waker.wake();
    }

    /// From now on every flush fails.
    pub fn fail_flushes(&self) {
        self.flushing.store(FAILING, Ordering::SeqCst);
    }

    /// From now on the client reads these bytes, over and over, and no read ever has to wait.
    pub fn babble(&self, bytes: Vec<u8>) {
        let _ = self.babble.set(bytes); // once is enough
        self.waker.wake();
    }

    fn check(&self, waker: &Waker) -> io::Result<()> {
        self.waker.register(waker);
        match self.dead.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

/// How often the client did what with its ends.
#[derive(Debug, Default)]
pub struct Calls {
    looks: AtomicUsize,
    reads: AtomicUsize,
    writes: AtomicUsize,
    flushes: AtomicUsize,
    refused: AtomicUsize,
}

impl Calls {
    /// Writes that took nothing, since the last call of this.
    pub fn take_refused(&self) -> usize {
        self.refused.swap(0, Ordering::SeqCst)
    }

    /// Reads, whether they brought something or not, since the last call of this.
    pub fn take_looks(&self) -> usize {
        self.looks.swap(0, Ordering::SeqCst)
    }

    /// Reads that brought something, writes that took something, and flushes, since the last call of this.
    pub fn take(&self) -> [usize; 3] {
        [&self.reads, &self.writes, &self.flushes].map(|count| count.swap(0, Ordering::SeqCst))
    }
}

/// The client's end of a socket.
#[derive(Debug)]
struct Watched {
    inner: DuplexStream,
    switch: Arc<Switch>,
    calls: Arc<Calls>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.switch.check(cx.waker())?;
        self.calls.looks.fetch_add(1, Ordering::SeqCst);
        if let Some(bytes) = self.switch.babble.get() {
            buffer.put_slice(bytes);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.calls.reads.fetch_add(1, Ordering::SeqCst);
        }
        outcome
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.switch.check(cx.waker())?;
        match self.switch.writes_left.load(Ordering::SeqCst) {
            0 => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            usize::MAX => {}
            left => self.switch.fail_writes_after(left - 1),
        }
        let outcome = Pin::new(&mut self.inner).poll_write(cx, bytes);
        let counted = if outcome.is_ready() { &self.calls.writes } else { &self.calls.refused };
        counted.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.switch.check(cx.waker())?;
        match self.switch.flushing.load(Ordering::SeqCst) {
            HELD => return Poll::Pending,
            FAILING => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            _ => {}
        }
        self.calls.flushes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
