//! Writes that fail while reads work: the outcomes of messages, and which tasks are woken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_tests::{Peer, calm, client, elapse, settle, until_ready, while_polling, within};
use gateway_tokio::core::OpenError;
use gateway_tokio::{
    Client, ClientEvent, Dial, Dialing, Endpoint, Fate, FlushError, Message, OpenFailure,
    SinkError, Transport,
};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

/// A stream in memory whose writes are reset, without a wake-up, once so many of them were taken.
struct Flaky {
    inner: DuplexStream,
    writes_left: Arc<AtomicUsize>,
}

impl AsyncRead for Flaky {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl AsyncWrite for Flaky {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.writes_left.load(Ordering::SeqCst) {
            0 => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            usize::MAX => {}
            left => self.writes_left.store(left - 1, Ordering::SeqCst),
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

struct FlakyDial {
    writes_left: Arc<AtomicUsize>,
    servers: mpsc::UnboundedSender<DuplexStream>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Dial for FlakyDial {
    fn dial(&self, _: &Endpoint) -> Dialing {
        let (near, far) = duplex(4 << 20);
        let _ = self.servers.send(far); // a test may be over
        let flaky = Flaky { inner: near, writes_left: Arc::clone(&self.writes_left) };
        let tls = self.tls.clone();
        Box::pin(async move {
            let Some(config) = tls else { return Ok(Box::new(flaky) as Box<dyn Transport>) };
            let name = "localhost".try_into().unwrap();
            let connector = tokio_rustls::TlsConnector::from(config);
            let failed = |error: io::Error| OpenFailure::new(OpenError::Tls, error.to_string());
            Ok(Box::new(connector.connect(name, flaky).await.map_err(failed)?))
        })
    }
}

/// A TLS server's and a client's settings that trust each other.
fn tls() -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

#[tokio::test]
async fn over_tls_no_message_that_reached_the_peer_is_called_rejected() {
    let (server, client_tls) = tls();
    let (servers, mut dialled) = mpsc::unbounded_channel();
    let writes_left = Arc::new(AtomicUsize::new(usize::MAX));
    let dial = FlakyDial { writes_left: Arc::clone(&writes_left), servers, tls: Some(client_tls) };
    let pause = Duration::from_secs(25);
    let config = calm().initial_delay(pause).max_delay(pause);
    let mut client = client("wss://localhost/", config).dial(dial).build().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(server);
    let (mut peer, _) = while_polling(&mut client, async {
        let stream = dialled.recv().await.unwrap();
        Peer::accept(acceptor.accept(stream).await.unwrap()).await
    })
    .await;
    until_ready(&mut client).await;
    while_polling(&mut client, settle()).await;

    for number in 1..=2_000 {
        client.feed(Message::text(format!("{number:0>100}"))).await.unwrap();
    }
    writes_left.store(1, Ordering::SeqCst); // the next write is taken, and the one behind it reset
    assert_eq!(within(client.flush()).await, Err(FlushError::Lost));
    let mut rejected_from = u64::MAX;
    while client.statistics().last_disconnect.is_none() || client.is_ready() {
        let _ = within(client.next()).await;
    }
    while let Some(Some(event)) = futures_util::FutureExt::now_or_never(client.next()) {
        if let ClientEvent::Outcome(outcome) = event
            && outcome.fate == Fate::Rejected
        {
            rejected_from = rejected_from.min(outcome.first.number());
        }
    }

    let mut reached = 0_u64;
    while let Some(frame) = within(peer.next()).await {
        if frame.first == 0x81 {
            reached = frame.as_text().parse().unwrap();
        }
    }
    assert!(reached > 0, "the first write has reached the peer");
    assert!(reached < rejected_from, "{reached} reached the peer, rejected from {rejected_from}");
}

async fn ready_client(
    report_sent: bool,
) -> (Client, Arc<AtomicUsize>, mpsc::UnboundedReceiver<DuplexStream>, Peer<DuplexStream>) {
    let (servers, mut dialled) = mpsc::unbounded_channel();
    let writes_left = Arc::new(AtomicUsize::new(usize::MAX));
    let dial = FlakyDial { writes_left: Arc::clone(&writes_left), servers, tls: None };
    let builder = client("ws://localhost/", calm()).dial(dial).report_sent(report_sent);
    let mut client = builder.build().unwrap();
    let accept = async { Peer::accept(dialled.recv().await.unwrap()).await };
    let (peer, _) = while_polling(&mut client, accept).await;
    until_ready(&mut client).await;
    while_polling(&mut client, settle()).await;
    (client, writes_left, dialled, peer)
}

#[tokio::test(start_paused = true)]
async fn a_loss_that_the_sink_half_finds_is_redialled_by_the_stream_half() {
    let (client, writes_left, mut dialled, _peer) = ready_client(false).await;
    let (mut sink, mut stream) = client.split();
    let reader = tokio::spawn(async move { while stream.next().await.is_some() {} });
    elapse(Duration::from_secs(60)).await; // past every timer of the attempt

    writes_left.store(0, Ordering::SeqCst);
    let lost = sink.send(Message::text("x")).await;
    assert!(matches!(lost, Err(SinkError::Flush(FlushError::Lost))), "{lost:?}");
    writes_left.store(usize::MAX, Ordering::SeqCst);

    assert!(within(dialled.recv()).await.is_some());
    reader.abort();
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_sink_half_makes_wakes_the_stream_half() {
    let (client, _writes_left, _dialled, _peer) = ready_client(true).await;
    let (mut sink, mut stream) = client.split();
    let reader = tokio::spawn(async move {
        while !matches!(stream.next().await, Some(ClientEvent::Outcome(_))) {}
    });
    elapse(Duration::from_secs(60)).await;

    sink.send(Message::text("x")).await.unwrap();

    within(reader).await.unwrap();
}
