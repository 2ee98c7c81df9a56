//! A server that counts: when each connection came, and how many messages.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::clock::Stopwatch;

/// What the server has seen. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    clock: Stopwatch,
    /// When each connection came.
    opens: Arc<Mutex<Vec<Duration>>>,
    messages: Arc<AtomicUsize>,
}

impl Seen {
    pub(crate) fn new(clock: Stopwatch) -> Self {
        Self { clock, opens: Arc::default(), messages: Arc::default() }
    }

    pub(crate) fn messages(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// The most connections that came in any second since `from`.
    pub(crate) fn most_in_a_second(&self, from: Duration) -> usize {
        let opens = self.opens.lock().unwrap_or_else(PoisonError::into_inner);
        let opens: Vec<_> = opens.iter().filter(|at| **at >= from).collect();
        let within = |first: &Duration| {
            let end = opens.partition_point(|at| **at < *first + Duration::from_secs(1));
            end - opens.partition_point(|at| *at < first)
        };
        opens.iter().map(|first| within(first)).max().unwrap_or(0)
    }

    async fn serve(self, stream: TcpStream) {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                self.messages.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A server that runs until it is dropped, which resets all its connections.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(address: SocketAddr, seen: Seen) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(4_096)?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(accept(listener, seen)) })
    }

    /// Drops all connections, and waits until the port is free.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await; // it was aborted
    }
}

async fn accept(listener: TcpListener, seen: Seen) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let now = seen.clock.elapsed();
        seen.opens.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        connections.spawn(seen.clone().serve(stream));
        while connections.try_join_next().is_some() {}
    }
}
