//! The result as text: a table, the failed checks, and one line for scripts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::ledger::Wrong;
use crate::plan::FAULTS;
use crate::run::{Census, Settings};
use crate::shared::{Counts, Driver, Shared};
use crate::vitals::Vitals;

/// Calms that do not count, because buffers and maps still grow.
const WARM_UP: usize = 2;

/// The allowed growth of the live heap between the first and the last third of the calms. In a calm every
/// connection is fresh and idle, so only the capacity of queues differs, by little. A leak of one allocation
/// in each tenth reconnect exceeds this after some minutes.
const ALLOCATIONS: i64 = 100;
const BYTES: i64 = 64 << 10;

/// A run of this length must have enough calms to check the heap; otherwise the run fails.
const HEAP_BOUND: Duration = Duration::from_secs(60);

/// After this time, plus a part for each fault per client of a driver, every fault must have occurred.
/// Otherwise the soak has proven less than it reports.
const FAULTS_BOUND: Duration = Duration::from_secs(30);
const FAULT_BOUND: Duration = Duration::from_secs(6);

/// The result of a soak.
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
    values: [(&'static str, u64); 11],
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

    /// The count of the rarest fault, over the drivers.
    #[must_use]
    pub fn rarest_fault(&self) -> u64 {
        self.drivers.iter().flat_map(|row| row.faults.iter().copied()).min().unwrap_or(0)
    }

    fn judge(&mut self) {
        if self.before != self.after {
            let what = format!("left open: {:?} before, {:?} after", self.before, self.after);
            self.break_with(what);
        }
        let (calms, took) = (self.calms.len(), self.took);
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
        } else if took >= HEAP_BOUND {
            let what = format!("the heap is not checked: {calms} calms in {took:?} are too few");
            self.break_with(what);
        }
        let drivers = std::mem::take(&mut self.drivers);
        for row @ Row { name, clients, faults, .. } in &drivers {
            let unmet = FAULTS.iter().zip(faults).filter(|(_, met)| **met == 0);
            let unmet: Vec<_> = unmet.map(|(fault, _)| fault.name()).collect();
            if !unmet.is_empty() && self.owes_all_faults(*clients) {
                let unmet = unmet.join(", ");
                self.break_with(format!(
                    "{name}: in {took:?} these faults never occurred: {unmet}"
                ));
            }
            let sent = row.value("sent");
            if sent < *clients as u64 {
                let what = format!("{name}: {sent} messages of {clients} clients prove nothing");
                self.break_with(what);
            }
        }
        self.drivers = drivers;
    }

    /// Whether this many clients of a driver must have met every fault.
    fn owes_all_faults(&self, clients: usize) -> bool {
        let each = FAULTS.len().div_ceil(clients.max(1));
        let bound = FAULTS_BOUND + FAULT_BOUND * u32::try_from(each).unwrap_or(u32::MAX);
        self.settings.time.is_none() || self.took >= bound
    }

    fn break_with(&mut self, what: String) {
        self.wrong.count += 1;
        self.wrong.told.push(what);
    }

    /// The medians of the first and the last third of the calms after the warm-up; `None` if there are too few.
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
    Vitals {
        live_bytes: middle(of, |one| one.live_bytes),
        live_allocations: middle(of, |one| one.live_allocations),
        resident_kib: middle(of, |one| one.resident_kib),
        ..of[of.len() / 2]
    }
}

fn middle<T: Ord>(of: &[Vitals], value: impl Fn(&Vitals) -> T) -> T {
    let mut values: Vec<_> = of.iter().map(value).collect();
    values.sort_unstable();
    values.swap_remove(of.len() / 2)
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
                ("expired", of(&counts.expired)),
                ("refused", of(&counts.refused)),
                ("answered", of(&counts.answered)),
                ("unanswered", of(&counts.unanswered)),
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
        writeln!(f, "{:<20}{:>12} -> {}", "files", told(files), told(self.after.files))?;
        writeln!(f, "{:<20}{:>12} -> {}", "threads", told(threads), told(self.after.threads))?;
        writeln!(f, "{:<20}{:>12} -> {}", "tasks", tasks, self.after.tasks)?;
        writeln!(
            f,
            "before the clients: heap {} B in {} allocations, RSS {} KiB",
            self.start.live_bytes,
            self.start.live_allocations,
            told(self.start.resident_kib)
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
                told(first.resident_kib),
                told(last.resident_kib),
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
        write!(
            f,
            "soak: {driver} {} s, {} messages, {} requests, {} reconnects, {} faults, {} wrong",
            self.took.as_secs(),
            ["sent", "maybe sent", "rejected", "expired"]
                .map(|name| self.total(name))
                .iter()
                .sum::<u64>(),
            self.total("answered") + self.total("unanswered"),
            self.total("reconnects"),
            self.drivers.iter().map(Row::all_faults).sum::<u64>(),
            self.wrong.count,
        )?;
        match self.ends() {
            Some((first, last)) => {
                write!(f, ", heap {} -> {} B", first.live_bytes, last.live_bytes)?;
            }
            None => write!(f, ", heap not judged")?,
        }
        let threads = (threads, self.after.threads);
        for (name, count) in [("files", (files, self.after.files)), ("threads", threads)] {
            match count {
                (Some(before), Some(after)) => write!(f, ", {name} {before} -> {after}")?,
                (None, _) | (_, None) => write!(f, ", {name} not judged")?,
            }
        }
        writeln!(f)
    }
}

fn told(count: Option<impl fmt::Display>) -> String {
    count.map_or("unknown".into(), |count| count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(seconds: u64, calms: usize, faults: u64) -> Report {
        let settings = Settings {
            time: Some(Duration::from_secs(seconds)),
            storm: Duration::from_secs(1),
            seed: 1,
            std: 8,
            tokio: 0,
        };
        let values = [("sent", 100); 11];
        let row = Row { name: "std", clients: 8, faults: vec![faults; FAULTS.len()], values };
        let census = Census { files: Some(52), threads: Some(4), tasks: 0 };
        let mut report = Report {
            settings,
            took: Duration::from_secs(seconds),
            drivers: vec![row],
            wrong: Wrong::default(),
            before: census,
            after: census,
            start: Vitals::default(),
            calms: vec![Vitals { live_bytes: 700, ..Vitals::default() }; calms],
        };
        report.judge();
        report
    }

    #[test]
    fn the_last_line_tells_the_heap_the_files_and_the_threads() {
        let told = judged(20, WARM_UP + 3, 1).to_string();
        let line = told.lines().last().unwrap_or_default();
        assert_eq!(
            line,
            "soak: std 20 s, 100 messages, 0 requests, 0 reconnects, 30 faults, 0 wrong, heap 700 -> 700 B, files 52 -> 52, \
             threads 4 -> 4"
        );
    }

    #[test]
    fn a_heap_that_is_not_judged_is_told_and_is_wrong_in_a_long_run() {
        let short = judged(20, WARM_UP + 2, 1);
        assert!(short.is_good(), "{short}");
        assert!(short.to_string().contains(", heap not judged, files 52"), "{short}");
        assert!(!judged(60, WARM_UP + 2, 1).is_good());
        assert!(judged(60, WARM_UP + 3, 1).is_good());
    }

    #[test]
    fn a_long_run_without_faults_is_wrong() {
        assert!(judged(20, 10, 0).is_good());
        assert!(!judged(600, 100, 0).is_good());
        assert!(judged(600, 100, 1).is_good());
    }
}
