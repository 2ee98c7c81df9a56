//! The virtual network as the tokio drivers see it, and the waker of their applications.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake};

use futures_util::task::AtomicWaker;
use gateway_testkit::{Network, Provided, Socket};
use gateway_tokio::core::{Instant, OpenError, Verdict};
use gateway_tokio::{Dial, Dialing, Endpoint, OpenFailure, ProviderError, Request, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::now;

/// Whether the client has woken its task. Polling without a wake-up would hide a missing one.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    is_rung: AtomicBool,
    pub(crate) task: AtomicWaker,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.is_rung.store(true, Ordering::SeqCst);
        self.task.wake();
    }

    pub(crate) fn was_rung(&self) -> bool {
        self.is_rung.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// The network, and the time since the beginning.
#[derive(Clone, Debug)]
pub(crate) struct Air {
    network: Arc<Mutex<Network>>,
    start: tokio::time::Instant,
    /// The number of the last attempt. If there is no provider, each attempt dials.
    attempt: Arc<AtomicU64>,
    asks: bool,
}

impl Air {
    pub(crate) fn new(network: Network, asks: bool) -> Self {
        let (network, attempt) = (Arc::new(Mutex::new(network)), Arc::default());
        Self { network, start: now(), attempt, asks }
    }

    /// What the scenario's provider does for this attempt.
    pub(crate) fn ask(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<Request, ProviderError>> + use<> {
        self.attempt.store(number, Ordering::SeqCst);
        self.network().ask(self.now(), number);
        let question = Question { air: self.clone(), number };
        async move {
            let polled =
                |cx: &mut Context<'_>| question.air.network().poll_ask(question.number, cx.waker());
            provided(poll_fn(polled).await)
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO.saturating_add(now() - self.start)
    }

    pub(crate) fn network(&self) -> MutexGuard<'_, Network> {
        held(&self.network)
    }
}

/// A question to the provider, until it is answered or dropped.
struct Question {
    air: Air,
    number: u64,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.air.network().drop_ask(self.number);
    }
}

/// What a provider gives, as a client of any driver gets it.
///
/// # Panics
/// If the provider does.
pub(crate) fn provided(provided: Provided) -> Result<Request, ProviderError> {
    match provided {
        Provided::Request => Ok(Request::new()),
        Provided::Failure(Verdict::Fatal) => Err(ProviderError::fatal("the account is closed")),
        Provided::Failure(Verdict::RetryNoSoonerThan(span)) => {
            Err(ProviderError::not_before(span, "no token for a while"))
        }
        Provided::Failure(_) => Err(ProviderError::retry("no token")),
        Provided::Panic => panic!("the provider panics on purpose"),
    }
}

pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dial for Air {
    fn fails_whole(&self) -> bool {
        self.network().fails_whole()
    }

    fn abort(&self, transport: &mut dyn Transport) {
        let transport: &dyn Any = transport;
        let stream = transport.downcast_ref::<Stream>().expect("a stream of this network");
        self.network().abort(stream.socket);
    }

    fn dial(&self, _: &Endpoint) -> Dialing {
        let now = self.now();
        let begun = self.attempt.fetch_add(u64::from(!self.asks), Ordering::SeqCst);
        let number = if self.asks { begun } else { begun + 1 };
        let socket = self.network().dial(now, number);
        let mut stream = Some(Stream { air: self.clone(), socket });
        Box::pin(poll_fn(move |cx| {
            let Some(waiting) = &stream else { panic!("polled after it was ready") };
            let mut network = waiting.air.network();
            let outcome = std::task::ready!(network.poll_dial(socket, cx.waker()));
            drop(network);
            let opened = stream.take();
            Poll::Ready(match outcome {
                Ok(()) => Ok(Box::new(opened.expect("taken once")) as Box<dyn Transport>),
                Err(error) => Err(failure(error)),
            })
        }))
    }
}

fn failure(error: OpenError) -> OpenFailure {
    OpenFailure::new(error, error.name())
}

/// The client's end of a socket of the network.
#[derive(Debug)]
struct Stream {
    air: Air,
    socket: Socket,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut network = self.air.network();
        let read = network.poll_read(self.socket, buffer.initialize_unfilled(), cx.waker());
        let count = std::task::ready!(read)?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.air.now();
        self.air.network().poll_write(now, self.socket, bytes, cx.waker())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let now = self.air.now();
        self.air.network().poll_flush(now, self.socket, cx.waker())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.air.network().shutdown(self.socket);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now = self.air.now();
        self.air.network().drop_socket(now, self.socket);
    }
}
