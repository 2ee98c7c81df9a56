//! The ledgers of both sides of a connection, compared once both have ended it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A client's record of one of its sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketBook {
    /// The gateway's number for it.
    pub(crate) connection: u64,
    /// Messages with the outcome `sent`, in order.
    pub(crate) sent: Vec<u64>,
    /// Messages with the outcome `maybe_sent`, in order.
    pub(crate) maybe: Vec<u64>,
    /// Messages that came back, in order.
    pub(crate) echoed: Vec<u64>,
    /// How many messages of the gateway were delivered.
    pub(crate) delivered: u64,
    /// Whether the gateway's last bytes ended it. Then everything before them was delivered.
    pub(crate) heard_the_end: bool,
}

impl SocketBook {
    /// An empty record of the socket for this connection of the gateway.
    pub(crate) fn of(connection: u64) -> Self {
        Self { connection, ..Self::default() }
    }

    fn owns(&self, number: u64) -> bool {
        self.sent.binary_search(&number).is_ok() || self.maybe.binary_search(&number).is_ok()
    }
}

/// The gateway's record of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionBook {
    /// Its number.
    pub(crate) connection: u64,
    /// Received messages, in order.
    pub(crate) received: Vec<u64>,
    /// The numbers of received requests.
    pub(crate) asked: Vec<u64>,
    /// Whether the gateway read up to the client's end of the stream.
    pub(crate) is_clean: bool,
    /// How many messages were written before a final Close frame or protocol error; `None` without one.
    pub(crate) written: Option<u64>,
    /// How it ended, for debugging.
    pub(crate) how: String,
}

/// A client's record of a request that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) number: u64,
    /// Whether it may be sent again.
    pub(crate) is_idempotent: bool,
    /// Whether the client says that no byte of it was sent.
    pub(crate) is_unsent: bool,
}

/// The records of every client since the last comparison.
#[derive(Debug)]
pub(crate) struct Ledger {
    pages: Vec<Mutex<Page>>,
    wrong: Mutex<Wrong>,
}

#[derive(Debug, Default)]
struct Page {
    sockets: Vec<SocketBook>,
    connections: Vec<ConnectionBook>,
    asks: Vec<Ask>,
    /// The requests before the last comparison: the connection of the calm may have got some.
    earlier: Vec<Ask>,
}

/// The errors, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrong {
    /// The first errors, as text.
    pub(crate) told: Vec<String>,
    /// How many.
    pub(crate) count: u64,
    /// Messages that must have come, but did not.
    pub(crate) lost: u64,
    /// Messages that came twice.
    pub(crate) doubled: u64,
    /// What the testkit's checker found.
    pub(crate) violations: u64,
}

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lost,
    Doubled,
    Violation,
    Other,
}

/// This many errors have a text. Further ones are only counted.
const TOLD: usize = 20;

impl Ledger {
    pub(crate) fn new(clients: usize) -> Self {
        Self { pages: (0..clients).map(|_| Mutex::default()).collect(), wrong: Mutex::default() }
    }

    /// A client has left a socket.
    pub(crate) fn left(&self, client: usize, book: SocketBook) {
        lock(&self.pages[client]).sockets.push(book);
    }

    /// A request of a client has ended.
    pub(crate) fn asked(&self, client: usize, ask: Ask) {
        lock(&self.pages[client]).asks.push(ask);
    }

    /// The gateway has ended a connection.
    pub(crate) fn ended(&self, client: usize, book: ConnectionBook) {
        lock(&self.pages[client]).connections.push(book);
    }

    /// Records an error.
    pub(crate) fn wrong(&self, kind: Kind, what: String) {
        let mut wrong = lock(&self.wrong);
        wrong.count += 1;
        match kind {
            Kind::Lost => wrong.lost += 1,
            Kind::Doubled => wrong.doubled += 1,
            Kind::Violation => wrong.violations += 1,
            Kind::Other => {}
        }
        if wrong.told.len() < TOLD {
            wrong.told.push(what);
        }
    }

    pub(crate) fn all_wrong(&self) -> Wrong {
        lock(&self.wrong).clone()
    }

    /// Compares the records of all connections, and removes them. Each must have ended.
    pub(crate) fn judge_all(&self) {
        self.judge((0..self.pages.len()).map(|_| u64::MAX));
    }

    /// Compares and removes the records of each client's connections below its bound, which must have ended on
    /// both sides. Later ones wait for the next comparison, because the other side may not know their end yet.
    pub(crate) fn judge(&self, bounds: impl IntoIterator<Item = u64>) {
        for (client, (page, below)) in self.pages.iter().zip(bounds).enumerate() {
            let page = lock(page).take_below(below);
            for (kind, what) in findings(&page) {
                self.wrong(kind, format!("client {client}: {what}"));
            }
        }
    }
}

impl Page {
    fn take_below(&mut self, bound: u64) -> Self {
        let sockets = self.sockets.extract_if(.., |book| book.connection < bound).collect();
        let connections = self.connections.extract_if(.., |book| book.connection < bound).collect();
        // The soak's own memory after a storm must not look like growth of the clients.
        self.sockets.shrink_to_fit();
        self.connections.shrink_to_fit();
        let asks = std::mem::take(&mut self.asks);
        let earlier = std::mem::replace(&mut self.earlier, asks.clone());
        Self { sockets, connections, asks, earlier }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The join reports a thread that panicked. The records are still read.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn findings(page: &Page) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut sockets: HashMap<u64, &SocketBook> = HashMap::new();
    for socket in &page.sockets {
        if sockets.insert(socket.connection, socket).is_some() {
            let what = format!("two sockets got ready on connection {}", socket.connection);
            found.push((Kind::Other, what));
        }
    }
    judge_requests(page, &mut found);
    for connection in &page.connections {
        let id = connection.connection;
        match sockets.remove(&id) {
            Some(socket) => compare(connection, socket, &mut found),
            None if connection.received.is_empty() => {}
            None => {
                let what = format!(
                    "connection {id} received {:?} .., which no socket has sent: rejected, or never taken",
                    connection.received[0]
                );
                found.push((Kind::Other, what));
            }
        }
    }
    for id in sockets.keys() {
        found.push((Kind::Other, format!("the gateway has no record of connection {id}")));
    }
    found
}

/// Each received request was made, and none that was not idempotent came twice.
fn judge_requests(page: &Page, found: &mut Vec<(Kind, String)>) {
    let asks: HashMap<u64, &Ask> =
        page.earlier.iter().chain(&page.asks).map(|ask| (ask.number, ask)).collect();
    let mut came = HashSet::new();
    for connection in &page.connections {
        for number in &connection.asked {
            let is_again = !came.insert(*number);
            match asks.get(number) {
                None => {
                    let what = format!("request {number} came, and has not ended");
                    found.push((Kind::Other, what));
                }
                Some(ask) if ask.is_unsent => {
                    let what = format!("request {number} came, and counts as not sent");
                    found.push((Kind::Other, what));
                }
                Some(ask) if is_again && !ask.is_idempotent => {
                    found.push((Kind::Doubled, format!("request {number} came twice")));
                }
                Some(_) => {}
            }
        }
    }
}

fn compare(connection: &ConnectionBook, socket: &SocketBook, found: &mut Vec<(Kind, String)>) {
    let id = connection.connection;
    let received = &connection.received;
    let has_come: HashSet<u64> = received.iter().copied().collect();
    for pair in received.windows(2).filter(|pair| pair[0] >= pair[1]) {
        let kind = if received.iter().filter(|one| **one == pair[1]).count() > 1 {
            Kind::Doubled
        } else {
            Kind::Other
        };
        found.push((kind, format!("connection {id} received {} after {}", pair[1], pair[0])));
    }
    for number in received.iter().filter(|number| !socket.owns(**number)) {
        let what =
            format!("connection {id} received {number}, which is neither sent nor maybe_sent");
        found.push((Kind::Other, what));
    }
    // TCP keeps the order: everything sent before a received message was received too.
    let last = received.last().copied();
    let must_have_come =
        |number: u64| connection.is_clean || last.is_some_and(|last| number <= last);
    for number in socket.sent.iter().filter(|number| must_have_come(**number)) {
        if !has_come.contains(number) {
            let how = if connection.is_clean { "cleanly ended" } else { "cut" };
            found.push((
                Kind::Lost,
                format!(
                    "{number} was sent on {how} connection {id}, and never came: {} sent up to {:?}, {} maybe, {} came \
                     up to {last:?}; {}",
                    socket.sent.len(),
                    socket.sent.last(),
                    socket.maybe.len(),
                    received.len(),
                    connection.how,
                ),
            ));
        }
    }
    for number in socket.echoed.iter().filter(|number| !has_come.contains(number)) {
        found.push((Kind::Other, format!("{number} came back on connection {id}, but never came")));
    }
    if let Some(written) = connection.written
        && socket.heard_the_end
        && socket.delivered != written
    {
        let what = format!(
            "connection {id}: of {written} messages before the final frame {} were delivered",
            socket.delivered
        );
        found.push((Kind::Lost, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(change: impl FnOnce(&mut SocketBook, &mut ConnectionBook)) -> Vec<(Kind, String)> {
        let mut socket = SocketBook {
            connection: 9,
            sent: vec![1, 2, 3],
            maybe: vec![4],
            echoed: vec![1, 2],
            delivered: 3,
            heard_the_end: true,
        };
        let mut connection = ConnectionBook {
            connection: 9,
            received: vec![1, 2, 3],
            asked: vec![7],
            is_clean: true,
            written: Some(3),
            how: String::new(),
        };
        change(&mut socket, &mut connection);
        let asks = vec![Ask { number: 7, is_idempotent: false, is_unsent: false }];
        let connections = vec![connection];
        findings(&Page { sockets: vec![socket], connections, asks, earlier: Vec::new() })
    }

    fn kinds(change: impl FnOnce(&mut SocketBook, &mut ConnectionBook)) -> Vec<Kind> {
        judged(change).into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn books_that_agree_find_nothing() {
        assert_eq!(kinds(|_, _| {}), []);
        assert_eq!(kinds(|_, connection| connection.received.push(4)), []);
    }

    #[test]
    fn a_request_that_comes_twice_or_uncalled_for_is_wrong() {
        assert_eq!(kinds(|_, connection| connection.asked.push(7)), [Kind::Doubled]);
        assert_eq!(kinds(|_, connection| connection.asked.push(8)), [Kind::Other]);
    }

    #[test]
    fn a_request_that_was_not_sent_must_not_come() {
        let connection = ConnectionBook { asked: vec![7], ..ConnectionBook::default() };
        let ask = |is_idempotent, is_unsent| Ask { number: 7, is_idempotent, is_unsent };
        let judged = |ask| {
            let connections = vec![connection.clone(), connection.clone()];
            let earlier = vec![ask];
            let page = Page { connections, earlier, ..Page::default() };
            findings(&page).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>()
        };
        assert_eq!(judged(ask(true, false)), []);
        assert_eq!(judged(ask(true, true)), [Kind::Other, Kind::Other]);
    }

    #[test]
    fn a_socket_that_loses_everything_is_found() {
        let everything = |socket: &mut SocketBook, connection: &mut ConnectionBook| {
            *socket = SocketBook { sent: vec![1, 2], maybe: vec![3], ..SocketBook::of(9) };
            connection.received.clear();
        };
        assert_eq!(kinds(everything), [Kind::Lost, Kind::Lost]);
    }

    #[test]
    fn a_connection_that_ended_since_the_calm_is_left_to_the_next_judgement() {
        let ledger = Ledger::new(1);
        ledger.left(0, SocketBook::of(9)); // the gateway has not ended it yet
        ledger.judge([9]);
        assert_eq!(ledger.all_wrong().count, 0);
        ledger.judge([10]);
        assert_eq!(
            ledger.all_wrong().told,
            ["client 0: the gateway has no record of connection 9"]
        );
    }

    #[test]
    fn what_was_sent_and_never_came_is_lost() {
        assert_eq!(kinds(|socket, _| socket.sent = vec![1, 2, 3, 5]), [Kind::Lost]);
        let cut = |received: &[u64]| {
            let received = received.to_vec();
            kinds(|socket, connection| {
                socket.echoed.clear();
                *connection = ConnectionBook { received, is_clean: false, ..connection.clone() };
            })
        };
        assert_eq!(cut(&[1]), [], "a cut may lose the rest");
        assert_eq!(cut(&[1, 3]), [Kind::Lost], "but nothing before what came");
    }

    #[test]
    fn what_comes_twice_or_uncalled_for_is_wrong() {
        assert_eq!(kinds(|_, connection| connection.received = vec![1, 2, 2, 3]), [Kind::Doubled]);
        assert_eq!(kinds(|_, connection| connection.received.push(7)), [Kind::Other]);
        assert_eq!(kinds(|socket, _| socket.echoed.push(4)), [Kind::Other]);
        assert_eq!(kinds(|socket, _| socket.delivered = 2), [Kind::Lost]);
        assert_eq!(kinds(|socket, _| socket.connection = 8), [Kind::Other, Kind::Other]);
    }
}
