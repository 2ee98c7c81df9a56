//! What comes over a stream: TLS to a proxy, the proxy's tunnel, TLS to the server.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use gateway_core::OpenError;
use gateway_wire::{Endpoint, Layer, OpenFailure, Route, TlsLayer, Tunnel};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};
use tracing::warn;

use crate::dial::Transport;
use crate::direct::NonBlocking;
use crate::off_thread::{Found, OffThread};
use crate::open::Opener;

/// The threads that read the files of TLS settings: one for servers, and one for proxies. A client
/// whose settings name no file keeps no space for them.
#[derive(Default)]
pub(crate) struct TlsFiles {
    servers: OnceLock<Box<Reader>>,
    proxies: OnceLock<Box<Reader>>,
}

type Reader = OffThread<Found<Peer, Arc<ClientConfig>>>;

/// The peer for which the files are read.
#[derive(Clone, PartialEq, Eq)]
struct Peer {
    name: ServerName<'static>,
    /// A foreign server does not get the client's certificate, even if it has the same name.
    has_client_certificate: bool,
}

impl TlsFiles {
    /// Returns the TLS settings for an attempt's handshake.
    async fn config(&self, layer: &TlsLayer) -> Result<Arc<ClientConfig>, OpenFailure> {
        if let Some(config) = layer.try_config() {
            return Ok(config);
        }
        let thread = if layer.is_to_proxy() { &self.proxies } else { &self.servers };
        let thread = thread.get_or_init(|| Box::new(OffThread::new("gateway-tls", OpenError::Tls)));
        let has_client_certificate = layer.has_client_certificate();
        let peer = Peer { name: layer.name().clone(), has_client_certificate };
        let reading = layer.clone();
        thread.answer(peer, move || reading.config()).await
    }
}

impl Opener {
    /// Opens a stream to this endpoint.
    pub(crate) async fn stream(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Box<dyn Transport>, OpenFailure> {
        let Route { hop, layers } = self.router.route(endpoint)?;
        let mut ready = Vec::new();
        for layer in layers {
            ready.push(match layer {
                Layer::Tls(tls) => {
                    let config = self.tls_files.config(&tls).await?;
                    Layer::Tls((tls, config))
                }
                Layer::Tunnel(tunnel) => Layer::Tunnel(tunnel),
            });
        }
        let mut stream = self.bottom.open(&hop, endpoint).await?;
        for layer in ready {
            stream = match layer {
                Layer::Tls((tls, config)) => shake_hands(stream, &tls, config).await?,
                Layer::Tunnel(tunnel) => through(stream, tunnel).await?,
            };
        }
        Ok(stream)
    }
}

async fn shake_hands(
    stream: Box<dyn Transport>,
    layer: &TlsLayer,
    config: Arc<ClientConfig>,
) -> Result<Box<dyn Transport>, OpenFailure> {
    if layer.is_insecure() {
        let peer = if layer.is_to_proxy() { "proxy" } else { "server" };
        warn!("the {peer}'s certificate is NOT checked");
    }
    match TlsConnector::from(config).connect(layer.name().clone(), stream).await {
        Ok(stream) => Ok(Box::new(Secured(stream))),
        Err(error) => Err(layer.failure(&error)),
    }
}

/// Has the proxy at the end of the stream connect to the server.
async fn through(
    mut stream: Box<dyn Transport>,
    mut tunnel: Tunnel,
) -> Result<Box<dyn Transport>, OpenFailure> {
    poll_fn(|cx| tunnel.advance(&mut NonBlocking::new(&mut *stream, cx))).await?;
    Ok(stream)
}

/// TLS of this client, over any stream.
pub(crate) struct Secured(TlsStream<Box<dyn Transport>>);

impl Secured {
    /// Returns the stream below, and the TLS connection.
    pub(crate) fn parts(&mut self) -> (&mut dyn Transport, &mut ClientConnection) {
        let (stream, connection) = self.0.get_mut();
        (&mut **stream, connection)
    }
}

/// Returns the stream under all layers.
pub(crate) fn bottom(transport: &mut dyn Transport) -> &mut dyn Transport {
    let any: &mut dyn Any = transport;
    if !any.is::<Secured>() {
        return transport;
    }
    let any: &mut dyn Any = transport;
    let secured = any.downcast_mut::<Secured>().expect("its type was just looked at");
    bottom(secured.parts().0)
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use gateway_wire::{Opens, Provider, Settings, Tls};

    use super::*;

    fn layer_to_server(tls: Tls) -> TlsLayer {
        let settings = Settings { tls: Some(tls), ..Settings::new("wss://127.0.0.1:9") };
        let parts = settings.build(Opens::Driver, Provider::None).unwrap();
        let mut layers = parts.router.route(&parts.endpoint).unwrap().layers;
        let Some(Layer::Tls(layer)) = layers.pop() else { panic!("wss:// has TLS") };
        layer
    }

    #[tokio::test]
    async fn a_thread_reads_the_files_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("gateway-tokio-{}.pem", std::process::id()));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&path, made.cert.pem()).unwrap();
        let file = Tls::pem_file(&path).unwrap();
        for (tls, is_read) in [(Tls::insecure().unwrap(), false), (file, true)] {
            let files = TlsFiles::default();
            files.config(&layer_to_server(tls)).await.unwrap();
            assert_eq!(files.servers.get().is_some(), is_read);
            assert!(files.proxies.get().is_none());
        }
        std::fs::remove_file(&path).unwrap();
    }
}
