//! The soak: storms and calms in turn, and the judgement of what each has left.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
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

/// What a client needs to be ready again without faults is a second or two; who is not after so long has hung up on life.
const CALM_BOUND: Duration = Duration::from_secs(60);

/// Threads and files of a system's own may take a moment to go.
const END_BOUND: Duration = Duration::from_secs(20);

/// What is to be run.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a program's settings")]
pub struct Settings {
    /// For how long; `None`: until every driver has met every fault.
    pub time: Option<Duration>,
    /// How long a storm lasts.
    pub storm: Duration,
    /// What everything random comes from.
    pub seed: u64,
    /// Blocking clients, a thread each.
    pub std: usize,
    /// Async clients, a task each.
    pub tokio: usize,
}

/// What is counted before the clients start and after they ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) files: usize,
    pub(crate) threads: usize,
    pub(crate) tasks: usize,
}

/// Runs it all. `told` hears of the progress, each few seconds.
///
/// # Errors
/// The operating system gives no sockets or threads.
pub fn run(settings: Settings, mut told: impl FnMut(&str)) -> io::Result<Report> {
    let gateway = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let clients = settings.std + settings.tokio;
    let shared = Arc::new(Shared::new(settings.seed, clients));
    let slots = open_gateway(&shared, &gateway, settings)?;
    let soak = Soak { settings, shared, slots, gateway, runtime };
    clock::pause(Duration::from_millis(200)); // the runtimes' threads start
    let (before, start) = (soak.census(), Vitals::take());

    let begun = clock::now();
    let (threads, tasks) = soak.start_clients()?;
    let (mut calms, mut told_at) = (Vec::new(), begun);
    loop {
        soak.shared.phase.send_replace(Phase::Storm);
        soak.storm(begun, &mut told_at, &mut told);
        let is_calm = soak.calm();
        calms.push(Vitals::take_least());
        if !is_calm || soak.is_enough(begun) {
            break;
        }
    }
    soak.shared.phase.send_replace(Phase::Close);
    for thread in threads {
        if thread.join().is_err() {
            soak.shared.ledger.wrong(Kind::Other, "a thread panicked".into());
        }
    }
    for task in tasks {
        if soak.runtime.block_on(task).is_err() {
            soak.shared.ledger.wrong(Kind::Other, "a task panicked".into());
        }
    }
    let took = clock::now() - begun;
    soak.until(END_BOUND, || {
        soak.slots.iter().all(|slot| *slot.open.borrow() == 0) && soak.census() == before
    });
    soak.shared.ledger.judge();
    let after = soak.census();
    soak.shared.phase.send_replace(Phase::Over);
    Ok(Report::new(settings, took, &soak.shared, (before, after), start, calms))
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
    fn census(&self) -> Census {
        let Vitals { files, threads, .. } = Vitals::take();
        let alive = |runtime: &Runtime| runtime.metrics().num_alive_tasks();
        Census { files, threads, tasks: alive(&self.gateway) + alive(&self.runtime) }
    }

    #[allow(clippy::type_complexity, reason = "two lists of what is to be joined")]
    fn start_clients(&self) -> io::Result<(Vec<JoinHandle<()>>, Vec<tokio::task::JoinHandle<()>>)> {
        let config = Arc::new(config());
        let (mut threads, mut tasks) = (Vec::new(), Vec::new());
        for slot in &self.slots {
            let (shared, slot) = (Arc::clone(&self.shared), Arc::clone(slot));
            let config = Arc::clone(&config);
            match slot.driver {
                Driver::Std => threads.push(
                    thread::Builder::new()
                        .stack_size(512 << 10)
                        .spawn(move || live_std(&shared, &slot, &config))?,
                ),
                Driver::Tokio => tasks.push(self.runtime.spawn(live_tokio(shared, slot, config))),
            }
        }
        Ok((threads, tasks))
    }

    fn storm(&self, begun: Instant, told_at: &mut Instant, told: &mut impl FnMut(&str)) {
        let until = clock::now() + self.settings.storm;
        while clock::now() < until && !self.is_enough(begun) {
            clock::pause(Duration::from_millis(50));
            if clock::now() - *told_at >= Duration::from_secs(10) {
                *told_at = clock::now();
                told(&self.progress(begun));
            }
        }
    }

    /// No faults and no messages; says whether every client got ready again. Closes the books.
    fn calm(&self) -> bool {
        self.shared.phase.send_replace(Phase::Calm);
        let is_calm = self.until(CALM_BOUND, || self.slots.iter().all(|slot| slot.is_calm()));
        if is_calm {
            self.shared.ledger.judge();
            return true;
        }
        for slot in self.slots.iter().filter(|slot| !slot.is_calm()) {
            let what = format!(
                "client {} ({:?}) is not ready {CALM_BOUND:?} after the last fault: the gateway has {} connections, \
                 {} of them calm; the client is quiet on {}",
                slot.index,
                slot.driver,
                *slot.open.borrow(),
                slot.calm.load(Relaxed),
                slot.quiet.load(Relaxed),
            );
            self.shared.ledger.wrong(Kind::Other, what);
        }
        false
    }

    fn until(&self, bound: Duration, done: impl Fn() -> bool) -> bool {
        let until = clock::now() + bound;
        while !done() {
            if clock::now() >= until {
                return false;
            }
            clock::pause(Duration::from_millis(20));
        }
        true
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

    fn progress(&self, begun: Instant) -> String {
        let mut line = format!("{:>5} s", (clock::now() - begun).as_secs());
        for (name, counts) in [("std", &self.shared.std), ("tokio", &self.shared.tokio)] {
            let (sent, faults) = (counts.sent.load(Relaxed), counts.all_faults());
            let _ = write!(line, "  {name}: {sent} sent, {faults} faults"); // into a String
        }
        let vitals = Vitals::take();
        let wrong = self.shared.ledger.all_wrong().count;
        let (heap, resident) = (vitals.live_bytes / 1024, vitals.resident_kib);
        let _ = write!(line, "  heap {heap} KiB, RSS {resident} KiB, {wrong} wrong");
        line
    }
}

impl Vitals {
    /// The least of a few looks: a heartbeat under way is no growth.
    fn take_least() -> Self {
        let mut least = Self::take();
        for _ in 0..8 {
            clock::pause(Duration::from_millis(25));
            let next = Self::take();
            if next.live_bytes < least.live_bytes {
                least = next;
            }
        }
        least
    }
}
