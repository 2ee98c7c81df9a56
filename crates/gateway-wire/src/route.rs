//! The way to a server: where to connect, and what comes over that stream. TLS to a proxy, then the
//! proxy's tunnel, then TLS to the server: each is there only if it is needed.

use std::io;
use std::sync::Arc;

use gateway_core::OpenError;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

use crate::endpoint::{Endpoint, bracketed};
use crate::open_failure::OpenFailure;
use crate::proxy::{Proxies, ProxyServer, Tunnel};
use crate::tls::Tls;

/// Finds the route of each attempt. A driver has one for each client. A client without TLS or
/// without proxies keeps no space for them.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// For servers.
    tls: Option<Box<Tls>>,
    proxies: Option<Box<Proxies>>,
}

/// The route of one attempt. A driver connects to [`hop`](Self::hop), then does what
/// [`layers`](Self::layers) says, in that order.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // taken apart by drivers
pub struct Route {
    /// Where the stream leads.
    pub hop: Hop,
    /// What comes over the stream.
    pub layers: Vec<Layer<TlsLayer>>,
}

/// The host and the port to which a driver connects: the server's, or its proxy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    host: String,
    port: u16,
    is_proxy: bool,
}

/// What comes over a stream. `T` is TLS, with what a driver needs for its handshake.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums)] // each driver performs all of them
pub enum Layer<T> {
    /// TLS, to the proxy or to the server.
    Tls(T),
    /// The handshake with the proxy.
    Tunnel(Tunnel),
}

/// TLS to one peer: the settings, and the name in its certificate.
#[derive(Clone, Debug)]
pub struct TlsLayer {
    tls: Tls,
    name: ServerName<'static>,
    /// The peer, if it is a proxy.
    proxy: Option<Arc<ProxyServer>>,
}

impl Router {
    pub(crate) fn new(tls: Option<Tls>, proxies: Option<Proxies>) -> Self {
        Self { tls: tls.map(Box::new), proxies: proxies.map(Box::new) }
    }

    /// Returns the proxy for this endpoint, if it is not reached directly.
    #[must_use]
    pub fn proxy(&self, endpoint: &Endpoint) -> Option<&Arc<ProxyServer>> {
        self.proxies.as_ref()?.of(endpoint)
    }

    /// Finds the route to this endpoint.
    ///
    /// # Errors
    /// The host is no name that TLS, or the proxy's protocol, can use.
    pub fn route(&self, endpoint: &Endpoint) -> Result<Route, OpenFailure> {
        let mut layers = Vec::new();
        let hop = match self.proxy(endpoint) {
            Some(proxy) => {
                if proxy.is_https() {
                    layers.push(Layer::Tls(self.tls_to(proxy)?));
                }
                layers.push(Layer::Tunnel(Tunnel::start(proxy, endpoint)?));
                Hop { host: proxy.host().to_owned(), port: proxy.port(), is_proxy: true }
            }
            None => Hop::to(endpoint),
        };
        if let Some(tls) = self.tls.as_deref().filter(|_| endpoint.is_secure()) {
            layers.push(Layer::Tls(TlsLayer::to_server(tls, endpoint)?));
        }
        Ok(Route { hop, layers })
    }

    fn tls_to(&self, proxy: &Arc<ProxyServer>) -> Result<TlsLayer, OpenFailure> {
        // Without settings there must be no password in plain text.
        let tls = self.proxies.as_deref().and_then(Proxies::tls).ok_or_else(|| {
            OpenFailure::new(OpenError::Configuration, "there are no TLS settings for the proxy")
        })?;
        let name = server_name(proxy.host()).map_err(|failure| proxy.in_failure(&failure))?;
        Ok(TlsLayer { tls: tls.clone(), name, proxy: Some(Arc::clone(proxy)) })
    }
}

impl Hop {
    pub(crate) fn to(endpoint: &Endpoint) -> Self {
        Self { host: endpoint.host().to_owned(), port: endpoint.port(), is_proxy: false }
    }

    /// Returns the host: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns a failure to reach this host as it is shown: a proxy is named.
    #[must_use]
    pub fn failure(&self, failure: OpenFailure) -> OpenFailure {
        if !self.is_proxy {
            return failure;
        }
        let place = format!("{}:{}", bracketed(&self.host), self.port);
        OpenFailure::new(failure.error(), format!("the proxy {place}: {}", failure.detail()))
    }
}

impl TlsLayer {
    fn to_server(tls: &Tls, endpoint: &Endpoint) -> Result<Self, OpenFailure> {
        let name = server_name(endpoint.tls_name())?;
        Ok(Self { tls: tls.for_endpoint(endpoint), name, proxy: None })
    }

    /// Whether the peer is a proxy.
    #[must_use]
    pub const fn is_to_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// Returns the name that the peer's certificate must have.
    #[must_use]
    pub const fn name(&self) -> &ServerName<'static> {
        &self.name
    }

    /// Whether the peer's certificate is not checked.
    #[must_use]
    pub const fn is_insecure(&self) -> bool {
        self.tls.is_insecure()
    }

    /// Whether the client has a certificate for this peer. A configuration that was read for a peer
    /// with one must not be used for a peer without one, such as a foreign server.
    #[must_use]
    pub const fn has_client_certificate(&self) -> bool {
        self.tls.has_identity()
    }

    /// Returns rustls's configuration for this handshake. This may block: see [`Tls::config`].
    ///
    /// # Errors
    /// Those of [`Tls::config`].
    pub fn config(&self) -> Result<Arc<ClientConfig>, OpenFailure> {
        self.tls.config().map_err(|failure| self.shown(failure))
    }

    /// Returns the same, but only if that does not block.
    #[must_use]
    pub fn try_config(&self) -> Option<Arc<ClientConfig>> {
        self.tls.try_config()
    }

    /// Classifies an error of the handshake, and adds a text that says what to do.
    #[must_use]
    pub fn failure(&self, error: &io::Error) -> OpenFailure {
        self.shown(self.tls.failure(error))
    }

    fn shown(&self, failure: OpenFailure) -> OpenFailure {
        match &self.proxy {
            Some(proxy) => proxy.in_tls(&failure),
            None => failure,
        }
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, OpenFailure> {
    ServerName::try_from(host.to_owned()).map_err(|error| {
        let why = format!("the host is not a valid TLS name: {error}");
        OpenFailure::new(OpenError::Configuration, why)
    })
}
