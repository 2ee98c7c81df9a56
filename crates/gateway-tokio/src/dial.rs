//! Opens a byte stream: DNS, TCP to each address, TLS. It has no deadline, because the core's
//! deadline covers all of it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gateway_core::OpenError;
use gateway_wire::{
    ATTEMPT_DELAY, AddressBook, Endpoint, OpenFailure, OpenStep, Tls, literal_address,
};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tracing::warn;

use crate::clock::after;
use crate::off_thread::OffThread;
use crate::resolve::Lookups;

/// A byte stream to a server: TCP, TLS over TCP, or your own type.
///
/// The buffer passed to a read is reused, and may hold old bytes of other connections. A read must
/// advance its buffer by exactly the number of bytes that it put there. These count as received.
///
/// If a transport takes no bytes for too long while a ping waits, the client treats the peer as
/// dead, with cause [`WriteStall`](gateway_core::DisconnectCause::WriteStall). Bytes count as taken
/// when [`poll_write`](AsyncWrite::poll_write) accepts some, or when a flush completes.
///
/// Linux reports a socket as writable only once a third of its send buffer is free. The client does
/// not wait for that report if the transport is a [`TcpStream`], or a [`TlsStream`] of tokio-rustls
/// over one.
///
/// **Under the lock.** The task of a [spawned](crate::Client::spawn) client calls these methods under
/// the client's lock. They must not block, and from within them a [`Handle`](crate::Handle) fails with
/// `Reentrant`. If one panics, the client is [`Gone`](crate::HandleErrorKind::Gone). A stream is
/// dropped outside of the lock.
///
/// A `Transport` can be downcast through [`Any`], as [`Dial::abort`] needs it.
pub trait Transport: AsyncRead + AsyncWrite + Any + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// The future of an attempt to open a byte stream.
pub type Dialing = Pin<Box<dyn Future<Output = Result<Box<dyn Transport>, OpenFailure>> + Send>>;

/// Opens the byte stream under a WebSocket. The default is TCP, with TLS for `wss://`. Your own
/// implementation may use a proxy, a Unix socket, or memory.
///
/// The client drops the future when the connect timeout expires. A dropped future must leave
/// nothing open.
///
/// **In a [spawned](crate::Client::spawn) client**, [`dial`](Self::dial) and its future run outside of
/// the client's lock, so they may use a handle. [`fails_whole`](Self::fails_whole) and
/// [`abort`](Self::abort) run under it, as the methods of a [`Transport`] do.
///
/// **If `dial` or its future panics**, the attempt fails with the panic's text, and is retried.
pub trait Dial: Send + Sync + 'static {
    /// Starts one attempt. `endpoint` is the client's, with the changes of the provider's request.
    fn dial(&self, endpoint: &Endpoint) -> Dialing;

    /// Whether a failed write means that none of its bytes left this process. Return `true` for a
    /// bare socket: messages in such a write get the outcome [`Rejected`](crate::Fate::Rejected).
    /// Return `false`, the default, for a stream with a buffer, such as TLS: they get the outcome
    /// [`MaybeSent`](crate::Fate::MaybeSent).
    fn fails_whole(&self) -> bool {
        false
    }

    /// Prepares `transport` so that dropping it resets the connection instead of closing it.
    /// Otherwise a dead peer could later receive what the kernel still holds. `transport` is a
    /// stream that [`dial`](Self::dial) returned.
    ///
    /// The default resets a [`TcpStream`], also under a [`TlsStream`] of tokio-rustls. It does
    /// nothing for other types, so dropping them closes the connection. Implement this method for a
    /// stream of another type, such as a proxy's over TCP:
    ///
    /// ```
    /// # use std::any::Any;
    /// # use std::pin::Pin;
    /// # use std::task::{Context, Poll};
    /// # use gateway_tokio::{Dial, Dialing, Endpoint, Transport};
    /// # use tokio::io::{AsyncRead, AsyncWrite, BufStream};
    /// # use tokio::net::TcpStream;
    /// # struct Proxy;
    /// # impl Dial for Proxy {
    /// #     fn dial(&self, _: &Endpoint) -> Dialing { unimplemented!() }
    /// fn abort(&self, transport: &mut dyn Transport) {
    ///     let transport: &mut dyn Any = transport;
    ///     if let Some(stream) = transport.downcast_mut::<BufStream<TcpStream>>() {
    ///         let _ = stream.get_ref().set_zero_linger();
    ///     }
    /// }
    /// # }
    /// ```
    fn abort(&self, transport: &mut dyn Transport) {
        let transport: &dyn Any = transport;
        let secure = || transport.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
        if let Some(tcp) = transport.downcast_ref::<TcpStream>().or_else(secure) {
            let _ = tcp.set_zero_linger(); // the drop follows in any case
        }
    }
}

/// TCP, with TLS for `wss://`.
pub(crate) struct TcpDial {
    /// `None` for a `ws://` endpoint that no request changes.
    pub(crate) tls: Option<TlsDial>,
    pub(crate) lookups: Lookups,
    pub(crate) addresses: Addresses,
}

/// The addresses that are tried last, shared by a client and its attempts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Mutex<AddressBook>>);

impl Addresses {
    pub(crate) fn lock(&self) -> MutexGuard<'_, AddressBook> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dial for Arc<TcpDial> {
    /// The bare socket. A TLS stream over it does not.
    fn fails_whole(&self) -> bool {
        true
    }

    fn dial(&self, endpoint: &Endpoint) -> Dialing {
        let (endpoint, dial) = (endpoint.clone(), Self::clone(self));
        Box::pin(async move {
            let tls = dial.tls.as_ref().filter(|_| endpoint.is_secure());
            let config = match tls {
                Some(tls) => Some(tls.config(&endpoint).await?),
                None => None,
            };
            let tcp = dial.connect(&endpoint).await?;
            // A long-lived connection with small messages gains nothing from Nagle's algorithm.
            let _ = tcp.set_nodelay(true);
            match tls.zip(config) {
                Some((tls, config)) => shake_hands(&endpoint, &tls.tls, config, tcp).await,
                None => Ok(Box::new(tcp) as Box<dyn Transport>),
            }
        })
    }
}

impl TcpDial {
    /// Connects to the first address that answers. Each address is tried when the connect before it
    /// has failed, or is late.
    async fn connect(&self, endpoint: &Endpoint) -> Result<TcpStream, OpenFailure> {
        let resolved = match literal_address(endpoint) {
            Some(address) => vec![address],
            None => self.lookups.resolve(endpoint).await?,
        };
        let mut waiting = self.addresses.lock().order(resolved).into_iter();
        let mut trying = FuturesUnordered::new();
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        trying.extend(waiting.next().map(|address| self.attempt(address)));
        loop {
            // Cancel-safe: the attempts are in `trying` and are dropped with it; the stagger has no
            // state to lose.
            tokio::select! {
                attempt = trying.next() => match attempt {
                    Some((address, Ok(stream))) => {
                        self.addresses.lock().connected(address);
                        return Ok(stream);
                    }
                    Some((address, Err(error))) => {
                        self.addresses.lock().connect_failed(address);
                        failure = error;
                        trying.extend(waiting.next().map(|address| self.attempt(address)));
                    }
                    None => return Err(OpenFailure::classify(OpenStep::Connect, &failure)),
                },
                () = after(ATTEMPT_DELAY), if waiting.len() > 0 => {
                    trying.extend(waiting.next().map(|address| self.attempt(address)));
                }
            }
        }
    }

    async fn attempt(&self, address: SocketAddr) -> (SocketAddr, io::Result<TcpStream>) {
        self.addresses.lock().connecting(address);
        (address, TcpStream::connect(address).await)
    }
}

/// TLS, and the thread that reads its files.
pub(crate) struct TlsDial {
    tls: Tls,
    thread: OffThread<Arc<ClientConfig>>,
}

impl TlsDial {
    pub(crate) fn new(tls: Tls) -> Self {
        Self { tls, thread: OffThread::new("gateway-tls", OpenError::Tls) }
    }

    /// Returns the TLS settings for an attempt's handshake.
    async fn config(&self, endpoint: &Endpoint) -> Result<Arc<ClientConfig>, OpenFailure> {
        let reading = self.tls.for_endpoint(endpoint);
        at_once_or(reading.try_config(), &self.thread, move || reading.config()).await
    }
}

/// Returns `known`, or else what `read` returns on a thread that may block.
async fn at_once_or<T: Send + 'static>(
    known: Option<T>,
    thread: &OffThread<T>,
    read: impl FnOnce() -> Result<T, OpenFailure> + Send + 'static,
) -> Result<T, OpenFailure> {
    match known {
        Some(known) => Ok(known),
        None => thread.begin(read).await,
    }
}

async fn shake_hands(
    endpoint: &Endpoint,
    tls: &Tls,
    config: Arc<ClientConfig>,
    tcp: TcpStream,
) -> Result<Box<dyn Transport>, OpenFailure> {
    if tls.is_insecure() {
        warn!("the server's certificate is NOT checked");
    }
    let name = ServerName::try_from(endpoint.tls_name().to_owned()).map_err(|error| {
        OpenFailure::new(
            OpenError::Configuration,
            format!("the host is not a valid TLS name: {error}"),
        )
    })?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(tls.failure(&error)),
    }
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_util::FutureExt as _;

    use super::*;

    fn off_thread<T: Send + 'static>() -> OffThread<T> {
        OffThread::new("gateway-tls", OpenError::Tls)
    }

    #[tokio::test]
    async fn the_trust_store_is_read_off_the_runtimes_thread_and_only_where_it_must_be() {
        let here = thread::current().id();
        let reader = at_once_or(None, &off_thread(), || Ok(thread::current().id())).await.unwrap();
        assert_ne!(reader, here);

        let known = at_once_or(Some(7), &off_thread(), || panic!("it is known")).await.unwrap();
        assert_eq!(known, 7);
    }

    #[tokio::test]
    async fn a_trust_store_whose_reading_panics_fails_the_attempt() {
        let failed = at_once_or::<()>(None, &off_thread(), || panic!("unreadable")).await;
        assert_eq!(failed.unwrap_err().error(), OpenError::Tls);
    }

    #[test]
    fn a_file_that_hangs_holds_one_thread_and_no_runtime() {
        let (begun, begins) = std::sync::mpsc::channel();
        let (go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        runtime.block_on(async {
            let off_thread = off_thread();
            for _ in 0..4 {
                let (begun, held) = (begun.clone(), Arc::clone(&held));
                let hangs = move || {
                    begun.send(()).unwrap();
                    let _ = held.lock().unwrap().recv();
                    Ok(())
                };
                let attempt = at_once_or(None, &off_thread, hangs);
                assert!(attempt.now_or_never().is_none()); // its deadline drops it
            }
        });
        drop(runtime);

        drop((go, begun));
        assert_eq!(begins.iter().count(), 1);
    }
}
