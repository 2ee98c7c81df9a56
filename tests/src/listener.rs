//! Real sockets: loopback, any free port, with TLS on request.

use std::sync::Arc;

use gateway_tokio::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
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

    /// The next connection.
    ///
    /// # Panics
    /// None comes.
    pub async fn tcp(&self) -> TcpStream {
        within(self.tcp.accept()).await.expect("a connection").0
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

/// A certificate authority of the test's own, and a server with a certificate of it.
#[allow(missing_debug_implementations, reason = "keys")]
pub struct Certificates {
    ca: String,
    acceptor: TlsAcceptor,
}

impl Certificates {
    /// For a server of this name.
    ///
    /// # Panics
    /// The certificates cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key()).expect("a CA");
        let server = key();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .and_then(|params| params.signed_by(&server, &issuer))
            .expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.serialize_der())),
            )
            .expect("a key that fits");
        Self { ca: issuer.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// The server's side.
    #[must_use]
    pub const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// A client that trusts this authority, and no other.
    ///
    /// # Panics
    /// Never: the certificate is one.
    #[must_use]
    pub fn trusted(&self) -> Tls {
        Tls::pem(self.ca.as_bytes()).expect("a certificate")
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
