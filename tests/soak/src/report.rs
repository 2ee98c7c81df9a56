//! The judgement in words: a table, what broke, and one line for scripts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::ledger::Wrong;
use crate::plan::FAULTS;
use crate::run::{Census, Settings};
use crate::shared::{Counts, Driver, Shared};
use crate::vitals::Vitals;

/// Calms that do not count: buffers and maps get their sizes.
const WARM_UP: usize = 2;

/// What the live heap may grow by between the first and the last third of the calms. Every connection is then a fresh one
/// with nothing under way, so what is left is the capacity of queues, which differs by little: a leak of one allocation in
/// each tenth reconnection is far beyond it after some minutes.
const ALLOCATIONS: i64 = 100;
const BYTES: i64 = 64 << 10;

/// What a soak has found.
#[derive(Debug)]
pub struct Report {
    settings: Settings,
    took: Duration,
    drivers: Vec<Row>,
    wrong: Wrong,
    before: Census,
    after: Census,
    start: Vitals,
    calms: Vec<Vitals>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    clients: usize,
    faults: Vec<u64>,
    values: [(&'static str, u64); 8],
}

impl Report {
    pub(crate) fn new(
        settings: Settings,
        took: Duration,
        shared: &Shared,
        (before, after): (Census, Census),
        start: Vitals,
        calms: Vec<Vitals>,
    ) -> Self {
        let drivers =
            [("std", Driver::Std, settings.std), ("tokio", Driver::Tokio, settings.tokio)]
                .into_iter()
                .filter(|(_, _, clients)| *clients > 0)
                .map(|(name, driver, clients)| Row::new(name, clients, shared.counts(driver)))
                .collect();
        let wrong = shared.ledger.all_wrong();
        let mut report = Self { settings, took, drivers, wrong, before, after, start, calms };
        report.judge();
        report
    }

    /// Whether everything holds.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.wrong.count == 0
    }

    /// How often the fault that was met least was met, over the drivers.
    #[must_use]
    pub fn rarest_fault(&self) -> u64 {
        self.drivers.iter().flat_map(|row| row.faults.iter().copied()).min().unwrap_or(0)
    }

    fn judge(&mut self) {
        if self.before != self.after {
            let what = format!("left open: {:?} before, {:?} after", self.before, self.after);
            self.break_with(what);
        }
        if let Some((first, last)) = self.ends() {
            let (allocations, bytes) = (
                last.live_allocations - first.live_allocations,
                last.live_bytes - first.live_bytes,
            );
            if allocations > ALLOCATIONS || bytes > BYTES {
                let what =
                    format!("the live heap grew by {allocations} allocations, {bytes} bytes");
                self.break_with(what);
            }
        }
        for (name, clients, sent) in self
            .drivers
            .iter()
            .map(|row| (row.name, row.clients, row.value("sent")))
            .collect::<Vec<_>>()
        {
            if sent < clients as u64 {
                self.break_with(format!(
                    "{name}: {sent} messages of {clients} clients prove nothing"
                ));
            }
        }
    }

    fn break_with(&mut self, what: String) {
        self.wrong.count += 1;
        self.wrong.told.push(what);
    }

    /// The medians of the first and of the last third of the calms after the warm-up; `None` where there are too few.
    fn ends(&self) -> Option<(Vitals, Vitals)> {
        let calms = self.calms.get(WARM_UP..).filter(|calms| calms.len() >= 3)?;
        let third = calms.len() / 3;
        Some((median(&calms[..third]), median(&calms[calms.len() - third..])))
    }

    fn total(&self, name: &str) -> u64 {
        self.drivers.iter().map(|row| row.value(name)).sum()
    }
}

fn median(of: &[Vitals]) -> Vitals {
    let mut bytes: Vec<_> = of.iter().map(|one| one.live_bytes).collect();
    let mut allocations: Vec<_> = of.iter().map(|one| one.live_allocations).collect();
    let mut resident: Vec<_> = of.iter().map(|one| one.resident_kib).collect();
    bytes.sort_unstable();
    allocations.sort_unstable();
    resident.sort_unstable();
    let middle = of.len() / 2;
    Vitals {
        live_bytes: bytes[middle],
        live_allocations: allocations[middle],
        resident_kib: resident[middle],
        ..of[middle]
    }
}

impl Row {
    fn new(name: &'static str, clients: usize, counts: &Counts) -> Self {
        let of = |count: &AtomicU64| count.load(Relaxed);
        Self {
            name,
            clients,
            faults: counts.faults.iter().map(of).collect(),
            values: [
                ("attempts", of(&counts.attempts)),
                ("reconnects", of(&counts.reconnects)),
                ("sent", of(&counts.sent)),
                ("maybe sent", of(&counts.maybe)),
                ("rejected", of(&counts.rejected)),
                ("refused", of(&counts.refused)),
                ("echoed", of(&counts.echoed)),
                ("longest away, ms", of(&counts.longest_away)),
            ],
        }
    }

    fn value(&self, name: &str) -> u64 {
        self.values.iter().find(|(of, _)| *of == name).map_or(0, |(_, value)| *value)
    }

    fn all_faults(&self) -> u64 {
        self.faults.iter().sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &dyn Fn(&Row) -> u64| {
            write!(f, "{name:<20}")?;
            self.drivers.iter().try_for_each(|row| write!(f, "{:>12}", value(row)))?;
            writeln!(f)
        };
        line("clients", &|row| row.clients as u64)?;
        for at in 0..self.drivers.first().map_or(0, |row| row.values.len()) {
            line(self.drivers[0].values[at].0, &|row| row.values[at].1)?;
        }
        line("faults", &Row::all_faults)?;
        for (at, fault) in FAULTS.iter().enumerate() {
            line(&format!("  {}", fault.name()), &|row| row.faults[at])?;
        }
        let wrong = &self.wrong;
        writeln!(f, "{:<20}{:>12}", "lost", wrong.lost)?;
        writeln!(f, "{:<20}{:>12}", "doubled", wrong.doubled)?;
        writeln!(f, "{:<20}{:>12}", "checker violations", wrong.violations)?;
        let Census { files, threads, tasks } = self.before;
        writeln!(f, "{:<20}{:>12} -> {}", "files", files, self.after.files)?;
        writeln!(f, "{:<20}{:>12} -> {}", "threads", threads, self.after.threads)?;
        writeln!(f, "{:<20}{:>12} -> {}", "tasks", tasks, self.after.tasks)?;
        writeln!(
            f,
            "before the clients: heap {} B in {} allocations, RSS {} KiB",
            self.start.live_bytes, self.start.live_allocations, self.start.resident_kib
        )?;
        match self.ends() {
            Some((first, last)) => writeln!(
                f,
                "{} calms, first and last third: heap {} -> {} B (may grow by {BYTES}), allocations {} -> {} (by \
                 {ALLOCATIONS}), RSS {} -> {} KiB (shown, not judged)",
                self.calms.len(),
                first.live_bytes,
                last.live_bytes,
                first.live_allocations,
                last.live_allocations,
                first.resident_kib,
                last.resident_kib,
            )?,
            None => writeln!(f, "{} calms: too few to judge the heap", self.calms.len())?,
        }
        for what in &self.wrong.told {
            writeln!(f, "BROKEN: {what}")?;
        }
        if !self.is_good() {
            writeln!(f, "the seed was {}", self.settings.seed)?;
        }
        let driver = match self.drivers.as_slice() {
            [one] => one.name,
            _ => "both",
        };
        writeln!(
            f,
            "soak: {driver} {} s, {} messages, {} reconnects, {} faults, {} wrong",
            self.took.as_secs(),
            self.total("sent") + self.total("maybe sent") + self.total("rejected"),
            self.total("reconnects"),
            self.drivers.iter().map(Row::all_faults).sum::<u64>(),
            self.wrong.count,
        )
    }
}
