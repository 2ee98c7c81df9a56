//! TLS: which servers the client trusts, and its errors for the others.

use gateway_tests::{
    Certificates, Listener, Peer, calm, client, disconnected, texts, until, until_ready,
};
use gateway_tokio::core::{CloseFrame, DisconnectCause, Notice, OpenError};
use gateway_tokio::{Client, ClientEvent, Tls};
use tokio::io::AsyncWriteExt as _;

/// An echo server with these certificates, and a client that trusts `tls`.
async fn pair(certificates: Certificates, tls: Tls) -> Client {
    let listener = Listener::bind().await;
    let client = client(listener.secure_url(), calm()).tls(tls).build().unwrap();
    tokio::spawn(async move {
        loop {
            if let Ok(stream) = listener.tls(certificates.acceptor()).await {
                Peer::accept(stream).await.echo().await;
            }
        }
    });
    client
}

async fn fails_with(client: &mut Client) -> OpenError {
    let retry =
        |event: &ClientEvent| matches!(event, ClientEvent::Notice(Notice::RetryScheduled { .. }));
    match disconnected(&until(client, retry).await)[..] {
        [DisconnectCause::OpenFailed(error)] => error,
        ref other => panic!("{other:?}"),
    }
}

async fn echoes(client: &mut Client) {
    until_ready(client).await;
    client.send("hello").await.unwrap();
    let events = until(client, |event| matches!(event, ClientEvent::Message(_))).await;
    assert_eq!(texts(&events), ["hello"]);
    client.close(CloseFrame::NORMAL);
    let cause = disconnected(&gateway_tests::drain(client).await);
    assert_eq!(cause, [DisconnectCause::Requested]);
}

#[tokio::test]
async fn a_server_of_the_given_ca_is_trusted() {
    let certificates = Certificates::new("localhost");
    let tls = certificates.trusted();
    echoes(&mut pair(certificates, tls).await).await;
}

#[tokio::test]
async fn a_server_of_another_ca_is_not() {
    let stranger = Certificates::new("localhost");
    let mut client = pair(stranger, Certificates::new("localhost").trusted()).await;
    assert_eq!(fails_with(&mut client).await, OpenError::Certificate);
}

#[tokio::test]
async fn a_server_of_another_name_is_not() {
    let certificates = Certificates::new("elsewhere.example");
    let tls = certificates.trusted();
    assert_eq!(fails_with(&mut pair(certificates, tls).await).await, OpenError::Certificate);
}

#[tokio::test]
async fn the_insecure_client_trusts_anyone() {
    let certificates = Certificates::new("elsewhere.example");
    echoes(&mut pair(certificates, Tls::insecure().unwrap()).await).await;
}

#[tokio::test]
async fn a_plain_server_speaks_no_tls() {
    let listener = Listener::bind().await;
    let tls = Certificates::new("localhost").trusted();
    let mut client = client(listener.secure_url(), calm()).tls(tls).build().unwrap();
    tokio::spawn(async move {
        let mut tcp = listener.tcp().await;
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });

    assert_eq!(fails_with(&mut client).await, OpenError::Tls);
}

#[tokio::test]
async fn a_secure_server_speaks_no_plain_http() {
    let certificates = Certificates::new("localhost");
    let listener = Listener::bind().await;
    let mut client = client(listener.url(), calm()).build().unwrap();
    tokio::spawn(async move { listener.tls(certificates.acceptor()).await.map(drop) });

    assert_eq!(fails_with(&mut client).await, OpenError::NotHttp);
}

#[tokio::test]
async fn a_large_message_goes_both_ways() {
    let certificates = Certificates::new("localhost");
    let tls = certificates.trusted();
    let mut client = pair(certificates, tls).await;
    until_ready(&mut client).await;
    let large = "x".repeat(900_000);

    client.send(large.as_str()).await.unwrap();
    gateway_tests::within(client.flush()).await.unwrap();
    let events = until(&mut client, |event| matches!(event, ClientEvent::Message(_))).await;

    assert!(texts(&events) == [large]);
}
