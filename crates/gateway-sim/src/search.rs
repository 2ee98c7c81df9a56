//! Searches: the edge of a scenario in simulation, and the smallest setting that makes it recover.

use std::ops::ControlFlow;
use std::time::Duration;

use gateway_core::ConfigErrors;

use crate::outcome::Progress;
use crate::rule::{self, Bottleneck};
use crate::scenario::{RATE, Scenario, ScenarioBuilder};
use crate::{Simulation, outcome};

/// The edge of a scenario, as the simulation shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Edge {
    /// The largest N/C that recovered, in milliseconds. `None`: even the smallest did not.
    pub recovers_ms: Option<u64>,
    /// The smallest N/C that did not recover, in milliseconds. `None`: all recovered, up to a
    /// quarter of the time that a run may take, or up to the scenario's own N/C if that is larger.
    pub stuck_ms: Option<u64>,
    /// How many simulations this took.
    pub runs: u32,
}

/// The smallest value of a setting that makes a scenario recover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Search {
    /// The value in whole seconds. Zero: the scenario recovers without it. `None`: no value up to
    /// `most_s` makes it recover within the horizon.
    pub seconds: Option<u64>,
    /// The largest value that was tried.
    pub most_s: u64,
    /// When 99 % were served with this value, from `measured_from_ms` on.
    pub t99_ms: Option<u64>,
    /// How many simulations this took.
    pub runs: u32,
}

/// Why a search has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// A changed scenario is not valid.
    #[error("{0}")]
    Scenario(#[from] ConfigErrors),
    /// The progress function ended the search.
    #[error("the search was stopped")]
    Stopped,
}

/// What a search calls once a simulated second.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Finds the N/C above which a scenario does not recover, to 0.5 s.
///
/// The service time of the slowest stage changes. Close to the edge, a recovery takes long. So a run
/// counts as stuck if it takes more than an hour, or more than the scenario's horizon if that is
/// longer. A larger fleet is [scaled down](Scenario::scaled) to 2,000 clients, or to 200 a node. A
/// rate limit changes in the same ratio as C. A queue that is given as a span stays that span.
///
/// # Errors
/// A changed scenario is not valid.
pub fn edge(scenario: &Scenario) -> Result<Edge, SearchError> {
    edge_with(scenario, &mut |_| ControlFlow::Continue(()))
}

/// [`edge`] with a progress function, which may end the search.
///
/// # Errors
/// A changed scenario is not valid, or the progress function broke.
pub fn edge_with(scenario: &Scenario, progress: OnProgress<'_>) -> Result<Edge, SearchError> {
    const TO_MS: u64 = 500;
    const HOUR_MS: u64 = 60 * 60 * 1_000;
    const CLIENTS: u32 = 2_000;
    const CLIENTS_A_NODE: u32 = 200;
    let longest = scenario.horizon_ms.max(HOUR_MS);
    let own = millis(rule::apply(scenario).load);
    let most = (longest / 4).max(own);
    let clients = scenario.server.nodes.saturating_mul(CLIENTS_A_NODE).max(CLIENTS);
    let mut builder = scenario.scaled_builder(scenario.clients.min(clients));
    builder.set("horizon", i64::try_from(longest).unwrap_or(i64::MAX));
    builder.set("step", "10s");
    let scenario = &builder.build()?;
    let mut runs = 0;
    let mut recovers = |load_ms: u64| {
        runs += 1;
        recovery(&with_load(scenario, load_ms).build()?, progress).map(|t99| t99.is_some())
    };
    let rule = millis(rule::apply(scenario).edge);
    let (mut low, mut high) = (None, None);
    // Brackets the edge, from the rule's on.
    let mut load = rule.clamp(TO_MS, most);
    while low.is_none() || high.is_none() {
        if recovers(load)? {
            low = Some(load);
            if load >= most || high.is_some() {
                break;
            }
            load = (load + load / 8 + TO_MS).min(most);
        } else {
            high = Some(load);
            if load <= TO_MS || low.is_some() {
                break;
            }
            load = (load - load / 8).saturating_sub(TO_MS).max(TO_MS);
        }
    }
    while let (Some(recovered), Some(stuck)) = (low, high)
        && stuck - recovered > TO_MS
    {
        let middle = recovered.midpoint(stuck);
        if recovers(middle)? { low = Some(middle) } else { high = Some(middle) }
    }
    Ok(Edge { recovers_ms: low, stuck_ms: high, runs })
}

/// The scenario with another N/C.
fn with_load(scenario: &Scenario, load_ms: u64) -> ScenarioBuilder {
    let server = &scenario.server;
    let (path, stage) = match (rule::apply(scenario).bottleneck, &server.login) {
        (Bottleneck::Login, Some(login)) => ("server.login", login),
        _ => ("server.accept", &server.accept),
    };
    let workers = u128::from(stage.workers) * u128::from(server.nodes);
    let lost = u128::from(rule::lost_at_once(scenario));
    let nanos = (u128::from(load_ms) * 1_000_000 * workers / lost).max(1_000);
    let mut builder = scenario.to_builder();
    builder.remove(&format!("{path}.capacity"));
    builder.set(&format!("{path}.service"), format!("{nanos}ns"));
    if let Some(admission) = &server.admission {
        let scaled = |rate: u64| {
            let rate = u128::from(rate) * stage.service.as_nanos() / nanos;
            i64::try_from(rate.clamp(1, u128::from(RATE))).unwrap_or(1)
        };
        builder.set("server.admission.per_second", scaled(admission.per_second));
        builder.set("server.admission.burst", scaled(admission.burst));
    }
    builder
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Finds the smallest `reconnect.spread` of all groups that makes a scenario recover, in whole
/// seconds.
///
/// # Errors
/// The core refuses a value.
pub fn smallest_spread(scenario: &Scenario) -> Result<Search, SearchError> {
    smallest_spread_with(scenario, &mut |_| ControlFlow::Continue(()))
}

/// [`smallest_spread`] with a progress function, which may end the search.
///
/// # Errors
/// The core refuses a value, or the progress function broke.
pub fn smallest_spread_with(
    scenario: &Scenario,
    progress: OnProgress<'_>,
) -> Result<Search, SearchError> {
    smallest(scenario, "reconnect.spread", 1, progress)
}

/// Finds the smallest `connect_timeout_max` of all groups that makes a scenario recover, in whole
/// seconds.
///
/// # Errors
/// The core refuses a value.
pub fn smallest_timeout_growth(scenario: &Scenario) -> Result<Search, SearchError> {
    smallest_timeout_growth_with(scenario, &mut |_| ControlFlow::Continue(()))
}

/// [`smallest_timeout_growth`] with a progress function, which may end the search.
///
/// # Errors
/// The core refuses a value, or the progress function broke.
pub fn smallest_timeout_growth_with(
    scenario: &Scenario,
    progress: OnProgress<'_>,
) -> Result<Search, SearchError> {
    let timeouts = scenario.groups.iter().map(|group| group.config.connect_timeout());
    let least = timeouts.max().unwrap_or_default();
    let least_s = least.as_secs() + u64::from(least.subsec_nanos() > 0);
    smallest(scenario, "connect_timeout_max", least_s.max(1), progress)
}

fn smallest(
    scenario: &Scenario,
    field: &str,
    least_s: u64,
    progress: OnProgress<'_>,
) -> Result<Search, SearchError> {
    let most_s = (scenario.horizon_ms / 1_000).max(least_s);
    let mut runs = 1;
    if let Some(t99_ms) = recovery(scenario, progress)? {
        return Ok(Search { seconds: Some(0), most_s, t99_ms: Some(t99_ms), runs });
    }
    let mut t99 = None;
    let mut try_with = |seconds: u64| -> Result<bool, SearchError> {
        runs += 1;
        let mut builder = scenario.to_builder();
        builder.configure(field, format!("{seconds}s"));
        let found = recovery(&builder.build()?, progress)?;
        if found.is_some() {
            t99 = found;
        }
        Ok(found.is_some())
    };
    let (mut fails, mut works) = (least_s - 1, None);
    let mut step = 1;
    while works.is_none() && fails < most_s {
        let seconds = (fails + step).min(most_s);
        if try_with(seconds)? {
            works = Some(seconds)
        } else {
            fails = seconds
        }
        step *= 2;
    }
    while let Some(worked) = works
        && worked - fails > 1
    {
        let middle = fails.midpoint(worked);
        if try_with(middle)? { works = Some(middle) } else { fails = middle }
    }
    Ok(Search { seconds: works, most_s, t99_ms: t99, runs })
}

/// When 99 % of the clients were served. A run ends early once they have been served for a while,
/// and nothing more goes wrong.
fn recovery(scenario: &Scenario, progress: OnProgress<'_>) -> Result<Option<u64>, SearchError> {
    const CALM_S: u32 = 30;
    let from = scenario.measured_from().max(scenario.released());
    let (mut calm, mut is_stopped) = (0, false);
    let outcome: outcome::Outcome = Simulation::new(scenario).run_with(&mut |at: Progress| {
        if progress(at).is_break() {
            is_stopped = true;
            return ControlFlow::Break(());
        }
        let is_served = at.served * 100 >= at.clients * 99;
        calm = if is_served && Duration::from_millis(at.now_ms) > from { calm + 1 } else { 0 };
        if calm >= CALM_S { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if is_stopped { Err(SearchError::Stopped) } else { Ok(outcome.recovery.t99_ms) }
}
