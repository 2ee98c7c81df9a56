//! Connects over TCP to the first of a host's addresses that answers, without blocking.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::vec;

use gateway_core::Instant;
use gateway_wire::{ATTEMPT_DELAY, AddressBook};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// The pending connects. Each address is tried when the connect before it has failed, or is late
/// ([RFC 8305 section 5](https://www.rfc-editor.org/rfc/rfc8305#section-5)).
pub(crate) struct Race {
    waiting: vec::IntoIter<SocketAddr>,
    trying: Vec<(SocketAddr, TcpStream)>,
    /// When the next address is tried, even if none has failed.
    next_at: Instant,
    failure: io::Error,
}

impl Race {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            waiting: addresses.into_iter(),
            trying: Vec::new(),
            next_at: Instant::ZERO,
            failure: io::ErrorKind::AddrNotAvailable.into(),
        }
    }

    /// When the race must be polled again at the latest.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        (self.waiting.len() > 0).then_some(self.next_at)
    }

    /// Returns the first stream that is connected, or the last error if all connects failed.
    /// Reports the connects to `book`.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        registry: &Registry,
        token: Token,
        book: &mut AddressBook,
    ) -> Poll<io::Result<TcpStream>> {
        let mut index = 0;
        while index < self.trying.len() {
            match state_of(&self.trying[index].1) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(())) => {
                    let (address, stream) = self.trying.swap_remove(index);
                    book.connected(address);
                    return Poll::Ready(Ok(stream));
                }
                Poll::Ready(Err(error)) => {
                    self.failure = error;
                    let (address, _) = self.trying.swap_remove(index);
                    book.connect_failed(address);
                    self.next_at = now;
                }
            }
        }
        while self.trying.is_empty() || now >= self.next_at {
            let Some(address) = self.waiting.next() else { break };
            match start(address, registry, token) {
                Ok(stream) => {
                    book.connecting(address);
                    self.trying.push((address, stream));
                    self.next_at = now.saturating_add(ATTEMPT_DELAY);
                }
                Err(error) => self.failure = error,
            }
        }
        if self.trying.is_empty() {
            let failure = std::mem::replace(&mut self.failure, io::ErrorKind::Other.into());
            return Poll::Ready(Err(failure));
        }
        Poll::Pending
    }
}

fn start(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

/// Whether a connect has ended, and its result.
fn state_of(stream: &TcpStream) -> Poll<io::Result<()>> {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => return Poll::Ready(Err(error)),
        Ok(None) => {}
    }
    match stream.peer_addr() {
        Ok(_) => Poll::Ready(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Waits for the race's end. The clock stands still, so no address is tried because another one
    /// is late.
    fn run(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
        let mut poll = mio::Poll::new()?;
        let mut events = mio::Events::with_capacity(8);
        let (mut race, mut book) = (Race::new(addresses), AddressBook::default());
        loop {
            let (now, registry) = (Instant::ZERO, poll.registry());
            if let Poll::Ready(outcome) = race.poll(now, registry, Token(1), &mut book) {
                return outcome;
            }
            poll.poll(&mut events, None)?;
        }
    }

    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() // dropped, and so closed
    }

    #[test]
    fn an_address_that_refuses_is_followed_by_the_next_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = run(vec![refusing(), refusing(), address]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[test]
    fn where_all_refuse_the_last_failure_is_told() {
        let error = run(vec![refusing(), refusing()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(run(Vec::new()).unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn an_address_that_is_late_is_not_waited_for_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let poll = mio::Poll::new().unwrap();
        let mut race = Race::new(vec![address, address]);
        assert_eq!(race.next_at(), Some(Instant::ZERO));
        let _ = race.poll(Instant::ZERO, poll.registry(), Token(1), &mut AddressBook::default());
        assert_eq!(race.next_at(), Some(Instant::ZERO.saturating_add(ATTEMPT_DELAY)));
    }
}
