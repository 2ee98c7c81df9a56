//! The server: its door, which opens and shuts, and the connections that have come in.

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

/// How many connections are open at once; more are dropped when they come.
const MAX_CONNECTIONS: usize = 4096;
const BACKLOG: u32 = 1024;
/// How long the connections may take to end when the server does.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_500);
/// How long the server waits when a connection cannot be accepted, for want of descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no server, or no longer one.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
}

/// A gateway that listens. Nothing is accepted until [`run`](Self::run).
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    listener: TcpListener,
    /// Heard from the start, so that no order given before `run` is missed.
    refusing: watch::Receiver<bool>,
    shared: Arc<Shared>,
}

/// The way in. Shut, it keeps the port, so that nobody else takes it.
enum Door {
    Open(TcpListener),
    Shut(TcpSocket),
}

impl Server {
    /// Listens on `address`; port 0 takes a free one. Called inside a tokio runtime.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub(crate) fn bind(address: SocketAddr, options: Options) -> Result<Self, ServeError> {
        Self::bind_recorded(address, options, None)
    }

    /// As [`bind`](Self::bind); what the clients do goes into the record, where there is one.
    ///
    /// # Errors
    /// Where the address cannot be had.
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

    /// A handle to steer the server while it runs.
    pub(crate) fn control(&self) -> Control {
        Control::from(Arc::clone(&self.shared))
    }

    /// Serves until `shutdown` is ready, then closes every connection with 1001, and is back
    /// within two seconds.
    ///
    /// # Errors
    /// Where the port is lost while connections were refused.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { address, listener, mut refusing, shared } = self;
        let mut door = Door::Open(listener);
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            // Each arm loses nothing when it is dropped: accept and join are cancel-safe.
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                // The sender is in `shared`, so that this never fails.
                _ = refusing.changed() => {
                    let refuse = *refusing.borrow_and_update();
                    door = door
                        .swung(address, refuse)
                        .map_err(|source| ServeError::Listen { address, source })?;
                    shared.set_listening(!refuse);
                    tracing::info!(refuse, "the door");
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
            tracing::warn!("connections that would not end are cut off");
        }
        Ok(())
    }
}

/// Numbers a connection, and gives it a task of its own.
fn admit(tcp: TcpStream, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    if connections.len() >= MAX_CONNECTIONS {
        tracing::warn!("too many connections");
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
    /// The next connection; never, while the door is shut.
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
    // Connections of the port's earlier life must not keep it. (Elsewhere the option means that
    // somebody else may take the port over.)
    socket.set_reuseaddr(cfg!(unix))?;
    socket.bind(address)?;
    Ok(socket)
}
