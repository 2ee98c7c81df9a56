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

use crate::{
    accepting::AcceptQueue,
    clock, connection,
    control::{Control, Order, Shared},
    judge::{observed::Observed, report::Report},
    line::Line,
    options::Options,
    script::Script,
};

/// How many connections may be open. The server drops further ones at once.
pub(crate) const MAX_CONNECTIONS: usize = 4096;
const BACKLOG: u32 = 1024;
/// How long the connections may take to end when the server does.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(1_500);
/// How long the server waits after a failed accept, for example without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server does not serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be bound, or was lost while connections were refused.
    #[error("cannot listen on {address}")]
    #[non_exhaustive]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The largest message is 0 bytes.
    #[error("max_message_size is 0, and must be at least 1 byte")]
    MaxMessageSize,
    /// The unit of time in scripts is 0.
    #[error("beat is 0, and must be longer")]
    Beat,
    /// The logins are limited, but there is no token.
    #[error("login_uses and login_expires need a token")]
    NoToken,
    /// A token would expire with its first login.
    #[error("login_expires is 0, and must be longer")]
    LoginExpires,
    /// The server would ping without a pause, or wait for no answer.
    #[error("the interval and the timeout of pings must be at least 1 ms")]
    Pings,
    /// There is no thread or runtime for [`Builder::start`](crate::Builder::start).
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// A server that listens. It accepts nothing until [`run`](Self::run) or [`judge`](Self::judge).
#[derive(Debug)]
pub struct Server {
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
    pub(crate) fn bind(address: SocketAddr, options: Options) -> Result<Self, ServeError> {
        let bound = reserve(address).and_then(|socket| {
            let listener = socket.listen(BACKLOG)?;
            Ok((listener.local_addr()?, listener))
        });
        match bound {
            Ok((address, listener)) => {
                let shared = Arc::new(Shared::new(options));
                Ok(Self { address, listener, refusing: shared.refusing(), shared })
            }
            Err(source) => Err(ServeError::Listen { address, source }),
        }
    }

    /// The address with its real port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Returns a handle that controls the running server.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::from(Arc::clone(&self.shared))
    }

    pub(crate) fn script(&self) -> &'static Script {
        self.shared.options.script
    }

    /// Serves like [`run`](Self::run) until `end` is ready, and judges what clients did until then.
    /// `within` is the time limit to notice a fault and to reconnect.
    ///
    /// # Errors
    /// If the port is lost while connections are refused.
    pub async fn judge(
        self,
        within: Duration,
        end: impl Future<Output = ()>,
    ) -> Result<Report, ServeError> {
        let script = self.script();
        Ok(Report::new(script, &self.watch(end).await?, within))
    }

    /// Serves until `end` is ready. Returns what clients did until then.
    pub(crate) async fn watch(self, end: impl Future<Output = ()>) -> Result<Observed, ServeError> {
        let record = Arc::clone(self.shared.record());
        let mut seen = Observed::default();
        self.run(async {
            end.await;
            seen = record.end();
        })
        .await?;
        Ok(seen)
    }

    /// Serves until `shutdown` is ready, then closes every connection with 1001. Returns within two
    /// seconds after that.
    ///
    /// # Errors
    /// If the port is lost while connections are refused.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
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

/// Numbers a connection, and spawns its task. A connection that is counted is also recorded.
fn admit(tcp: TcpStream, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    if connections.len() >= MAX_CONNECTIONS {
        tracing::warn!("too many connections; dropping the new one");
        return;
    }
    let mut line = Line::new(tcp, shared.pen());
    let number = shared.counters.connections.fetch_add(1, Relaxed);
    let span = tracing::info_span!("connection", number);
    let queue = shared.accept_queue();
    let place = queue.as_ref().and_then(AcceptQueue::enter);
    if queue.is_some() && place.is_none() {
        tracing::debug!(parent: &span, "refused: the queue is full");
        shared.counters.refused.fetch_add(1, Relaxed);
        line.reset_on_drop();
        return;
    }
    tracing::debug!(parent: &span, "accepted");
    let opening = shared.opening(number);
    let attended = connection::attend(line, place, opening, Arc::clone(shared), shared.orders());
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
