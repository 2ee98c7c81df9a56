//! A thousand blocking clients in one process survive a restart of their server, and leave nothing
//! open.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use gateway_std::Client;
use gateway_std::core::{CloseFrame, Config};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use gateway_tests::{Frame, Peer};

const CLIENTS: usize = 1_000;

/// Each client has a socket, a poller and a waker; the server a socket each.
const FILES: u64 = 4 * CLIENTS as u64 + 200;

#[test]
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn a_thousand_clients_live_through_a_restart() {
    let _alone = super::alone();
    if !raise_file_limit() {
        println!("SKIPPED a_thousand_clients: the hard limit of open files is below {FILES}");
        return;
    }
    drop(runtime()); // the first of a process may leave its signals' pipe open for the others
    let before = open_files();
    let (address, stop, server) = start_server();
    let all = Arc::new(Barrier::new(CLIENTS + 1));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let all = Arc::clone(&all);
            let small = thread::Builder::new().stack_size(256 << 10);
            small.spawn(move || live(number as u64, address, &all)).expect("a thread")
        })
        .collect();

    all.wait(); // every client is ready
    let first = stop.send_replace(Phase::Restart);
    all.wait(); // every client is ready again
    let opened: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    stop.send_replace(Phase::Over);
    server.join().unwrap();

    assert_eq!(first, Phase::First);
    // One more where a client was back before the old server had stopped to accept.
    assert!(opened.iter().all(|opened| matches!(opened, 2 | 3)), "{opened:?}");
    assert_eq!(open_files(), before);
}

/// Ready, dropped by the restart, ready again, closed. Returns how many sockets it opened.
fn live(seed: u64, address: SocketAddr, all: &Barrier) -> u64 {
    let config = Config::builder()
        .initial_delay(Duration::from_millis(20))
        .max_delay(Duration::from_millis(500))
        .build()
        .unwrap();
    let mut client =
        Client::builder(format!("ws://{address}")).config(config).seed(seed).build().unwrap();
    until(&mut client, |client| client.is_ready());
    all.wait();
    until(&mut client, |client| !client.is_ready());
    until(&mut client, |client| client.is_ready());
    all.wait();
    client.close(CloseFrame::NORMAL);
    while client.recv().is_some() {}
    assert_eq!(client.gave_up(), None);
    client.statistics().opened
}

fn until(client: &mut Client, done: impl Fn(&Client) -> bool) {
    while !done(client) {
        assert!(client.recv().is_some(), "closed before its time: {:?}", client.gave_up());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    First,
    Restart,
    Over,
}

/// A server that restarts when it is told to: it closes every connection with 1012 and its listening socket, and listens again
/// on the same port when all are gone.
fn start_server() -> (SocketAddr, watch::Sender<Phase>, thread::JoinHandle<()>) {
    let (stop, phase) = watch::channel(Phase::First);
    let (told, address) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        runtime().block_on(async {
            let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            let address = listener.local_addr().unwrap();
            told.send(address).unwrap();
            run(listener, phase.clone(), Phase::First).await;
            run(listen(address), phase, Phase::Restart).await;
        });
    });
    (address.recv().unwrap(), stop, server)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(1_024).unwrap()
}

/// Serves until the phase is over; then every connection ends.
async fn run(listener: TcpListener, phase: watch::Receiver<Phase>, mine: Phase) {
    let mut connections = JoinSet::new();
    let mut own = phase.clone();
    loop {
        // Cancel-safe: an accept is made or not, a change is seen or stays.
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                let mut phase = phase.clone();
                connections.spawn(async move {
                    let mut peer = Peer::accept(stream).await;
                    let restarts = tokio::select! {
                        () = peer.echo() => false,
                        _ = phase.wait_for(|now| *now != mine) => true,
                    };
                    if restarts {
                        peer.send(Frame::close(1012, "restart")).await;
                        let _ = peer.rest().await;
                    }
                });
            }
            _ = own.wait_for(|now| *now != mine) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Raises the soft limit of open files; says whether that is enough.
fn raise_file_limit() -> bool {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= FILES) {
        return true;
    }
    if maximum.is_some_and(|maximum| maximum < FILES) {
        return false;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum }).is_ok()
}

/// How many files this process has open; 0 if the system does not report it.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
