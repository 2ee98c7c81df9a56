//! Opens the stream under all layers: DNS and TCP to each address, or the user's own code. It has no
//! deadline, because the core's deadline covers all of it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gateway_wire::{ATTEMPT_DELAY, AddressBook, Endpoint, Hop, OpenFailure, OpenStep};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock::after;
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
/// implementation may use a Unix socket, memory, or another proxy than those of
/// [`Proxy`](gateway_wire::Proxy).
///
/// [`Builder::dial`](crate::Builder::dial) expects a stream that needs no TLS from the client, even for
/// `wss://`. With [`Builder::dial_under_tls`](crate::Builder::dial_under_tls) the client performs it.
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
    /// stream of another type, such as a buffered one over TCP:
    ///
    /// ```
    /// # use std::any::Any;
    /// # use std::pin::Pin;
    /// # use std::task::{Context, Poll};
    /// # use gateway_tokio::{Dial, Dialing, Endpoint, Transport};
    /// # use tokio::io::{AsyncRead, AsyncWrite, BufStream};
    /// # use tokio::net::TcpStream;
    /// # struct Buffered;
    /// # impl Dial for Buffered {
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
        reset_on_drop(transport);
    }
}

/// Lets the drop of a TCP stream reset its connection.
pub(crate) fn reset_on_drop(transport: &dyn Transport) {
    let transport: &dyn Any = transport;
    let secure = || transport.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
    if let Some(tcp) = transport.downcast_ref::<TcpStream>().or_else(secure) {
        let _ = tcp.set_zero_linger(); // the drop follows in any case
    }
}

/// What opens the stream under all layers.
pub(crate) enum Bottom {
    Tcp(TcpDial),
    Users(Box<dyn Dial>),
}

/// TCP.
pub(crate) struct TcpDial {
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

impl Bottom {
    /// Opens a stream to the endpoint, or to the proxy before it.
    pub(crate) async fn open(
        &self,
        hop: &Hop,
        endpoint: &Endpoint,
    ) -> Result<Box<dyn Transport>, OpenFailure> {
        match self {
            Self::Tcp(dial) => {
                let tcp = dial.connect(hop).await?;
                // A long-lived connection with small messages gains nothing from Nagle's algorithm.
                let _ = tcp.set_nodelay(true);
                Ok(Box::new(tcp))
            }
            Self::Users(dial) => dial.dial(endpoint).await,
        }
    }

    /// Whether a failed write to a stream without layers means that no byte left this process.
    pub(crate) fn fails_whole(&self) -> bool {
        match self {
            Self::Tcp(_) => true,
            Self::Users(dial) => dial.fails_whole(),
        }
    }

    /// Prepares a stream that [`open`](Self::open) returned for a drop that resets the connection.
    pub(crate) fn abort(&self, transport: &mut dyn Transport) {
        match self {
            Self::Tcp(_) => reset_on_drop(transport),
            Self::Users(dial) => dial.abort(transport),
        }
    }
}

impl TcpDial {
    /// Connects to the first address that answers. Each address is tried when the connect before it
    /// has failed, or is late.
    async fn connect(&self, hop: &Hop) -> Result<TcpStream, OpenFailure> {
        let resolved = match hop.literal_address() {
            Some(address) => vec![address],
            None => self.lookups.resolve(hop).await?,
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
                    None => {
                        let failure = OpenFailure::classify(OpenStep::Connect, &failure);
                        return Err(hop.failure(failure));
                    }
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

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
