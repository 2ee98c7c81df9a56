//! State that the harness, the gateway and the clients share: the phase, the ledgers, the counts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_tests::Made;
use rustls::ALL_VERSIONS;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::kit::Kit;
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
    pub(crate) kit: Kit,
    /// Where the gateway listens only for this client.
    pub(crate) address: SocketAddr,
    /// Attempts that were planned.
    pub(crate) attempts: AtomicU64,
    /// Connections that the gateway has open.
    pub(crate) open: watch::Sender<usize>,
    /// The connection that the gateway serves without faults; 0 for none.
    pub(crate) calm: AtomicU64,
    /// The connection on which the client is ready with nothing under way; 0 for none.
    pub(crate) quiet: AtomicU64,
    /// The last connection, in the order in which they were taken, of which the upgrade was granted.
    upgraded: AtomicU64,
    /// The sockets that got ready, each with its connection, until the client hears of it.
    noted: Mutex<Vec<(u64, u64)>>,
}

impl Slot {
    pub(crate) fn new(index: usize, driver: Driver, place: Place) -> Self {
        Self {
            index,
            driver,
            place,
            kit: Kit::of(index),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            attempts: AtomicU64::new(0),
            open: watch::Sender::new(0),
            calm: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
            upgraded: AtomicU64::new(0),
            noted: Mutex::default(),
        }
    }

    /// The connection on which both sides agree that the client is ready and nothing is under way. It may end at any moment, but
    /// every one before it has, and its books are closed on both sides: that stays true.
    pub(crate) fn settled(&self) -> Option<u64> {
        let calm = self.calm.load(SeqCst);
        let is_quiet = calm != 0 && calm == self.quiet.load(SeqCst);
        // Still calm after the count: then it is this one that was open.
        let is_alone = *self.open.borrow() == 1 && calm == self.calm.load(SeqCst);
        (is_quiet && is_alone).then_some(calm)
    }

    /// The gateway is about to grant the upgrade of this connection.
    pub(crate) fn grant(&self, connection: u64) {
        self.upgraded.fetch_max(connection, SeqCst);
    }

    /// The client's socket got ready, this instant: on the last connection whose upgrade was granted. An attempt that was given up
    /// may be granted later than its successor, but was taken before it; and the next attempt is not made yet.
    pub(crate) fn note_ready(&self, socket: u64) {
        self.lock_noted().push((socket, self.upgraded.load(SeqCst)));
    }

    /// The connection that was noted for this socket.
    pub(crate) fn take_noted(&self, socket: u64) -> Option<u64> {
        let mut noted = self.lock_noted();
        let at = noted.iter().position(|(of, _)| *of == socket)?;
        Some(noted.swap_remove(at).1)
    }

    fn lock_noted(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts of one driver's clients.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) faults: Vec<AtomicU64>,
    pub(crate) attempts: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) maybe: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Requests that were answered, and those that ended without an answer.
    pub(crate) answered: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) echoed: AtomicU64,
    /// The longest time without ready, in milliseconds.
    pub(crate) longest_away: AtomicU64,
}

impl Counts {
    fn new() -> Self {
        Self { faults: FAULTS.iter().map(|_| AtomicU64::default()).collect(), ..Self::default() }
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.faults[fault.index()].fetch_add(1, Relaxed);
    }

    pub(crate) fn all_faults(&self) -> u64 {
        self.faults.iter().map(|count| count.load(Relaxed)).sum()
    }
}

/// Everything that is shared.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) ledger: Ledger,
    pub(crate) connections: AtomicU64,
    pub(crate) std: Counts,
    pub(crate) tokio: Counts,
    /// What the gateway shows to clients with TLS, and what they trust.
    pub(crate) certificate: Made,
    pub(crate) acceptor: TlsAcceptor,
}

impl Shared {
    pub(crate) fn new(seed: u64, clients: usize) -> Self {
        let certificate = Made::new(true);
        let acceptor = certificate.acceptor(ALL_VERSIONS, None);
        Self {
            certificate,
            acceptor,
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
