//! Real sockets: loopback, any free port, with TLS on request.

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::clock::within;
use crate::peer::Peer;

/// A server's listening socket.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
}

impl Listener {
    /// Listens on a free port.
    ///
    /// # Panics
    /// There is none.
    pub async fn bind() -> Self {
        Self { tcp: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    /// Where a client finds it.
    ///
    /// # Panics
    /// Never: the socket listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.tcp.local_addr().expect("it listens"))
    }

    /// The same over TLS, by name.
    ///
    /// # Panics
    /// Never: the socket listens.
    #[must_use]
    pub fn secure_url(&self) -> String {
        format!("wss://localhost:{}", self.tcp.local_addr().expect("it listens").port())
    }

    /// The next connection, however long it takes: for a server in the background.
    ///
    /// # Panics
    /// Never: the socket listens.
    pub async fn accept(&self) -> TcpStream {
        self.tcp.accept().await.expect("a connection").0
    }

    /// The next connection.
    ///
    /// # Panics
    /// None comes.
    pub async fn tcp(&self) -> TcpStream {
        within(self.accept()).await
    }

    /// The next connection, upgraded.
    pub async fn peer(&self) -> Peer<TcpStream> {
        Peer::accept(self.tcp().await).await
    }

    /// The next connection, if its TLS handshake succeeds.
    ///
    /// # Errors
    /// What the handshake failed with.
    pub async fn tls(&self, acceptor: &TlsAcceptor) -> std::io::Result<TlsStream<TcpStream>> {
        acceptor.accept(self.tcp().await).await
    }
}
