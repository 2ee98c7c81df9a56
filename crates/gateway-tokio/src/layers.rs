//! What comes over a stream: TLS to a proxy, the proxy's tunnel, TLS to the server.

use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
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

/// The threads that read the files of TLS settings: one for servers, and one for proxies.
pub(crate) struct TlsFiles {
    servers: Reader,
    proxies: Reader,
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
    pub(crate) fn new() -> Self {
        let thread = || OffThread::new("gateway-tls", OpenError::Tls);
        Self { servers: thread(), proxies: thread() }
    }

    /// Returns the TLS settings for an attempt's handshake.
    async fn config(&self, layer: &TlsLayer) -> Result<Arc<ClientConfig>, OpenFailure> {
        let thread = if layer.is_to_proxy() { &self.proxies } else { &self.servers };
        let has_client_certificate = layer.has_client_certificate();
        let peer = Peer { name: layer.name().clone(), has_client_certificate };
        let reading = layer.clone();
        at_once_or(layer.try_config(), thread, peer, move || reading.config()).await
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

/// Returns `known`, or else what `read` returns about `subject` on a thread that may block.
async fn at_once_or<K, T>(
    known: Option<T>,
    thread: &OffThread<Found<K, T>>,
    subject: K,
    read: impl FnOnce() -> Result<T, OpenFailure> + Clone + Send + 'static,
) -> Result<T, OpenFailure>
where
    K: Clone + PartialEq + Send + 'static,
    T: Send + 'static,
{
    match known {
        Some(known) => Ok(known),
        None => thread.answer(subject, read).await,
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
    use std::sync::Mutex;
    use std::thread;

    use futures_util::FutureExt as _;

    use super::*;

    fn off_thread<T: Send + 'static>() -> OffThread<Found<u8, T>> {
        OffThread::new("gateway-tls", OpenError::Tls)
    }

    #[tokio::test]
    async fn the_trust_store_is_read_off_the_runtimes_thread_and_only_where_it_must_be() {
        let here = thread::current().id();
        let reader =
            at_once_or(None, &off_thread(), 0, || Ok(thread::current().id())).await.unwrap();
        assert_ne!(reader, here);

        let known = at_once_or(Some(7), &off_thread(), 0, || panic!("it is known")).await.unwrap();
        assert_eq!(known, 7);
    }

    #[tokio::test]
    async fn a_trust_store_whose_reading_panics_fails_the_attempt() {
        let failed = at_once_or::<_, ()>(None, &off_thread(), 0, || panic!("unreadable")).await;
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
                let attempt = at_once_or(None, &off_thread, 0, hangs);
                assert!(attempt.now_or_never().is_none()); // its deadline drops it
            }
        });
        drop(runtime);

        drop((go, begun));
        assert_eq!(begins.iter().count(), 1);
    }
    #[tokio::test]
    async fn what_was_read_for_one_peer_is_not_used_for_another() {
        let (go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let off_thread = off_thread();
        let hangs = move || {
            let _ = held.lock().unwrap().recv();
            Ok("with the client's certificate")
        };
        let abandoned = at_once_or(None, &off_thread, 1, hangs);
        assert!(abandoned.now_or_never().is_none());

        let next = at_once_or(None, &off_thread, 2, || Ok("without"));
        drop(go);
        assert_eq!(next.await.unwrap(), "without");
    }
}
