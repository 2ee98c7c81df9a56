//! What the harness, the gateway and the clients share: the phase, the books, the counts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;

use crate::ledger::Ledger;
use crate::plan::{FAULTS, Fault, Place};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Faults, and messages.
    Storm,
    /// Neither: every client gets ready on a fresh connection, and waits.
    Calm,
    /// The clients close.
    Close,
    /// The gateway ends.
    Over,
}

/// Which driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Std,
    Tokio,
}

/// One client, as both sides see it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) index: usize,
    pub(crate) driver: Driver,
    pub(crate) place: Place,
    /// Where the gateway listens for it, and for nobody else.
    pub(crate) address: SocketAddr,
    /// Attempts that were planned.
    pub(crate) attempts: AtomicU64,
    /// Connections that the gateway has open.
    pub(crate) open: watch::Sender<usize>,
    /// The connection that the gateway serves without faults; 0 for none.
    pub(crate) calm: AtomicU64,
    /// The connection on which the client is ready with nothing under way; 0 for none.
    pub(crate) quiet: AtomicU64,
}

impl Slot {
    pub(crate) fn new(index: usize, driver: Driver, place: Place) -> Self {
        Self {
            index,
            driver,
            place,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            attempts: AtomicU64::new(0),
            open: watch::Sender::new(0),
            calm: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
        }
    }

    /// Whether both sides agree that the client is ready and nothing is under way.
    pub(crate) fn is_calm(&self) -> bool {
        let calm = self.calm.load(Relaxed);
        calm != 0 && calm == self.quiet.load(Relaxed) && *self.open.borrow() == 1
    }
}

/// Counts of one driver's clients.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) faults: Vec<AtomicU64>,
    pub(crate) attempts: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) maybe: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) echoed: AtomicU64,
    /// The longest time without ready, in milliseconds.
    pub(crate) longest_away: AtomicU64,
}

impl Counts {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            faults: FAULTS.iter().map(|_| zero()).collect(),
            attempts: zero(),
            reconnects: zero(),
            sent: zero(),
            maybe: zero(),
            rejected: zero(),
            refused: zero(),
            echoed: zero(),
            longest_away: zero(),
        }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.faults[fault.index()].fetch_add(1, Relaxed);
    }

    pub(crate) fn all_faults(&self) -> u64 {
        self.faults.iter().map(|count| count.load(Relaxed)).sum()
    }
}

/// Everything that is shared.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) ledger: Ledger,
    pub(crate) connections: AtomicU64,
    pub(crate) std: Counts,
    pub(crate) tokio: Counts,
}

impl Shared {
    pub(crate) fn new(seed: u64, clients: usize) -> Self {
        Self {
            seed,
            phase: watch::Sender::new(Phase::Calm),
            ledger: Ledger::new(clients),
            connections: AtomicU64::new(0),
            std: Counts::new(),
            tokio: Counts::new(),
        }
    }

    pub(crate) fn counts(&self, driver: Driver) -> &Counts {
        match driver {
            Driver::Std => &self.std,
            Driver::Tokio => &self.tokio,
        }
    }

    pub(crate) fn now_is(&self, phase: Phase) -> bool {
        *self.phase.borrow() == phase
    }
}
