//! The hostile gateway's listening sockets, one per client, so that each attempt has a known
//! client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use crate::clock;
use crate::draws::{Draws, Purpose};
use crate::ledger::Kind;
use crate::plan::{Fault, Opening, plan};
use crate::serving::serve;
use crate::shared::{Phase, Shared, Slot};

/// A port that is still somebody else's after so long is not coming back: the client's soak is over.
const TAKEN_BOUND: Duration = Duration::from_secs(20);

/// Listens at this address; port 0 for a free one.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Little room, and small segments, by which the client's kernel measures its own: a gateway that does not read is felt at once,
    // and not after megabytes.
    socket.set_recv_buffer_size(8 << 10)?;
    #[cfg(unix)]
    socket2::SockRef::from(&socket).set_tcp_mss(1_000)?;
    socket.bind(address)?;
    socket.listen(64)
}

/// Takes one client's attempts until the soak is over.
pub(crate) async fn attend(shared: Arc<Shared>, slot: Arc<Slot>, mut listener: TcpListener) {
    let mut phase = shared.phase.subscribe();
    loop {
        let now = *phase.borrow_and_update();
        if now == Phase::Over {
            return;
        }
        let attempt = slot.attempts.load(Relaxed);
        let next = Some(plan(shared.seed, slot.place, attempt)).filter(|_| now == Phase::Storm);
        if let Some(next) = &next
            && next.opening == Some(Opening::Refuse)
        {
            // To be refused the client must be away.
            let mut open = slot.open.subscribe();
            tokio::select! {
                _ = open.wait_for(|open| *open == 0) => {}
                _ = phase.changed() => continue,
            }
            drop(listener);
            shared.counts(slot.driver).fault(Fault::Opening(Opening::Refuse));
            slot.attempts.fetch_add(1, Relaxed);
            clock::wait(Draws::of(Purpose::Connection, next.seed, 0, 0).millis(100..600)).await;
            match listen_again(slot.address).await {
                Ok(again) => listener = again,
                Err(error) => {
                    let (client, address) = (slot.index, slot.address);
                    let what =
                        format!("client {client}: nobody can listen at {address} again: {error}");
                    shared.ledger.wrong(Kind::Other, what);
                    return;
                }
            }
            continue;
        }
        // Cancel-safe: an accept is made or not, a change is seen or stays.
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue, // reset before it was taken
            },
            _ = phase.changed() => continue,
        };
        if next.is_some() {
            slot.attempts.fetch_add(1, Relaxed);
        }
        // In the order in which they are taken: who comes later has the greater number.
        let id = shared.connections.fetch_add(1, Relaxed) + 1;
        slot.open.send_modify(|open| *open += 1);
        let (shared, slot) = (Arc::clone(&shared), Arc::clone(&slot));
        tokio::spawn(async move {
            serve(&shared, &slot, id, stream, next).await;
            slot.open.send_modify(|open| *open -= 1);
        });
    }
}

/// The port is one of those that the system gives to sockets that connect: somebody may have it for a while.
async fn listen_again(address: SocketAddr) -> io::Result<TcpListener> {
    let until = clock::now() + TAKEN_BOUND;
    loop {
        match listen(address) {
            Err(_) if clock::now() < until => clock::wait(Duration::from_millis(20)).await,
            listener => return listener,
        }
    }
}
