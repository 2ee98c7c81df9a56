//! Writes that fail while reads work: the outcomes of messages, and which tasks are woken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_tests::{
    Made, Memory, Peer, calm, client, elapse, memory, pair, pair_with, settle, until_ready,
    while_polling, within,
};
use gateway_tokio::core::OpenError;
use gateway_tokio::{
    Builder, ClientEvent, Dial, Dialing, Endpoint, Fate, FlushErrorKind, Message, OpenFailure,
    SinkError, Transport,
};
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// TLS over sockets in memory.
struct Secure(Memory, TlsConnector);

impl Secure {
    /// It trusts this certificate.
    fn new(memory: Memory, made: &Made) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(made.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(ALL_VERSIONS)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(memory, TlsConnector::from(Arc::new(config)))
    }
}

impl Dial for Secure {
    fn dial(&self, endpoint: &Endpoint) -> Dialing {
        let (dialing, connector) = (self.0.dial(endpoint), self.1.clone());
        Box::pin(async move {
            let name = "localhost".try_into().unwrap();
            let failed = |error: io::Error| OpenFailure::new(OpenError::Tls, error.to_string());
            let stream = connector.connect(name, dialing.await?).await.map_err(failed)?;
            Ok(Box::new(stream) as Box<dyn Transport>)
        })
    }
}

#[tokio::test]
async fn over_tls_no_message_that_reached_the_peer_is_called_rejected() {
    let made = Made::new(false);
    let (memory, mut sockets) = memory(4 << 20);
    let pause = Duration::from_secs(25);
    let config = calm().initial_delay(pause).max_delay(pause);
    let dial = Secure::new(memory, &made);
    let mut client = client("wss://localhost/", config).dial(dial).build().unwrap();
    let (mut peer, _) = while_polling(&mut client, async {
        let acceptor = made.acceptor(ALL_VERSIONS, None);
        Peer::accept(acceptor.accept(sockets.stream().await).await.unwrap()).await
    })
    .await;
    until_ready(&mut client).await;
    while_polling(&mut client, settle()).await;

    for number in 1..=2_000 {
        client.feed(Message::text(format!("{number:0>100}"))).await.unwrap();
    }
    sockets.switch.fail_writes_after(1);
    assert_eq!(within(client.flush()).await.unwrap_err().kind(), FlushErrorKind::Lost);
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

#[tokio::test(start_paused = true)]
async fn a_loss_that_the_sink_half_finds_is_redialled_by_the_stream_half() {
    let (client, mut sockets, _peer) = pair(calm(), 1 << 16).await;
    let (mut sink, mut stream) = client.split();
    let reader = tokio::spawn(async move { while stream.next().await.is_some() {} });
    elapse(Duration::from_secs(60)).await; // past every timer of the attempt

    sockets.switch.fail_writes();
    let lost = sink.send(Message::text("x")).await;
    assert!(
        matches!(&lost, Err(SinkError::Flush(error)) if error.kind() == FlushErrorKind::Lost),
        "{lost:?}"
    );
    sockets.switch.revive();

    within(sockets.stream()).await;
    reader.abort();
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_the_sink_half_makes_wakes_the_stream_half() {
    let reporting = |builder: Builder| builder.report_sent(true);
    let (client, _sockets, _peer) = pair_with(calm(), 1 << 16, reporting).await;
    let (mut sink, mut stream) = client.split();
    let reader = tokio::spawn(async move {
        while !matches!(stream.next().await, Some(ClientEvent::Outcome(_))) {}
    });
    elapse(Duration::from_secs(60)).await;

    sink.send(Message::text("x")).await.unwrap();

    within(reader).await.unwrap();
}
