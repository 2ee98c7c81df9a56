//! Opening a socket with the blocking client: one deadline covers everything, and a late result is
//! dropped.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gateway_std::core::{
    CloseFrame, ConfigBuilder, Credentials, DisconnectCause, Notice, OpenError,
};
use gateway_std::{
    Client, ClientEvent, Dial, Endpoint, LoginCredentials, OpenFailure, Tls, Transport,
};
use gateway_tests::{Certificates, Peer, calm, serve};

fn client(url: &str, config: ConfigBuilder) -> Client {
    builder(url, config).build().unwrap()
}

fn builder(url: &str, config: ConfigBuilder) -> gateway_std::Builder {
    Client::builder(url).config(config.build().unwrap()).seed(7)
}

/// Takes events up to the next retry; returns why the socket was lost.
fn until_retry(client: &mut Client) -> DisconnectCause {
    let mut lost = None;
    for event in client {
        match event {
            ClientEvent::Disconnected { cause, .. } => lost = Some(cause),
            ClientEvent::Notice(Notice::RetryScheduled { .. }) => return lost.expect("a cause"),
            _ => {}
        }
    }
    panic!("the connection is over");
}

fn until_ready(client: &mut Client) {
    while !client.is_ready() {
        client.recv().expect("a connection that is not over");
    }
}

/// A provider, or a dial, that waits until the test lets it go.
struct Held(Mutex<Receiver<()>>);

impl Held {
    fn wait(&self) {
        let _ = self.0.lock().unwrap().recv(); // the test may be over
    }
}

/// Connects at once, and hands the socket over when it is let go.
struct Late {
    held: Held,
    address: std::net::SocketAddr,
}

impl Dial for Late {
    fn dial(&self, _: &Endpoint) -> Result<Box<dyn Transport>, OpenFailure> {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.held.wait();
        Ok(Box::new(mio::net::TcpStream::from_std(socket)))
    }
}

#[test]
fn the_connect_deadline_covers_what_blocks_before_the_socket() {
    let (_go, held) = channel();
    let held = Held(Mutex::new(held));
    let mut client = builder("ws://127.0.0.1:9", calm().connect_timeout(Duration::from_millis(20)))
        .credentials(move |_| {
            held.wait();
            Ok(LoginCredentials::new())
        })
        .build()
        .unwrap();

    for _ in 0..3 {
        assert_eq!(until_retry(&mut client), DisconnectCause::ConnectTimeout);
    }
}

#[test]
fn close_wins_at_once_while_an_attempt_blocks() {
    let (_go, held) = channel();
    let held = Held(Mutex::new(held));
    let mut client = builder("ws://127.0.0.1:9", calm())
        .credentials(move |_| {
            held.wait();
            Ok(LoginCredentials::new())
        })
        .build()
        .unwrap();
    let sender = client.sender();
    let other = std::thread::spawn(move || sender.close(CloseFrame::NORMAL));

    let mut causes = Vec::new();
    for event in &mut client {
        if let ClientEvent::Disconnected { cause, .. } = event {
            causes.push(cause);
        }
    }

    other.join().unwrap();
    assert!(matches!(causes[..], [] | [DisconnectCause::Requested]), "{causes:?}");
}

#[test]
fn a_socket_that_opens_after_it_was_given_up_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (go, held) = channel();
    let late = Late { held: Held(Mutex::new(held)), address: listener.local_addr().unwrap() };
    let config = calm().connect_timeout(Duration::from_millis(20)).max_attempts(Some(0));
    let mut client = builder("ws://gateway.example", config).dial(late).build().unwrap();

    let over: Vec<_> = client.by_ref().collect();
    let (mut server, _) = listener.accept().unwrap();
    go.send(()).unwrap();
    let mut request = Vec::new();
    let end = server.read_to_end(&mut request);

    assert!(client.gave_up().is_some(), "{over:?}");
    assert_eq!((end.unwrap(), request), (0, Vec::new()), "nothing is said on it, and it is closed");
}

#[test]
fn refreshed_credentials_are_asked_for_after_a_401() {
    let server = serve(async |listener| {
        gateway_tests::refuse(listener.tcp().await, "HTTP/1.1 401 Unauthorized\r\n\r\n").await;
        let peer = Peer::accept(listener.tcp().await).await;
        peer.head.header("authorization").map(ToOwned::to_owned)
    });
    let mut client = builder(&server.url, calm())
        .credentials(|which| {
            let token = if which == Credentials::Refresh { "new" } else { "old" };
            Ok(LoginCredentials::new().header("Authorization", token))
        })
        .build()
        .unwrap();

    until_ready(&mut client);

    assert_eq!(server.join().as_deref(), Some("new"));
}

#[test]
fn a_name_that_is_none_fails_as_dns_and_a_port_that_is_closed_as_refused() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, expected) in [
        ("ws://no-such-host.invalid/".to_owned(), OpenError::Dns),
        (format!("ws://{closed}"), OpenError::Refused),
    ] {
        let cause = until_retry(&mut client(&url, calm()));
        assert_eq!(cause, DisconnectCause::OpenFailed(expected), "{url}");
    }
}

fn secure(certificates: Certificates, tls: Tls) -> Client {
    let server = serve(async move |listener| {
        while let Ok(stream) = listener.tls(certificates.acceptor()).await {
            Peer::accept(stream).await.echo().await;
        }
    });
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    builder(&format!("wss://localhost:{port}"), calm()).tls(tls).build().unwrap()
}

#[test]
fn a_server_of_the_given_ca_is_trusted_and_echoes_more_than_tls_buffers() {
    let certificates = Certificates::new("localhost");
    let tls = certificates.trusted();
    let mut client = secure(certificates, tls);
    let message = vec![7; 300 << 10];

    until_ready(&mut client);
    client.send(message.clone()).unwrap();
    let echoed = client.find_map(|event| match event {
        ClientEvent::Message(message) => Some(message),
        _ => None,
    });

    assert_eq!(echoed.unwrap().as_bytes(), message);
}

#[test]
fn a_server_of_another_ca_is_not() {
    let mut client =
        secure(Certificates::new("localhost"), Certificates::new("localhost").trusted());
    let expected = DisconnectCause::OpenFailed(OpenError::Certificate);
    assert_eq!(until_retry(&mut client), expected);
}

#[test]
fn a_provider_that_panics_fails_the_attempt_at_once() {
    let config = calm().connect_timeout(Duration::from_secs(3_600));
    let mut client =
        builder("ws://127.0.0.1:9", config).credentials(|_| panic!("on purpose")).build().unwrap();

    for _ in 0..3 {
        assert_eq!(until_retry(&mut client), DisconnectCause::OpenFailed(OpenError::Io));
    }
}

#[test]
fn credentials_are_not_asked_for_an_attempt_that_was_given_up_in_the_queue() {
    let (go, held) = channel();
    let (asked, asks) = channel();
    let held = Held(Mutex::new(held));
    let config = calm().connect_timeout(Duration::from_millis(5)).max_attempts(Some(3));
    let mut client = builder("ws://127.0.0.1:9", config)
        .credentials(move |_| {
            let _ = asked.send(()); // the test may be over
            held.wait();
            Ok(LoginCredentials::new())
        })
        .build()
        .unwrap();

    let _over: Vec<_> = client.by_ref().collect(); // four attempts, the first of which holds the helper up
    drop(client);
    go.send(()).unwrap();

    assert_eq!(asks.iter().count(), 1); // up to the end of the helper
}
