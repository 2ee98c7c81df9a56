//! A host has two addresses, and one does not work. The next attempt uses the other one, on both
//! drivers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gateway_tests::{
    Certificates, Frame, Listener, Peer, Served, calm, drain, refuse, serve, until_ready, within,
};
use gateway_tokio::Tls;
use gateway_tokio::core::{CloseFrame, ConfigBuilder};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// What the server at the first address does, on each of its connections.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    /// It takes the request and never answers.
    Mute,
    /// It answers the upgrade with 502.
    BadGateway,
    /// It accepts the connection, and speaks no TLS.
    NoTls,
    /// It opens the socket, and drops it.
    Drops,
    /// It opens the socket, and closes it: try again later.
    Closes,
    /// It opens the socket, and breaks the protocol.
    Breaks,
    /// It opens the socket, waits for a message, and drops the socket.
    DropsWhenAsked,
}

impl First {
    async fn serve(self, mut tcp: TcpStream) {
        match self {
            Self::Mute => std::future::pending().await,
            Self::BadGateway => drop(refuse(tcp, "HTTP/1.1 502 Bad Gateway\r\n\r\n").await),
            Self::NoTls => {
                tcp.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
                let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
            }
            Self::Drops => drop(Peer::accept(tcp).await),
            Self::Closes => {
                let mut peer = Peer::accept(tcp).await;
                peer.send(Frame::new(0x88, 1013_u16.to_be_bytes())).await;
                peer.rest().await;
            }
            Self::Breaks => {
                let mut peer = Peer::accept(tcp).await;
                peer.send(Frame::new(0xc1, b"")).await;
                peer.rest().await;
            }
            Self::DropsWhenAsked => drop(Peer::accept(tcp).await.next().await),
        }
    }
}

/// Two servers of one name: the first does what the test says, the second echoes.
struct Host {
    addresses: [SocketAddr; 2],
    /// Which of them was connected to, in order.
    visits: Receiver<usize>,
    tls: Option<Tls>,
    _server: Served<()>,
}

impl Host {
    fn new(first: First) -> Self {
        let ill = TcpListener::bind("127.0.0.1:0").unwrap();
        ill.set_nonblocking(true).unwrap();
        let ill_address = ill.local_addr().unwrap();
        let certificates = (first == First::NoTls).then(|| Certificates::new("localhost"));
        let tls = certificates.as_ref().map(Certificates::trusted);
        let (visit, visits) = channel();
        let server = serve(async move |healthy: Listener| {
            let ill = tokio::net::TcpListener::from_std(ill).unwrap();
            loop {
                let (at, tcp) = tokio::select! {
                    tcp = ill.accept() => (0, tcp.unwrap().0),
                    tcp = healthy.tcp() => (1, tcp),
                };
                if visit.send(at).is_err() {
                    return; // the test is over
                }
                let acceptor = certificates.as_ref().map(|made| made.acceptor().clone());
                tokio::spawn(async move {
                    match (at, acceptor) {
                        (0, _) => first.serve(tcp).await,
                        (_, None) => Peer::accept(tcp).await.echo().await,
                        (_, Some(acceptor)) => {
                            let tls = acceptor.accept(tcp).await.unwrap();
                            Peer::accept(tls).await.echo().await;
                        }
                    }
                });
            }
        });
        let address = server.url.strip_prefix("ws://").unwrap().parse().unwrap();
        Self { addresses: [ill_address, address], visits, tls, _server: server }
    }

    fn url(&self) -> &'static str {
        if self.tls.is_some() { "wss://localhost:1" } else { "ws://localhost:1" }
    }

    fn resolver(
        &self,
    ) -> impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static {
        let addresses = self.addresses.to_vec();
        move |_, _| Ok(addresses.clone())
    }

    fn tokio(&self, config: ConfigBuilder) -> gateway_tokio::Client {
        let mut builder = gateway_tokio::Client::builder(self.url())
            .config(config.build().unwrap())
            .seed(7)
            .resolver(self.resolver());
        if let Some(tls) = &self.tls {
            builder = builder.tls(tls.clone());
        }
        builder.build().unwrap()
    }

    fn std(&self, config: ConfigBuilder) -> gateway_std::Client {
        let mut builder = gateway_std::Client::builder(self.url())
            .config(config.build().unwrap())
            .seed(7)
            .resolver(self.resolver());
        if let Some(tls) = &self.tls {
            builder = builder.tls(tls.clone());
        }
        builder.build().unwrap()
    }

    /// The addresses that were connected to, as soon as there are so many.
    fn visits(&self, count: usize) -> Vec<usize> {
        self.visits.iter().take(count).collect()
    }
}

/// The connect deadline ends attempts at the server that never answers.
fn config() -> ConfigBuilder {
    calm().connect_timeout(Duration::from_secs(1))
}

const ILL: [First; 6] =
    [First::Mute, First::BadGateway, First::NoTls, First::Drops, First::Closes, First::Breaks];

#[tokio::test]
async fn the_next_attempt_goes_to_the_other_address() {
    for first in ILL {
        let host = Host::new(first);
        let mut client = host.tokio(config());
        let mut visits = Vec::new();
        while visits.len() < 2 {
            within(client.next()).await.expect("a connection that is not over");
            visits.extend(host.visits.try_iter());
        }
        assert_eq!(visits, [0, 1], "{first:?}");
    }
}

#[test]
fn the_next_attempt_of_the_blocking_client_goes_to_the_other_address() {
    for first in ILL {
        let host = Host::new(first);
        let mut client = host.std(config());
        let mut visits = Vec::new();
        while visits.len() < 2 {
            client.next().expect("a connection that is not over");
            visits.extend(host.visits.try_iter());
        }
        assert_eq!(visits, [0, 1], "{first:?}");
    }
}

/// A millisecond is what counts as stable here, where no delay came before.
const STABLE: Duration = Duration::from_millis(1);

#[tokio::test]
async fn the_address_of_a_stable_connection_stays_the_first() {
    let host = Host::new(First::DropsWhenAsked);
    let mut client = host.tokio(config().stable_after(STABLE));
    until_ready(&mut client).await;
    while client.statistics().time_ready < 2 * STABLE {
        tokio::select! {
            biased;
            event = client.next() => drop(event.expect("a connection that is not over")),
            () = tokio::task::yield_now() => {}
        }
    }
    client.send("drop it").await.unwrap();
    while client.statistics().attempts < 2 || !client.is_ready() {
        within(client.next()).await.expect("a connection that is not over");
    }
    assert_eq!(host.visits(2), [0, 0]);
}

#[test]
fn the_address_of_a_stable_connection_of_the_blocking_client_stays_the_first() {
    let host = Host::new(First::DropsWhenAsked);
    let mut client = host.std(config().stable_after(STABLE));
    while client.statistics().time_ready < 2 * STABLE {
        let _ = client.recv_timeout(STABLE);
    }
    client.send("drop it").unwrap();
    while client.statistics().attempts < 2 || !client.is_ready() {
        client.next().expect("a connection that is not over");
    }
    assert_eq!(host.visits(2), [0, 0]);
}

#[tokio::test]
async fn a_connection_that_the_application_closes_says_nothing_of_its_address() {
    let host = Host::new(First::DropsWhenAsked);
    let mut client = host.tokio(config());
    for _ in 0..2 {
        client.connect();
        until_ready(&mut client).await;
        client.close(CloseFrame::NORMAL);
        drain(&mut client).await;
    }
    assert_eq!(host.visits(2), [0, 0]);
}

#[test]
fn a_blocking_connection_that_the_application_closes_says_nothing_of_its_address() {
    let host = Host::new(First::DropsWhenAsked);
    let mut client = host.std(config());
    for _ in 0..2 {
        client.connect();
        while !client.is_ready() {
            client.next().expect("a connection that is not over");
        }
        client.close(CloseFrame::NORMAL);
        while client.next().is_some() {}
    }
    assert_eq!(host.visits(2), [0, 0]);
}

#[tokio::test]
async fn credentials_that_are_not_to_be_had_say_nothing_of_an_address() {
    let host = Host::new(First::DropsWhenAsked);
    let asked = std::sync::atomic::AtomicU32::new(0);
    let builder = gateway_tokio::Client::builder(host.url())
        .config(config().stable_after(STABLE).build().unwrap())
        .seed(7)
        .resolver(host.resolver())
        .credentials(move |_| {
            let is_second = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1;
            std::future::ready(if is_second { Err("none".into()) } else { Ok(Default::default()) })
        });
    let mut client = builder.build().unwrap();
    until_ready(&mut client).await;
    while client.statistics().time_ready < 2 * STABLE {
        tokio::select! {
            biased;
            event = client.next() => drop(event.expect("a connection that is not over")),
            () = tokio::task::yield_now() => {}
        }
    }
    client.send("drop it").await.unwrap();
    while client.statistics().attempts < 3 || !client.is_ready() {
        within(client.next()).await.expect("a connection that is not over");
    }
    assert_eq!(host.visits(2), [0, 0]);
}
