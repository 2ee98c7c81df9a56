//! The process-wide suspend watch: one thread checks the clocks for all registered clients.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use gateway_core::{Instant, UnixMillis};
use tracing::warn;

use super::clock::SystemClocks;
use super::detector::{Suspend, SuspendDetector};

/// The span between two checks of the clocks: 12 a minute. A suspend is noticed within this span
/// after the computer wakes up.
const PERIOD: Duration = Duration::from_secs(5);

/// At most 15 bytes: Linux cuts longer names.
const THREAD_NAME: &str = "gateway-suspend";

static PROCESS: Watch = Watch::new();

/// A client's registration with the process-wide suspend watch. The watch checks the clocks every
/// five seconds. So it notices a suspend of more than 30 s within 5 s after the computer wakes up.
/// The project promises 10 s: the other five are for the client, which has to run and act.
///
/// The watch is one thread for the whole process. It starts with the first registration and ends
/// with the last. It compares [`SystemTime`](std::time::SystemTime) with
/// [`Instant`](std::time::Instant). If the wall clock went ahead, it wakes all registered clients.
/// On Windows it also does so if the watch itself woke up late. Without a suspend, the watch never
/// wakes a client.
///
/// The drivers of this project register by themselves. If your driver contains an
/// [`Engine`](crate::Engine), implement [`Host::suspend_waker`](crate::Host::suspend_waker). If it
/// uses a [`Session`](crate::Session) directly, register here.
///
/// If no thread can be started, the watch logs a warning. A suspend is then noticed when the
/// session's next deadline fires.
///
/// ```
/// use gateway_wire::core::{Instant, UnixMillis};
/// use gateway_wire::{Session, SuspendWatch};
///
/// struct Driver {
///     session: Session,
///     suspends: SuspendWatch,
/// }
///
/// impl Driver {
///     /// Called whenever the driver was woken.
///     fn woken(&mut self, now: Instant, wall: UnixMillis) {
///         if let Some(suspend) = self.suspends.take() {
///             self.session.suspended(now, wall, suspend.by());
///         }
///         // then the session's orders, as after every event
///     }
/// }
/// # let waker = std::task::Waker::noop().clone(); // of the thread or task that drives the session
/// # let session = Session::new(Default::default(), 7, Box::new(gateway_wire::core::NoDialect));
/// let mut driver = Driver { session, suspends: SuspendWatch::register(waker) };
/// driver.woken(Instant::ZERO, UnixMillis(1_700_000_000_000));
/// ```
#[must_use = "dropping it ends the registration"]
pub struct SuspendWatch {
    watch: &'static Watch,
    number: u64,
    listener: Arc<Listener>,
}

impl SuspendWatch {
    /// Registers with the process-wide watch. The first registration starts it.
    ///
    /// The watch wakes `waker` on its own thread after each suspend. The waker must not block.
    pub fn register(waker: Waker) -> Self {
        PROCESS.register(waker)
    }

    /// Returns the suspend that was noticed since the last call, or the longest if there were
    /// several. Call this whenever the waker may have been woken. Without a suspend it costs one
    /// atomic load.
    #[must_use]
    pub fn take(&self) -> Option<Suspend> {
        self.take_noticed().map(|noticed| noticed.suspend)
    }

    pub(crate) fn take_noticed(&self) -> Option<Noticed> {
        // `Relaxed` is enough: the lock below orders the data, and a wake-up always comes after the
        // store.
        if !self.listener.is_noticed.load(Ordering::Relaxed) {
            return None;
        }
        let mut noticed = lock(&self.listener.noticed);
        self.listener.is_noticed.store(false, Ordering::Relaxed);
        noticed.take()
    }

    /// The number of the watch's last look at the clocks.
    pub(crate) fn last_look(&self) -> u64 {
        self.watch.looks.load(Ordering::Relaxed)
    }
}

impl Drop for SuspendWatch {
    fn drop(&mut self) {
        self.watch.remove(self.number);
    }
}

impl fmt::Debug for SuspendWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SuspendWatch").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A suspend, and the look at the clocks that showed it. The suspend was between that look and the
/// one before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noticed {
    pub(crate) suspend: Suspend,
    pub(crate) look: u64,
}

struct Listener {
    waker: Waker,
    /// Whether `noticed` holds a value. Read without the lock.
    is_noticed: AtomicBool,
    noticed: Mutex<Option<Noticed>>,
}

impl Listener {
    fn notice(&self, new: Noticed) {
        let mut noticed = lock(&self.noticed);
        if noticed.is_none_or(|old| old.suspend.by() < new.suspend.by()) {
            *noticed = Some(new);
        }
        self.is_noticed.store(true, Ordering::Relaxed);
    }
}

/// The registrations, and the looks of the thread that serves them.
pub(crate) struct Watch {
    registry: Mutex<Registry>,
    /// Notified when the thread must end.
    ended: Condvar,
    /// The number of looks at the clocks, over all runs.
    looks: AtomicU64,
}

struct Registry {
    listeners: BTreeMap<u64, Arc<Listener>>,
    next_number: u64,
    /// The number of the run that may go on. A thread of an older run reads another number here,
    /// and ends.
    run: Option<u64>,
    last_run: u64,
}

impl Watch {
    pub(crate) const fn new() -> Self {
        let listeners = BTreeMap::new();
        let registry = Registry { listeners, next_number: 0, run: None, last_run: 0 };
        Self { registry: Mutex::new(registry), ended: Condvar::new(), looks: AtomicU64::new(0) }
    }

    fn register(&'static self, waker: Waker) -> SuspendWatch {
        let (registration, run) = self.add(waker);
        if let Some(run) = run
            && let Err(error) = self.spawn(run)
        {
            let mut registry = lock(&self.registry);
            // The next registration tries again.
            registry.run = registry.run.filter(|current| *current != run);
            warn!(%error, "no thread for the suspend watch; a suspend is noticed at the next deadline");
        }
        registration
    }

    /// Adds a registration. Returns the number of the run that must be started, if one must.
    pub(crate) fn add(&'static self, waker: Waker) -> (SuspendWatch, Option<u64>) {
        let is_noticed = AtomicBool::new(false);
        let listener = Arc::new(Listener { waker, is_noticed, noticed: Mutex::new(None) });
        let mut registry = lock(&self.registry);
        let number = registry.next_number;
        registry.next_number += 1;
        registry.listeners.insert(number, Arc::clone(&listener));
        let starts = registry.run.is_none();
        if starts {
            registry.last_run += 1;
            registry.run = Some(registry.last_run);
        }
        (SuspendWatch { watch: self, number, listener }, registry.run.filter(|_| starts))
    }

    fn remove(&self, number: u64) {
        let mut registry = lock(&self.registry);
        let removed = registry.listeners.remove(&number);
        if registry.listeners.is_empty() {
            registry.run = None;
            self.ended.notify_all();
        }
        drop(registry);
        // After the lock: dropping a waker may run a program's own code.
        drop(removed);
    }

    /// Starts the thread. It is not joined when it ends: a waker may drop the last client on the
    /// thread itself.
    fn spawn(&'static self, run: u64) -> std::io::Result<()> {
        let mut clocks = Real { clocks: SystemClocks::start(), period: PERIOD };
        let thread = thread::Builder::new().name(THREAD_NAME.to_owned());
        thread.spawn(move || self.run(run, &mut clocks))?;
        Ok(())
    }

    /// Looks at the clocks until this run is over.
    fn run(&self, run: u64, clocks: &mut impl Clocks) {
        // Windows' monotonic clock goes on in a suspend.
        let mut detector = match cfg!(windows) {
            true => SuspendDetector::with_period(PERIOD),
            false => SuspendDetector::new(),
        };
        self.look(&mut detector, clocks.read());
        let mut registry = lock(&self.registry);
        loop {
            registry = clocks.wait(&self.ended, registry, |registry| registry.run == Some(run));
            if registry.run != Some(run) {
                return;
            }
            drop(registry);
            self.look(&mut detector, clocks.read());
            registry = lock(&self.registry);
        }
    }

    /// Looks at the clocks once. If they show a suspend, wakes all registered clients.
    pub(crate) fn look(&self, detector: &mut SuspendDetector, clocks: (Instant, UnixMillis)) {
        let look = self.looks.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let Some(suspend) = detector.look(clocks.0, clocks.1) else { return };
        let listeners: Vec<_> = lock(&self.registry).listeners.values().cloned().collect();
        // Without the lock: a waker may run a program's own code, which may drop a client.
        for listener in listeners {
            listener.notice(Noticed { suspend, look });
            // A waker that panics must not end the watch of all others.
            let _ = catch_unwind(AssertUnwindSafe(|| listener.waker.wake_by_ref()));
        }
    }
}

/// The clocks, and a way to wait for the next look.
trait Clocks {
    fn read(&mut self) -> (Instant, UnixMillis);

    /// Waits for the period, or until `goes_on` no longer holds.
    fn wait<'a>(
        &mut self,
        ended: &Condvar,
        registry: MutexGuard<'a, Registry>,
        goes_on: impl Fn(&mut Registry) -> bool,
    ) -> MutexGuard<'a, Registry>;
}

struct Real {
    clocks: SystemClocks,
    period: Duration,
}

impl Clocks for Real {
    fn read(&mut self) -> (Instant, UnixMillis) {
        self.clocks.read()
    }

    fn wait<'a>(
        &mut self,
        ended: &Condvar,
        registry: MutexGuard<'a, Registry>,
        goes_on: impl Fn(&mut Registry) -> bool,
    ) -> MutexGuard<'a, Registry> {
        let waited = ended.wait_timeout_while(registry, self.period, goes_on);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is consistent even if a thread panicked: nothing here panics between two changes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
