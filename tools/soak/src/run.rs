//! The soak: storms and calms in turn, with checks after each.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::clients::{config, live_std, live_tokio};
use crate::clock;
use crate::gateway::{attend, listen};
use crate::ledger::Kind;
use crate::plan::Place;
use crate::report::Report;
use crate::shared::{Driver, Phase, Shared, Slot};
use crate::vitals::Vitals;

/// Without faults a client is ready again within two seconds. One that is not ready after this is stuck.
const CALM_BOUND: Duration = Duration::from_secs(60);

/// Every deadline of a closing client is below a second. One that has not ended after this is stuck, and is
/// abandoned.
const CLOSE_BOUND: Duration = Duration::from_secs(30);

/// This many storms have each fault several times. A fault that has not occurred by then never will.
const STORMS_BOUND: usize = 20;

/// The system's own threads and files may take a moment to end.
const END_BOUND: Duration = Duration::from_secs(20);

/// The settings of a soak.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a program's settings")]
pub struct Settings {
    /// How long to run. `None` means until every driver has met every fault, which must take at most 20 storms.
    pub time: Option<Duration>,
    /// How long a storm lasts.
    pub storm: Duration,
    /// The seed of everything random.
    pub seed: u64,
    /// Blocking clients, a thread each.
    pub std: usize,
    /// Async clients, a task each.
    pub tokio: usize,
}

/// What is counted before the clients start and after they ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) files: Option<usize>,
    pub(crate) threads: Option<usize>,
    pub(crate) tasks: usize,
}

/// Runs the soak. Reports its progress to `told` every few seconds.
///
/// # Errors
/// If the operating system has no sockets or threads, or does not report the resources of the process.
pub fn run(settings: Settings, mut told: impl FnMut(&str)) -> io::Result<Report> {
    let gateway = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let clients = settings.std + settings.tokio;
    let shared = Arc::new(Shared::new(settings.seed, clients));
    let slots = open_gateway(&shared, &gateway, settings)?;
    let soak = Soak { settings, shared, slots, gateway, runtime };
    clock::pause(Duration::from_millis(200)); // the runtimes' threads start
    let (before, start) = (soak.census()?, Vitals::take()?);

    let begun = clock::now();
    let lives = soak.start_clients()?;
    let (mut calms, mut told_at) = (Vec::new(), begun);
    loop {
        soak.shared.phase.send_replace(Phase::Storm);
        soak.storm(begun, &mut told_at, &mut told)?;
        let is_calm = soak.calm()?;
        calms.push(Vitals::take_least()?);
        let is_given_up = settings.time.is_none() && calms.len() >= STORMS_BOUND;
        if !is_calm || is_given_up || soak.is_enough(begun) {
            break;
        }
    }
    soak.close(lives)?;
    let took = clock::now() - begun;
    // The report shows what is left open.
    let _ = soak.until(END_BOUND, || {
        let is_closed = soak.slots.iter().all(|slot| *slot.open.borrow() == 0);
        Ok(is_closed && soak.census()? == before)
    })?;
    soak.shared.ledger.judge_all();
    let after = soak.census()?;
    soak.shared.phase.send_replace(Phase::Over);
    let report = Report::new(settings, took, &soak.shared, (before, after), start, calms);
    // Not dropped, because a drop would wait for a stuck task.
    soak.gateway.shutdown_background();
    soak.runtime.shutdown_background();
    Ok(report)
}

/// What a client lives in.
enum Life {
    Thread(thread::JoinHandle<()>),
    Task(tokio::task::JoinHandle<()>),
}

impl Life {
    fn is_ended(&self) -> bool {
        match self {
            Self::Thread(thread) => thread.is_finished(),
            Self::Task(task) => task.is_finished(),
        }
    }

    /// Waits for its end. Returns whether it panicked.
    fn has_panicked(self, runtime: &Runtime) -> bool {
        match self {
            Self::Thread(thread) => thread.join().is_err(),
            Self::Task(task) => runtime.block_on(task).is_err(),
        }
    }
}

struct Soak {
    settings: Settings,
    shared: Arc<Shared>,
    slots: Vec<Arc<Slot>>,
    gateway: Runtime,
    runtime: Runtime,
}

fn open_gateway(
    shared: &Arc<Shared>,
    gateway: &Runtime,
    settings: Settings,
) -> io::Result<Vec<Arc<Slot>>> {
    let _entered = gateway.enter();
    let place = |deck, of| move |index| Place { index, of, deck };
    let std = (0..settings.std).map(place(1, settings.std)).map(|place| (Driver::Std, place));
    let tokio = (0..settings.tokio).map(place(2, settings.tokio));
    let all = std.chain(tokio.map(|place| (Driver::Tokio, place)));
    all.enumerate()
        .map(|(index, (driver, place))| {
            let mut slot = Slot::new(index, driver, place);
            let listener = listen(slot.address)?;
            slot.address = listener.local_addr()?;
            let slot = Arc::new(slot);
            gateway.spawn(attend(Arc::clone(shared), Arc::clone(&slot), listener));
            Ok(slot)
        })
        .collect()
}

impl Soak {
    fn census(&self) -> io::Result<Census> {
        let Vitals { files, threads, .. } = Vitals::take()?;
        let alive = |runtime: &Runtime| runtime.metrics().num_alive_tasks();
        Ok(Census { files, threads, tasks: alive(&self.gateway) + alive(&self.runtime) })
    }

    /// Starts a client for each slot, in the same order.
    fn start_clients(&self) -> io::Result<Vec<Life>> {
        let config = Arc::new(config());
        let live = |slot: &Arc<Slot>| {
            let (shared, slot) = (Arc::clone(&self.shared), Arc::clone(slot));
            let config = Arc::clone(&config);
            Ok(match slot.driver {
                Driver::Std => Life::Thread(
                    thread::Builder::new()
                        .stack_size(512 << 10)
                        .spawn(move || live_std(&shared, &slot, &config))?,
                ),
                Driver::Tokio => Life::Task(self.runtime.spawn(live_tokio(shared, slot, config))),
            })
        };
        self.slots.iter().map(live).collect()
    }

    /// Closes every client and waits for its end. Reports and abandons a stuck one.
    fn close(&self, lives: Vec<Life>) -> io::Result<()> {
        self.shared.phase.send_replace(Phase::Close);
        let _ = self.until(CLOSE_BOUND, || Ok(lives.iter().all(Life::is_ended)))?;
        for (slot, life) in self.slots.iter().zip(lives) {
            let how = if !life.is_ended() {
                format!("is stuck: it has not ended {CLOSE_BOUND:?} after it was told to close")
            } else if life.has_panicked(&self.runtime) {
                "panicked".into()
            } else {
                continue;
            };
            let what = format!("client {} ({:?}) {how}", slot.index, slot.driver);
            self.shared.ledger.wrong(Kind::Other, what);
        }
        Ok(())
    }

    fn storm(
        &self,
        begun: Instant,
        told_at: &mut Instant,
        told: &mut impl FnMut(&str),
    ) -> io::Result<()> {
        let until = clock::now() + self.settings.storm;
        while clock::now() < until && !self.is_enough(begun) {
            clock::pause(Duration::from_millis(50));
            if clock::now() - *told_at >= Duration::from_secs(10) {
                *told_at = clock::now();
                told(&self.progress(begun)?);
            }
        }
        Ok(())
    }

    /// Runs a calm without faults and messages. Returns whether every client became ready. Compares the ledgers.
    fn calm(&self) -> io::Result<bool> {
        self.shared.phase.send_replace(Phase::Calm);
        let settled = || self.slots.iter().map(|slot| slot.settled()).collect::<Option<Vec<_>>>();
        let mut bounds = None;
        let is_calm = self.until(CALM_BOUND, || {
            bounds = settled();
            Ok(bounds.is_some())
        })?;
        if let Some(bounds) = bounds {
            self.shared.ledger.judge(bounds);
            return Ok(is_calm);
        }
        for slot in self.slots.iter().filter(|slot| slot.settled().is_none()) {
            let what = format!(
                "client {} ({:?}) is not ready {CALM_BOUND:?} after the last fault: the gateway has {} connections, \
                 and serves {} without faults; the client is quiet on {}",
                slot.index,
                slot.driver,
                *slot.open.borrow(),
                slot.calm.load(SeqCst),
                slot.quiet.load(SeqCst),
            );
            self.shared.ledger.wrong(Kind::Other, what);
        }
        // Also where the last of them settled while they were told.
        let what = format!("not calm {CALM_BOUND:?} after the storm");
        self.shared.ledger.wrong(Kind::Other, what);
        Ok(false)
    }

    fn until(
        &self,
        bound: Duration,
        mut done: impl FnMut() -> io::Result<bool>,
    ) -> io::Result<bool> {
        let until = clock::now() + bound;
        while !done()? {
            if clock::now() >= until {
                return Ok(false);
            }
            clock::pause(Duration::from_millis(20));
        }
        Ok(true)
    }

    fn is_enough(&self, begun: Instant) -> bool {
        let met_all = |driver, clients| {
            let faults = &self.shared.counts(driver).faults;
            clients == 0 || faults.iter().all(|count| count.load(Relaxed) > 0)
        };
        match self.settings.time {
            Some(time) => clock::now() - begun >= time,
            None => {
                met_all(Driver::Std, self.settings.std)
                    && met_all(Driver::Tokio, self.settings.tokio)
            }
        }
    }

    fn progress(&self, begun: Instant) -> io::Result<String> {
        let mut line = format!("{:>5} s", (clock::now() - begun).as_secs());
        for (name, counts) in [("std", &self.shared.std), ("tokio", &self.shared.tokio)] {
            let (sent, faults) = (counts.sent.load(Relaxed), counts.all_faults());
            let _ = write!(line, "  {name}: {sent} sent, {faults} faults"); // into a String
        }
        let vitals = Vitals::take()?;
        let wrong = self.shared.ledger.all_wrong().count;
        let (heap, resident) = (vitals.live_bytes / 1024, vitals.resident_kib.unwrap_or(0));
        let _ = write!(line, "  heap {heap} KiB, RSS {resident} KiB, {wrong} wrong");
        Ok(line)
    }
}

impl Vitals {
    /// The minimum of several measurements: a pending heartbeat is no growth.
    fn take_least() -> io::Result<Self> {
        let mut least = Self::take()?;
        for _ in 0..8 {
            clock::pause(Duration::from_millis(25));
            let next = Self::take()?;
            if next.live_bytes < least.live_bytes {
                least = next;
            }
        }
        Ok(least)
    }
}
