//! The order in which a host's addresses are tried, and the delay between two of them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::session::SocketEnd;

/// The delay before the next address is tried while the connect to the one before is still pending:
/// 250 ms ([RFC 8305 section 5](https://www.rfc-editor.org/rfc/rfc8305#section-5)).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Alternates between IPv4 and IPv6, starting with the resolver's first address ([RFC 8305 section
/// 4](https://www.rfc-editor.org/rfc/rfc8305#section-4)).
#[must_use]
pub fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(first.len() + second.len());
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return turns;
        }
        turns.extend(pair.0);
        turns.extend(pair.1);
    }
}

/// The most failed addresses that are remembered for one host.
const REMEMBERED: usize = 16;

/// Remembers which addresses of a host failed after their TCP connect. The next attempt tries them
/// last.
///
/// A driver keeps one book for each client. It sorts each attempt's addresses with
/// [`order`](Self::order), reports its TCP connects, and reports how the socket
/// [ended](Self::ended). The book remembers failed addresses until a connection was stable.
#[derive(Clone, Debug, Default)]
pub struct AddressBook {
    /// The address of the current socket, or the addresses with a pending TCP connect.
    in_use: Vec<SocketAddr>,
    /// The oldest failure comes first.
    failed: Vec<SocketAddr>,
}

impl AddressBook {
    /// Starts an attempt. Call this before its addresses are known.
    pub fn begin(&mut self) {
        self.in_use.clear();
    }

    /// Returns the order in which an attempt tries `addresses`: [interleaved](interleave), with
    /// failed addresses last.
    #[must_use]
    pub fn order(&self, addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let mut ordered = interleave(addresses);
        // The sort is stable, so addresses that have not failed keep their order.
        ordered.sort_by_key(|address| self.failed.iter().position(|failed| failed == address));
        ordered
    }

    /// Records that a TCP connect to `address` was started.
    pub fn connecting(&mut self, address: SocketAddr) {
        if self.in_use.len() < REMEMBERED {
            self.in_use.push(address);
        }
    }

    /// Records that the TCP connect to `address` failed. The book does not remember this failure,
    /// because the attempt itself goes on to the next address.
    pub fn connect_failed(&mut self, address: SocketAddr) {
        self.in_use.retain(|in_use| *in_use != address);
    }

    /// Records that TCP connected to `address`. The later end of the socket counts for this
    /// address.
    pub fn connected(&mut self, address: SocketAddr) {
        self.in_use.clear();
        self.in_use.push(address);
    }

    /// Records how the attempt or its socket ended.
    pub fn ended(&mut self, end: SocketEnd) {
        match end {
            SocketEnd::Unstable => {
                for address in self.in_use.drain(..) {
                    self.failed.retain(|failed| *failed != address);
                    self.failed.push(address);
                }
                let forgotten = self.failed.len().saturating_sub(REMEMBERED);
                self.failed.drain(..forgotten);
            }
            SocketEnd::Stable => self.failed.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 1))
    }

    /// An attempt that connects to this address and ends with `end`.
    fn attempt(book: &mut AddressBook, at: SocketAddr, end: SocketEnd) {
        book.begin();
        book.connecting(at);
        book.connected(at);
        book.ended(end);
    }

    #[test]
    fn an_address_that_failed_is_tried_last_and_the_one_that_failed_longest_ago_before_others() {
        let all: Vec<_> = (1..=4).map(address).collect();
        let mut book = AddressBook::default();

        attempt(&mut book, address(1), SocketEnd::Unstable);
        assert_eq!(book.order(all.clone()), [2, 3, 4, 1].map(address));
        attempt(&mut book, address(2), SocketEnd::Unstable);
        assert_eq!(book.order(all.clone()), [3, 4, 1, 2].map(address));
        attempt(&mut book, address(1), SocketEnd::Unstable);
        assert_eq!(book.order(all.clone()), [3, 4, 2, 1].map(address));

        attempt(&mut book, address(3), SocketEnd::Stable);
        assert_eq!(book.order(all.clone()), all);
    }

    #[test]
    fn an_attempt_without_an_address_and_one_that_tcp_refused_mark_none() {
        let all = vec![address(1), address(2)];
        let mut book = AddressBook::default();
        book.begin();
        book.ended(SocketEnd::Unstable);

        book.begin();
        book.connecting(address(1));
        book.connect_failed(address(1));
        book.ended(SocketEnd::Unstable);
        assert_eq!(book.order(all.clone()), all);

        attempt(&mut book, address(2), SocketEnd::Unstable);
        book.begin(); // the name is not resolved
        book.ended(SocketEnd::Unstable);
        assert_eq!(
            book.order(all.clone()),
            all,
            "the address of the attempt before stays as it is"
        );
    }

    #[test]
    fn every_address_that_never_answered_within_the_deadline_is_tried_after_those_not_yet_tried() {
        let all: Vec<_> = (1..=4).map(address).collect();
        let mut book = AddressBook::default();
        book.begin();
        book.connecting(address(1));
        book.connecting(address(2));
        book.ended(SocketEnd::Unstable);
        assert_eq!(book.order(all), [3, 4, 1, 2].map(address));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_failure_is_forgotten_first() {
        let all: Vec<_> = (1..=200).map(address).collect();
        let mut book = AddressBook::default();
        for last in 1..=17 {
            attempt(&mut book, address(last), SocketEnd::Unstable);
        }
        let ordered = book.order(all.clone());
        assert_eq!((ordered[0], ordered[199]), (address(1), address(17)));
        assert_eq!(book.failed.len(), REMEMBERED);

        book.begin();
        all.iter().for_each(|address| book.connecting(*address));
        assert_eq!(book.in_use.len(), REMEMBERED);
    }

    #[test]
    fn families_take_turns_and_the_resolvers_choice_goes_first() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let list = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(parse).to_vec();
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(parse).to_vec();
        assert_eq!(interleave(list), expected);
        assert_eq!(interleave(Vec::new()), Vec::new());
    }
}
