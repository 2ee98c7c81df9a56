//! A host has two addresses, and one does not work. The next attempt uses the other one.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gateway_tests::{
    Certificates, Driver, Either, Frame, Listener, Peer, Provided as _, Served, calm, client,
    refuse, serve,
};
use gateway_tokio::core::{CloseFrame, ConfigBuilder};
use gateway_tokio::{Request, Tls};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

gateway_tests::on_both_drivers! {
    the_next_attempt_goes_to_the_other_address
    the_address_of_a_stable_connection_stays_the_first
    a_connection_that_the_application_closes_says_nothing_of_its_address
    a_provider_that_fails_says_nothing_of_an_address
}

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

    fn client(&self, driver: Driver, config: ConfigBuilder) -> Either {
        match self.tls.clone() {
            Some(tls) => client!(driver, self.url(), config, .resolver(self.resolver()).tls(tls)),
            None => client!(driver, self.url(), config, .resolver(self.resolver())),
        }
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

fn the_next_attempt_goes_to_the_other_address(driver: Driver) {
    for first in ILL {
        let host = Host::new(first);
        let mut client = host.client(driver, config());
        let mut visits = Vec::new();
        while visits.len() < 2 {
            client.event();
            visits.extend(host.visits.try_iter());
        }
        assert_eq!(visits, [0, 1], "{first:?}");
    }
}

/// A millisecond is what counts as stable here, where no delay came before.
const STABLE: Duration = Duration::from_millis(1);

/// Has a stable connection dropped, and waits for the next; `attempts` is their number then.
fn dropped_when_stable(mut client: Either, attempts: u64) {
    while client.statistics().time_ready < 2 * STABLE {
        client.rest(STABLE);
    }
    client.send("drop it").unwrap();
    while client.statistics().attempts < attempts || !client.is_ready() {
        client.event();
    }
}

fn the_address_of_a_stable_connection_stays_the_first(driver: Driver) {
    let host = Host::new(First::DropsWhenAsked);
    dropped_when_stable(host.client(driver, config().stable_after(STABLE)), 2);
    assert_eq!(host.visits(2), [0, 0]);
}

fn a_connection_that_the_application_closes_says_nothing_of_its_address(driver: Driver) {
    let host = Host::new(First::DropsWhenAsked);
    let mut client = host.client(driver, config());
    for _ in 0..2 {
        client.connect();
        client.until_ready();
        client.close(CloseFrame::NORMAL);
        client.drain();
    }
    assert_eq!(host.visits(2), [0, 0]);
}

fn a_provider_that_fails_says_nothing_of_an_address(driver: Driver) {
    let host = Host::new(First::DropsWhenAsked);
    let asked = AtomicU32::new(0);
    let provider = move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        1 => Err("none".into()),
        _ => Ok(Request::new()),
    };
    let client = client!(driver, host.url(), config().stable_after(STABLE),
        .resolver(host.resolver()).provided_by(provider));
    dropped_when_stable(client, 3);
    assert_eq!(host.visits(2), [0, 0]);
}
