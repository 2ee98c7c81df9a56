//! The blocking client with a side that does not read, over TLS and TCP: no connection fails,
//! nothing waits without end, and sent messages arrive.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gateway_std::core::{CloseCode, ConfigBuilder, DisconnectCause, HeartbeatKind, Notice};
use gateway_std::{
    Client, ClientEvent, Dial, Endpoint, FlushErrorKind, Limits, Message, OpenFailure, OpenStep,
    Rate, Sender, Transport,
};
use gateway_tests::{Certificates, Frame, Peer, Served, calm, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use super::{builder, until_ready};

/// More than the kernel's buffers of both sides hold.
const MUCH: usize = 16 << 20;

/// The client of a TLS server on that port.
fn secure<T>(server: &Served<T>, certificates: &Certificates, config: ConfigBuilder) -> Client {
    let port = server.url.rsplit(':').next().unwrap();
    let builder = builder(&format!("wss://localhost:{port}"), config);
    builder.tls(certificates.trusted()).build().unwrap()
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

    client.flush().unwrap();
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
        // Neither reads nor writes from here on.
        std::future::pending::<()>().await;
    });
    let mut limits = Limits::default();
    limits.backlog = 1 << 10;
    let config = calm().heartbeat(HeartbeatKind::Json);
    let builder =
        builder(&server.url, config).limits(limits).send_stall(Duration::from_millis(100));
    let mut client = builder.build().unwrap();
    until_ready(&mut client);
    client.try_send(vec![7; MUCH]).unwrap();

    assert_eq!(
        client.flush().unwrap_err().kind(),
        FlushErrorKind::Stalled,
        "the backlog is full, and so is the peer"
    );

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
    let mut client = builder(&server.url, calm()).build().unwrap();
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
    let mut client = builder(&server.url, calm()).build().unwrap();
    until_ready(&mut client);
    client.try_send(Message::binary(vec![7; MUCH])).unwrap();
    while client.recv_timeout(Duration::from_millis(20)).is_ok() {} // up to where the socket is full

    go.send(()).unwrap();

    client.flush().unwrap();
    assert_eq!(server.join(), MUCH);
}

/// A stream that counts its writes. With each, another thread's message is added to the mailbox.
struct Busy {
    tcp: mio::net::TcpStream,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    sender: OnceLock<Sender>,
    written: AtomicUsize,
    /// Up to where the owner waits.
    awaited: AtomicUsize,
    /// Writes behind that.
    behind: AtomicUsize,
    /// Messages of the other thread.
    added: AtomicUsize,
    /// The most of them, and how long each is.
    most: usize,
    length: usize,
}

impl Write for Busy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.tcp.write(bytes)?;
        let before = self.shared.written.fetch_add(count, Ordering::SeqCst);
        let awaited = self.shared.awaited.load(Ordering::SeqCst);
        if before >= awaited {
            self.shared.behind.fetch_add(1, Ordering::SeqCst);
        }
        if before + count >= awaited {
            self.add();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

impl Busy {
    /// Adds no more than the mailbox holds: it would wait for this very thread.
    fn add(&self) {
        let Some(sender) = self.shared.sender.get() else { return };
        if self.shared.added.fetch_add(1, Ordering::SeqCst) < self.shared.most {
            drop(sender.enqueue(vec![2; self.shared.length]));
        }
    }
}

impl Read for Busy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buffer)
    }
}

impl Transport for Busy {
    fn source(&mut self) -> &mut dyn mio::event::Source {
        &mut self.tcp
    }

    fn shutdown(&mut self) {
        Transport::shutdown(&mut self.tcp);
    }
}

struct BusyDial(Arc<Shared>, std::net::SocketAddr);

impl Dial for BusyDial {
    fn dial(&self, _: &Endpoint) -> Result<Box<dyn Transport>, OpenFailure> {
        let failed = |error| OpenFailure::classify(OpenStep::Connect, &error);
        let tcp = std::net::TcpStream::connect(self.1).map_err(failed)?;
        tcp.set_nonblocking(true).map_err(failed)?;
        let tcp = mio::net::TcpStream::from_std(tcp);
        Ok(Box::new(Busy { tcp, shared: Arc::clone(&self.0) }))
    }
}

/// A client whose other thread adds so many messages, each of that length, and its server, which reads
/// them.
fn busy(config: ConfigBuilder, most: usize, length: usize) -> (Client, Arc<Shared>, Served<()>) {
    let server = serve(async |listener| {
        let mut stream = listener.peer().await.into_stream();
        let mut buffer = vec![0; 1 << 20];
        while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
    });
    let shared = Arc::new(Shared { most, length, ..Shared::default() });
    let address = server.url.trim_start_matches("ws://").parse().unwrap();
    let dial = BusyDial(Arc::clone(&shared), address);
    let mut client = builder(&server.url, config).dial(dial).build().unwrap();
    until_ready(&mut client);
    shared.sender.set(client.sender()).ok().unwrap();
    (client, shared, server)
}

/// The other thread adds a message with each write, so the client always has bytes to write.
#[test]
fn a_ping_leaves_though_another_thread_sends_without_a_pause() {
    const MOST: usize = 100_000;
    let heartbeat = Duration::from_millis(1);
    let config = calm().heartbeat(HeartbeatKind::Ping).heartbeat_interval(heartbeat);
    let (mut client, shared, server) = busy(config, MOST, 10);
    shared.added.store(0, Ordering::SeqCst);

    loop {
        client.try_send("the owner's").unwrap();
        match client.recv().unwrap() {
            ClientEvent::Notice(Notice::PingSent { .. }) => break,
            ClientEvent::Disconnected { cause, .. } => panic!("{cause:?}"),
            _ => {}
        }
    }

    let added = shared.added.load(Ordering::SeqCst);
    assert!(added < MOST, "it left only when the other thread was done");
    drop(client);
    server.join();
}

#[test]
fn a_flush_and_a_send_end_with_their_own_bytes_however_much_other_threads_add() {
    let (mut client, shared, server) = busy(calm(), 8, 100_000);
    // A head of two bytes, a length of eight, a key of four.
    let own = 14 + MUCH;

    shared.awaited.store(shared.written.load(Ordering::SeqCst) + own, Ordering::SeqCst);
    client.try_send(vec![1; MUCH]).unwrap();
    client.flush().unwrap();
    let behind = shared.behind.swap(0, Ordering::SeqCst);
    assert!(behind <= 2, "{behind} writes behind those of the flush");

    // The other thread's messages are written, and then wait once more.
    let all = shared.awaited.load(Ordering::SeqCst) + 8 * (14 + 100_000);
    while shared.written.load(Ordering::SeqCst) < all {
        let _ = client.recv_timeout(Duration::ZERO);
    }
    shared.added.store(0, Ordering::SeqCst);
    shared.behind.store(0, Ordering::SeqCst);
    shared.awaited.store(shared.written.load(Ordering::SeqCst) + own, Ordering::SeqCst);
    client.send(vec![1; MUCH]).unwrap();
    let behind = shared.behind.load(Ordering::SeqCst);
    assert!(behind <= 2, "{behind} writes behind those of the send");

    drop(client);
    server.join();
}

#[test]
fn a_thread_that_waits_for_the_rate_limit_is_not_passed_by_the_clients_own_messages() {
    let server = serve(async |listener| listener.peer().await.rest().await);
    let rate = Rate::new(2, Duration::from_millis(100)).burst(1).reserve(0); // one in 50 ms
    let mut client = builder(&server.url, calm()).rate(rate).build().unwrap();
    until_ready(&mut client);
    client.send("the first token").unwrap();
    let receipt = client.sender().enqueue("of another thread").unwrap();

    let own = client.send("of the client").unwrap();

    assert!(receipt.wait().unwrap().id() < own.id());
}
