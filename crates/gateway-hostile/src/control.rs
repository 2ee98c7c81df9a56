//! The control of a running server: orders to its connections, its listener, its counters.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::watch;

use crate::{
    accepting::{AcceptLimit, AcceptQueue},
    clock::Stopwatch,
    logins::Logins,
    options::Options,
    record::{Pen, Record},
    script::{Ending, Opening, Pace, Script},
};

/// The opening of connections after [`Control::accept_then_drop`].
static ACCEPT_THEN_DROP: Opening =
    Opening::Upgrade { pace: Pace::AtOnce, steps: &[], end: Ending::Finish };

/// A handle that causes faults on a running server. Clones control the same server.
#[derive(Clone, Debug)]
pub struct Control(Arc<Shared>);

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// TCP connections accepted.
    pub connections: u64,
    /// Connections upgraded to WebSocket.
    pub upgrades: u64,
    /// Messages echoed.
    pub echoes: u64,
    /// Application-level pings answered, correctly or not.
    pub pongs: u64,
    /// Connections reset because the queue of an [`AcceptLimit`] was full.
    pub refused: u64,
    /// Connections whose client had left before their turn in the queue of an [`AcceptLimit`].
    pub abandoned: u64,
}

/// An order to every open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Drop,
    GoSilent,
    Restart,
    ShutDown,
}

/// State that the server, its connections and its controls share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) logins: Logins,
    /// Started with the server: the clock of the dialects.
    pub(crate) clock: Stopwatch,
    pub(crate) counters: Counters,
    /// Set if a client is judged.
    record: OnceLock<Arc<Record>>,
    orders: watch::Sender<Option<Order>>,
    refusing: watch::Sender<bool>,
    listening: watch::Sender<bool>,
    accepts: Mutex<Option<Arc<AcceptQueue>>>,
    to_drop: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) upgrades: AtomicU64,
    pub(crate) echoes: AtomicU64,
    pub(crate) pongs: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) abandoned: AtomicU64,
}

/// The orders since a connection was accepted.
#[derive(Debug)]
pub(crate) struct Orders(watch::Receiver<Option<Order>>);

impl Control {
    /// Resets the TCP connection of every client.
    pub fn drop_all(&self) {
        self.0.order(Order::Drop);
    }

    /// Makes every open connection half-open: the server neither reads nor writes on it again, until the
    /// client ends TCP, or [`drop_all`](Self::drop_all). Later connections work normally.
    pub fn go_silent(&self) {
        self.0.order(Order::GoSilent);
    }

    /// Closes every connection with 1012, like a restarting server. Silent ones stay silent.
    pub fn restart(&self) {
        self.0.order(Order::Restart);
    }

    /// Refuses connections, or accepts them again. Open ones stay open, and the port stays reserved.
    /// Returns when the listener has changed, or the server has ended.
    pub async fn refuse(&self, refuse: bool) {
        let mut listening = self.0.listening.subscribe();
        self.0.refuse(refuse);
        tokio::select! {
            // Never fails, because `self` holds the sender.
            _ = listening.wait_for(|listening| *listening != refuse) => {}
            () = self.0.refusing.closed() => {}
        }
    }

    /// Upgrades each of the next `connections` connections, then ends TCP at once.
    pub fn accept_then_drop(&self, connections: u64) {
        self.0.to_drop.store(connections, Relaxed);
    }

    /// Limits how many connections the server accepts in a second, or ends the limit. Connections
    /// that wait for an earlier limit keep it.
    pub fn limit_accepts(&self, limit: Option<AcceptLimit>) {
        *self.0.accepts.lock().unwrap_or_else(PoisonError::into_inner) = queue_of(limit);
    }

    /// What the server has done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let counters = &self.0.counters;
        Tally {
            connections: counters.connections.load(Relaxed),
            upgrades: counters.upgrades.load(Relaxed),
            echoes: counters.echoes.load(Relaxed),
            pongs: counters.pongs.load(Relaxed),
            refused: counters.refused.load(Relaxed),
            abandoned: counters.abandoned.load(Relaxed),
        }
    }
}

impl From<Arc<Shared>> for Control {
    fn from(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            logins: Logins::new(options.logins.clone()),
            accepts: Mutex::new(queue_of(options.accepts)),
            clock: Stopwatch::start(),
            options,
            counters: Counters::default(),
            record: OnceLock::new(),
            orders: watch::Sender::new(None),
            refusing: watch::Sender::new(false),
            listening: watch::Sender::new(true),
            to_drop: AtomicU64::new(0),
        }
    }

    /// Begins the record of what clients do, or returns the one that has begun.
    pub(crate) fn record(&self) -> &Arc<Record> {
        self.record.get_or_init(Record::begin)
    }

    /// A pen for a new connection, if a client is judged.
    pub(crate) fn pen(&self) -> Option<Pen> {
        self.record.get()?.pen()
    }

    /// Closes every connection with 1012, and refuses new ones until [`refuse`](Self::refuse).
    pub(crate) fn restart(&self) {
        self.refuse(true);
        self.order(Order::Restart);
    }

    /// The queue for a new connection, if the accepts are limited.
    pub(crate) fn accept_queue(&self) -> Option<Arc<AcceptQueue>> {
        self.accepts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests to refuse or accept connections. It takes effect a moment later.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.refusing.send_replace(refuse);
    }

    pub(crate) fn order(&self, order: Order) {
        self.orders.send_replace(Some(order));
    }

    pub(crate) fn orders(&self) -> Orders {
        Orders(self.orders.subscribe())
    }

    /// Whether to refuse connections. Only for the server: dropping it means that the server has ended.
    pub(crate) fn refusing(&self) -> watch::Receiver<bool> {
        self.refusing.subscribe()
    }

    /// Wakes [`Control::refuse`] once the listener has changed.
    pub(crate) fn set_listening(&self, listening: bool) {
        self.listening.send_replace(listening);
    }

    /// The opening of the connection with this number; the first has number 0.
    pub(crate) fn opening(&self, number: u64) -> &'static Opening {
        let is_to_drop =
            self.to_drop.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).is_ok();
        let is_faulty = self.options.faults.is_none_or(|faults| number < faults);
        match (is_to_drop, is_faulty) {
            (true, _) => &ACCEPT_THEN_DROP,
            (false, true) => &self.options.script.opening,
            (false, false) => &Script::ECHO.opening,
        }
    }
}

fn queue_of(limit: Option<AcceptLimit>) -> Option<Arc<AcceptQueue>> {
    limit.map(|limit| Arc::new(AcceptQueue::new(limit)))
}

impl Orders {
    /// The next order. Cancel-safe. Of several at one instant it returns only the last.
    pub(crate) async fn next(&mut self) -> Order {
        loop {
            if self.0.changed().await.is_err() {
                return Order::ShutDown;
            }
            if let Some(order) = *self.0.borrow_and_update() {
                return order;
            }
        }
    }

    /// Waits for that order. Cancel-safe.
    pub(crate) async fn until(&mut self, order: Order) {
        while self.next().await != order {}
    }
}
