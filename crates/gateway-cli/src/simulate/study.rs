//! Runs the simulations of a command, on all processors. The results do not depend on their number.

use std::{
    num::NonZeroUsize,
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use gateway_sim::{
    Edge, OnProgress, Outcome, Scenario, Search, SearchError, Simulation, edge_with,
    rule::{self, Rule},
    smallest_spread_with, smallest_timeout_growth_with,
};

use gateway_tokio::core::ConfigErrors;

use super::{
    plan::{Plan, Variant},
    progress::Progress,
};

/// So many clients are simulated at the same time at most, because each takes memory.
const CLIENTS: usize = 4_000_000;

/// The results of a command.
#[derive(Debug)]
pub(super) struct Study {
    /// One for each variant of the plan, in its order.
    pub(super) rows: Vec<Row>,
    pub(super) edge: Finding<Edge>,
    pub(super) spread: Finding<Search>,
    pub(super) growth: Finding<Search>,
    /// The time within which a setting must make the fleet recover, to be found.
    pub(super) within: Duration,
    /// Whether a signal stopped the command before all its simulations ended.
    pub(super) is_partial: bool,
}

/// The results of a strategy.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) rule: Rule,
    /// `None` if a signal came before the simulation started.
    pub(super) outcome: Option<Outcome>,
}

/// The result of a search.
#[derive(Debug)]
pub(super) enum Finding<T> {
    /// The search was not wanted, or could find nothing.
    Unsearched,
    /// A signal stopped it.
    Stopped,
    /// The scenario cannot be changed in this way: for example, a fault would begin after its end.
    Impossible,
    Found(T),
}

impl<T> Finding<T> {
    pub(super) const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::Unsearched | Self::Stopped | Self::Impossible => None,
        }
    }

    fn of(result: Result<T, SearchError>) -> Self {
        match result {
            Ok(found) => Self::Found(found),
            Err(SearchError::Stopped) => Self::Stopped,
            Err(_) => Self::Impossible,
        }
    }

    /// What a search finds in a scenario with an earlier end, if there can be one.
    fn within(
        hurried: &Result<Scenario, ConfigErrors>,
        search: impl FnOnce(&Scenario) -> Result<T, SearchError>,
    ) -> Self {
        hurried.as_ref().map_or(Self::Impossible, |scenario| Self::of(search(scenario)))
    }
}

impl Study {
    /// Runs the simulations of a plan. It stops at the next simulated second once `stop` is true.
    pub(super) fn run(plan: &Plan, stop: &AtomicBool, progress: &Progress) -> Self {
        let lead = &plan.lead().scenario;
        let clients = usize::try_from(lead.clients()).unwrap_or(usize::MAX);
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = processors.min(CLIENTS / clients).max(1);

        progress.begin("simulating", plan.variants.len(), 1);
        let outcomes = parallel(threads, plan.variants.len(), |index| {
            simulate(&plan.variants[index], stop, progress)
        });
        let rows = plan.variants.iter().zip(outcomes).map(|(variant, outcome)| Row {
            name: variant.name.clone(),
            rule: rule::apply(&variant.scenario),
            outcome,
        });
        let mut study = Self {
            rows: rows.collect(),
            edge: Finding::Unsearched,
            spread: Finding::Unsearched,
            growth: Finding::Unsearched,
            within: Duration::ZERO,
            is_partial: false,
        };
        study.within = study.good_time(plan);
        // Before the last fault ends, no setting makes the fleet recover.
        let is_searched = plan.is_searched && lead.measured_from() < lead.horizon();
        if is_searched && stop.load(Ordering::Relaxed) {
            study.edge = Finding::Stopped;
        } else if is_searched {
            study.search(plan, threads, stop, progress);
        }
        progress.finish();
        let has_stopped = |row: &Row| row.outcome.as_ref().is_none_or(|run| run.is_partial);
        study.is_partial = study.rows.iter().any(has_stopped)
            || matches!(study.edge, Finding::Stopped)
            || matches!(study.spread, Finding::Stopped)
            || matches!(study.growth, Finding::Stopped);
        study
    }

    /// Twice the time that the server needs for all clients, and a minute. With a setting at the edge
    /// a fleet also recovers, but only by the end of any horizon.
    fn good_time(&self, plan: &Plan) -> Duration {
        const SLACK: Duration = Duration::from_secs(60);

        let scenario = &plan.lead().scenario;
        let left = scenario.horizon().saturating_sub(scenario.measured_from());
        let good = self.rows[plan.lead].rule.load.saturating_mul(2).saturating_add(SLACK);
        Duration::from_secs(good.as_secs()).min(left)
    }

    fn search(&mut self, plan: &Plan, threads: usize, stop: &AtomicBool, progress: &Progress) {
        /// About as many simulations as a search takes.
        const RUNS: usize = 12;

        let scenario = &plan.lead().scenario;
        let recovery = self.rows[plan.lead].outcome.as_ref().and_then(|run| run.recovery.t99_ms);
        let is_slow = recovery.is_none_or(|t99| Duration::from_millis(t99) > self.within);
        let searches = if is_slow { 3 } else { 1 };
        let hurried = ending_at(scenario, scenario.measured_from() + self.within);
        progress.begin("searching", searches, RUNS);
        let found = parallel(threads, searches, |index| {
            let mut part = progress.part();
            let mut on_progress = |at: gateway_sim::Progress| {
                part.at(at.now_ms, at.horizon_ms);
                if stop.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let on_progress: OnProgress<'_> = &mut on_progress;
            match index {
                0 => Found::Edge(Finding::of(edge_with(scenario, on_progress))),
                1 => Found::Spread(Finding::within(&hurried, |scenario| {
                    smallest_spread_with(scenario, on_progress)
                })),
                _ => Found::Growth(Finding::within(&hurried, |scenario| {
                    smallest_timeout_growth_with(scenario, on_progress)
                })),
            }
        });
        for found in found {
            match found {
                Found::Edge(edge) => self.edge = edge,
                Found::Spread(spread) => self.spread = spread,
                Found::Growth(growth) => self.growth = growth,
            }
        }
    }
}

/// The scenario with an earlier end.
///
/// # Errors
/// A fault begins after this end: `measure_from` may be earlier than the last fault.
fn ending_at(scenario: &Scenario, end: Duration) -> Result<Scenario, ConfigErrors> {
    let mut builder = scenario.to_builder();
    builder.set("horizon", format!("{}ms", end.as_millis()));
    builder.build()
}

enum Found {
    Edge(Finding<Edge>),
    Spread(Finding<Search>),
    Growth(Finding<Search>),
}

fn simulate(variant: &Variant, stop: &AtomicBool, progress: &Progress) -> Option<Outcome> {
    if stop.load(Ordering::Relaxed) {
        return None;
    }
    let mut part = progress.part();
    Some(Simulation::new(&variant.scenario).run_with(&mut |at| {
        part.at(at.now_ms, at.horizon_ms);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }))
}

/// Does `count` jobs on some threads. Returns their results in the order of the jobs.
fn parallel<T: Send>(threads: usize, count: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(place) = done.get(index) else { break };
                    let result = job(index);
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                }
            });
        }
    });
    let results = done.into_iter().map(|place| place.into_inner().ok().flatten());
    results
        .map(|result| result.expect("a scope waits for all threads, and passes on panics"))
        .collect()
}
