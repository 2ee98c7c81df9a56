//! The steering of a running server: orders to its connections, its door, its counters.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::sync::watch;

use super::{
    Options, Script,
    ending::Ending,
    record::{Pen, Record},
    script::{Opening, Pace},
};

/// What is done to a connection that [`Control::accept_then_drop`] has asked for.
static ACCEPT_THEN_DROP: Opening =
    Opening::Upgrade { pace: Pace::AtOnce, steps: &[], end: Ending::Finish };

/// A handle that makes faults happen on a running server. Cloned freely; each clone steers the
/// same server.
#[derive(Clone, Debug)]
pub(crate) struct Control(Arc<Shared>);

/// What a server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// TCP connections accepted, whatever became of them.
    pub(crate) connections: u64,
    /// Connections upgraded to WebSocket.
    pub(crate) upgrades: u64,
    /// Messages echoed.
    pub(crate) echoes: u64,
    /// Application-level pings answered, wrongly or rightly.
    pub(crate) pongs: u64,
}

/// An order to every connection that is open when it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Drop,
    GoSilent,
    Restart,
    ShutDown,
}

/// What the server, its connections and its controls have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) counters: Counters,
    /// Where a client is judged.
    record: Option<Arc<Record>>,
    orders: watch::Sender<Option<Order>>,
    refusing: watch::Sender<bool>,
    listening: watch::Sender<bool>,
    to_drop: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) upgrades: AtomicU64,
    pub(crate) echoes: AtomicU64,
    pub(crate) pongs: AtomicU64,
}

/// The orders as one connection hears them: those given since it was accepted.
#[derive(Debug)]
pub(crate) struct Orders(watch::Receiver<Option<Order>>);

impl Control {
    /// Resets the TCP connection of every client.
    pub(crate) fn drop_all(&self) {
        self.0.order(Order::Drop);
    }

    /// Makes every connection half-open: nothing is read or written on it again, until the client
    /// hangs up, or [`drop_all`](Self::drop_all). Connections accepted later are not concerned.
    pub(crate) fn go_silent(&self) {
        self.0.order(Order::GoSilent);
    }

    /// Closes every connection with 1012, as a server does that restarts. Those that have gone
    /// silent stay silent.
    pub(crate) fn restart(&self) {
        self.0.order(Order::Restart);
    }

    /// Refuses connections, or takes them again; open ones are not concerned. The port stays
    /// reserved meanwhile. Returns when it is so, or the server has ended.
    pub(crate) async fn refuse(&self, refuse: bool) {
        let mut listening = self.0.listening.subscribe();
        self.0.refuse(refuse);
        tokio::select! {
            // Fails only where the sender is gone, and `self` holds it.
            _ = listening.wait_for(|listening| *listening != refuse) => {}
            () = self.0.refusing.closed() => {}
        }
    }

    /// Upgrades each of the next `connections` connections, then hangs up at once.
    pub(crate) fn accept_then_drop(&self, connections: u64) {
        self.0.to_drop.store(connections, Relaxed);
    }

    /// What the server has done so far.
    pub(crate) fn tally(&self) -> Tally {
        let counters = &self.0.counters;
        Tally {
            connections: counters.connections.load(Relaxed),
            upgrades: counters.upgrades.load(Relaxed),
            echoes: counters.echoes.load(Relaxed),
            pongs: counters.pongs.load(Relaxed),
        }
    }
}

impl From<Arc<Shared>> for Control {
    fn from(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Shared {
    pub(crate) fn new(options: Options, record: Option<Arc<Record>>) -> Self {
        Self {
            options,
            counters: Counters::default(),
            record,
            orders: watch::Sender::new(None),
            refusing: watch::Sender::new(false),
            listening: watch::Sender::new(true),
            to_drop: AtomicU64::new(0),
        }
    }

    /// A pen for the connection that has just been accepted, where a client is judged.
    pub(crate) fn pen(&self) -> Option<Pen> {
        self.record.as_ref()?.pen()
    }

    /// Closes every connection with 1012, and refuses new ones until [`refuse`](Self::refuse).
    pub(crate) fn restart(&self) {
        self.refuse(true);
        self.order(Order::Restart);
    }

    /// Refuses connections, or takes them again, in a moment.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.refusing.send_replace(refuse);
    }

    pub(crate) fn order(&self, order: Order) {
        self.orders.send_replace(Some(order));
    }

    pub(crate) fn orders(&self) -> Orders {
        Orders(self.orders.subscribe())
    }

    /// Whether connections are to be refused, for the server alone: it ends when this is dropped.
    pub(crate) fn refusing(&self) -> watch::Receiver<bool> {
        self.refusing.subscribe()
    }

    /// Tells whoever waits in [`Control::refuse`] that the door is open or shut.
    pub(crate) fn set_listening(&self, listening: bool) {
        self.listening.send_replace(listening);
    }

    /// What is done to the connection of that number; the first has number 0.
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

impl Orders {
    /// The next order. Cancel-safe. Of several given in one instant only the last is heard.
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
