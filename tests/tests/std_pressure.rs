//! The blocking client where one side does not read: over TLS as over TCP no connection dies of it, nothing waits for ever, and
//! what was sent arrives.

use std::time::Duration;

use gateway_std::core::{CloseCode, ConfigBuilder, DisconnectCause, HeartbeatKind};
use gateway_std::{Client, ClientEvent, Limits, Message};
use gateway_tests::{Certificates, Frame, Peer, Served, calm, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

/// More than the kernel's buffers of both sides hold.
const MUCH: usize = 16 << 20;

fn until_ready(client: &mut Client) {
    while !client.is_ready() {
        client.recv().expect("a connection that is not over");
    }
}

fn plain<T>(server: &Served<T>, config: ConfigBuilder) -> gateway_std::Builder {
    Client::builder(&server.url).config(config.build().unwrap()).seed(7)
}

/// The client of a TLS server on that port.
fn secure<T>(server: &Served<T>, certificates: &Certificates, config: ConfigBuilder) -> Client {
    let port = server.url.rsplit(':').next().unwrap();
    let builder = Client::builder(format!("wss://localhost:{port}")).tls(certificates.trusted());
    builder.config(config.build().unwrap()).seed(7).build().unwrap()
}

/// How a socket ended, and the events before that.
fn until_gone(client: &mut Client) -> DisconnectCause {
    for event in client {
        if let ClientEvent::Disconnected { cause, .. } = event {
            return cause;
        }
    }
    panic!("it ended without a cause");
}

#[test]
fn a_full_tls_socket_on_which_the_peer_goes_on_talking_is_not_dead() {
    let certificates = Certificates::new("localhost");
    let acceptor = certificates.acceptor().clone();
    let (say, mut said) = mpsc::unbounded_channel::<()>();
    let server = serve(async move |listener| {
        let stream = acceptor.accept(listener.tcp().await).await.unwrap();
        let mut peer = Peer::accept(stream).await;
        while said.recv().await.is_some() {
            peer.send(Frame::text("more")).await; // and not a byte is read before all is said
        }
        peer.frame().await.payload.len()
    });
    let mut client = secure(&server, &certificates, calm());
    until_ready(&mut client);
    client.try_send(vec![7; MUCH]).unwrap();
    while client.recv_timeout(Duration::from_millis(20)).is_ok() {} // up to where the socket is full

    for _ in 0..20 {
        say.send(()).unwrap();
        assert_eq!(client.recv(), Some(ClientEvent::Message(Message::text("more"))));
    }
    drop(say);

    assert!(client.flush());
    assert_eq!(server.join(), MUCH);
}

#[test]
fn one_send_over_tls_arrives_whole_without_any_further_call() {
    let certificates = Certificates::new("localhost");
    let acceptor = certificates.acceptor().clone();
    let server = serve(async move |listener| {
        let stream = acceptor.accept(listener.tcp().await).await.unwrap();
        let mut peer = Peer::accept(stream).await;
        let mut bytes = 0;
        while bytes < MUCH {
            bytes += peer.frame().await.payload.len();
        }
        bytes
    });
    let mut client = secure(&server, &certificates, calm());
    until_ready(&mut client);

    for _ in 0..MUCH >> 16 {
        client.send(vec![7; 1 << 16]).unwrap();
    }

    assert_eq!(server.join(), MUCH);
}

#[test]
fn a_close_before_a_reset_is_heard_over_tls_though_our_write_fails_first() {
    let certificates = Certificates::new("localhost");
    let acceptor = certificates.acceptor().clone();
    let (go, wait) = oneshot::channel();
    let server = serve(async move |listener| {
        let stream = acceptor.accept(listener.tcp().await).await.unwrap();
        let mut peer = Peer::accept(stream).await;
        let _ = wait.await;
        peer.send(Frame::close(4004, "because")).await;
        // Dropped with unread input: the socket is reset behind the Close.
    });
    let mut client = secure(&server, &certificates, calm().max_attempts(Some(0)));
    until_ready(&mut client);
    client.send("unread").unwrap();
    go.send(()).unwrap();
    server.join();

    client.try_send("too late").unwrap();
    let cause = until_gone(&mut client);

    assert_eq!(cause, DisconnectCause::CloseReceived(CloseCode::new(4004).ok()));
}

#[test]
fn a_flush_that_nothing_could_end_says_so() {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        for _ in 0..8 {
            peer.send(Frame::binary(vec![7; 1 << 10])).await;
        }
        // Neither reads nor writes from here on, until the client hangs up.
        peer.frame().await;
        std::future::pending::<()>().await;
    });
    let mut limits = Limits::default();
    limits.backlog = 1 << 10;
    let config = calm().heartbeat(HeartbeatKind::Json);
    let mut client = plain(&server, config).limits(limits).build().unwrap();
    until_ready(&mut client);
    client.try_send(vec![7; MUCH]).unwrap();

    assert!(!client.flush(), "the backlog is full, and so is the peer");

    let taken = client.find(|event| matches!(event, ClientEvent::Message(_)));
    assert!(taken.is_some());
}

#[test]
fn a_flood_of_pings_keeps_nobody_past_the_time_that_was_given() {
    let (stop, mut stopped) = oneshot::channel::<()>();
    let server = serve(async move |listener| {
        let (mut read, mut write) = listener.peer().await.into_stream().into_split();
        let pings = Frame::ping("").bytes().repeat(1_000);
        let mut pongs = vec![0; 1 << 16];
        loop {
            tokio::select! {
                _ = &mut stopped => return,
                written = write.write_all(&pings) => if written.is_err() { return },
                read = read.read(&mut pongs) => if !matches!(read, Ok(1..)) { return },
            }
        }
    });
    let mut client = plain(&server, calm()).build().unwrap();
    until_ready(&mut client);
    while let Ok(Some(ClientEvent::Notice(_))) = client.recv_timeout(Duration::ZERO) {}

    // Ends only because the time is up: the flood does not.
    let nothing = client.recv_timeout(Duration::from_millis(20));

    assert!(nothing.is_err(), "{nothing:?}");
    drop(stop);
    drop(client);
    server.join();
}

#[test]
fn messages_reach_a_reader_that_was_late() {
    let (go, wait) = oneshot::channel();
    let server = serve(async move |listener| {
        let mut peer = listener.peer().await;
        let _ = wait.await;
        let mut bytes = 0;
        while bytes < MUCH {
            bytes += peer.frame().await.payload.len();
        }
        bytes
    });
    let mut client = plain(&server, calm()).build().unwrap();
    until_ready(&mut client);
    client.try_send(Message::binary(vec![7; MUCH])).unwrap();
    while client.recv_timeout(Duration::from_millis(20)).is_ok() {} // up to where the socket is full

    go.send(()).unwrap();

    assert!(client.flush());
    assert_eq!(server.join(), MUCH);
}
