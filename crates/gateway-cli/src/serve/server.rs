//! The server: its listener, which can refuse connections for a while, and the open connections.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tracing::Instrument as _;

use super::{
    Control, Options, connection,
    control::{Order, Shared},
    record::Record,
};
use crate::clock;

/// How many connections may be open. The server drops further ones at once.
const MAX_CONNECTIONS: usize = 4096;
const BACKLOG: u32 = 1024;
/// How long the connections may take to end when the server does.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_500);
/// How long the server waits after a failed accept, for example without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
}

/// A gateway that listens. It accepts nothing until [`run`](Self::run).
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    listener: TcpListener,
    /// Subscribed at construction, so that no order before `run` is missed.
    refusing: watch::Receiver<bool>,
    shared: Arc<Shared>,
}

/// The listening port. While shut it stays bound, so that no other process takes it.
enum Door {
    Open(TcpListener),
    Shut(TcpSocket),
}

impl Server {
    /// Listens on `address`; port 0 takes a free one. Called inside a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub(crate) fn bind(address: SocketAddr, options: Options) -> Result<Self, ServeError> {
        Self::bind_recorded(address, options, None)
    }

    /// Like [`bind`](Self::bind), and writes what clients do into the record, if there is one.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub(crate) fn bind_recorded(
        address: SocketAddr,
        options: Options,
        record: Option<Arc<Record>>,
    ) -> Result<Self, ServeError> {
        let bound = reserve(address).and_then(|socket| {
            let listener = socket.listen(BACKLOG)?;
            Ok((listener.local_addr()?, listener))
        });
        match bound {
            Ok((address, listener)) => {
                let shared = Arc::new(Shared::new(options, record));
                Ok(Self { address, listener, refusing: shared.refusing(), shared })
            }
            Err(source) => Err(ServeError::Listen { address, source }),
        }
    }

    /// The address with its real port.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle that controls the running server.
    pub(crate) fn control(&self) -> Control {
        Control::from(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` is ready, then closes every connection with 1001. Returns within two
    /// seconds after that.
    ///
    /// # Errors
    /// If the port is lost while connections are refused.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { address, listener, mut refusing, shared } = self;
        let mut door = Door::Open(listener);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            // Accept and join are cancel-safe.
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                // Never fails, because the sender is in `shared`.
                _ = refusing.changed() => {
                    let refuse = *refusing.borrow_and_update();
                    door = door
                        .swung(address, refuse)
                        .map_err(|source| ServeError::Listen { address, source })?;
                    shared.set_listening(!refuse);
                    tracing::info!(refuse, "listener changed");
                }
                Some(_) = connections.join_next() => {}
                tcp = door.accept() => {
                    admit(tcp, &shared, &mut connections);
                }
            }
        }
        drop((door, refusing));
        shared.order(Order::ShutDown);
        let ended = async { while connections.join_next().await.is_some() {} };
        if clock::within(SHUTDOWN_GRACE, ended).await.is_none() {
            tracing::warn!("dropping connections that did not end in time");
        }
        Ok(())
    }
}

/// Numbers a connection, and spawns its task.
fn admit(tcp: TcpStream, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    if connections.len() >= MAX_CONNECTIONS {
        tracing::warn!("too many connections; dropping the new one");
        return;
    }
    let number = shared.counters.connections.fetch_add(1, Relaxed);
    let span = tracing::info_span!("connection", number);
    tracing::debug!(parent: &span, "accepted");
    let opening = shared.opening(number);
    let attended = connection::attend(tcp, opening, Arc::clone(shared), shared.orders());
    connections.spawn(attended.instrument(span));
}

impl Door {
    /// Returns the next connection. Pending while the door is shut.
    async fn accept(&self) -> TcpStream {
        let listener = match self {
            Self::Open(listener) => listener,
            Self::Shut(_) => std::future::pending().await,
        };
        loop {
            match listener.accept().await {
                Ok((tcp, _)) => return tcp,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    clock::pause(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn swung(self, address: SocketAddr, refuse: bool) -> io::Result<Self> {
        match (self, refuse) {
            (Self::Open(listener), true) => {
                drop(listener);
                reserve(address).map(Self::Shut)
            }
            (Self::Shut(socket), false) => socket.listen(BACKLOG).map(Self::Open),
            (door @ Self::Open(_), false) | (door @ Self::Shut(_), true) => Ok(door),
        }
    }
}

/// Binds a socket that does not listen: connections to its port are refused.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Old connections of the port must not block it. On other systems this option would let another
    // process take the port.
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(address)?;
    Ok(socket)
}
