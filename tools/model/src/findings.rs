//! The search, and its report as text.

use core::fmt;

use gateway_core::Instant;
use gateway_testkit::trace;
use stateright::{Checker, HasDiscoveries, Model};

use crate::configurations::Configuration;
use crate::drills;
use crate::law::Law;
use crate::sights::Sight;
use crate::state::State;
use crate::step::Step;
use crate::world::World;

/// The result of a search.
#[derive(Debug)]
#[non_exhaustive]
pub struct Findings {
    /// The configuration's name.
    pub name: &'static str,
    /// States reached by a step.
    pub states: usize,
    /// Different states.
    pub unique: usize,
    /// The length of the longest of the shortest histories to each state.
    pub depth: usize,
    /// Whether no history leads any further.
    pub is_exhausted: bool,
    verdicts: Vec<(Law, Option<Trace>)>,
    missing: Vec<Sight>,
    sights: String,
}

/// A history as text.
#[derive(Debug)]
struct Trace {
    steps: usize,
    lines: Vec<String>,
}

/// Searches every history of up to `depth` steps, or of the configuration's depth. If one breaks a law, the
/// findings have the shortest such history.
#[must_use]
pub fn search(configuration: Configuration, depth: Option<usize>) -> Findings {
    let (name, expected) = (configuration.name, configuration.expected);
    let is_whole = depth.is_none();
    let depth = depth.into_iter().chain(configuration.depth).min();
    let mut checker = walk(configuration.clone(), depth);
    // The search reports only now and then. By the first time it may also have found longer ones.
    if let Some(longest) =
        checker.discoveries().into_values().map(|path| path.into_actions().len()).max()
    {
        let mut shorter = (0..longest).map(|steps| walk(configuration.clone(), Some(steps)));
        let found = shorter.find(|checker| !checker.discoveries().is_empty());
        checker = found.unwrap_or(checker);
    }
    let depth_reached = checker.max_depth().saturating_sub(1);
    let verdict = |law: &Law| {
        let path = checker.discovery(law.words())?;
        Some(Trace::of(checker.model(), *law, path.into_vec()))
    };
    let verdicts: Vec<_> = Law::ALL.iter().map(|law| (*law, verdict(law))).collect();
    let is_broken = verdicts.iter().any(|(_, trace)| trace.is_some());
    let is_exhausted = !is_broken && depth.is_none_or(|steps| depth_reached <= steps);
    let sights = &checker.model().sights;
    Findings {
        name,
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: depth.map_or(depth_reached, |steps| depth_reached.min(steps)),
        is_exhausted,
        verdicts,
        missing: if is_whole && !is_broken { sights.missing(expected) } else { Vec::new() },
        sights: sights.to_string(),
    }
}

fn walk(configuration: Configuration, depth: Option<usize>) -> impl Checker<World> {
    let builder = World::new(configuration).checker().finish_when(HasDiscoveries::AnyFailures);
    let builder = match depth {
        // The first state counts, and the search takes one step more than it checks.
        Some(steps) => builder.target_max_depth(steps + 2),
        None => builder,
    };
    builder.spawn_bfs().join()
}

impl Findings {
    /// Whether every law held, and all expected sights were seen.
    #[must_use]
    pub fn are_good(&self) -> bool {
        self.missing.is_empty() && self.broken().next().is_none()
    }

    /// The laws that were broken, each with the steps of the history that broke it.
    pub fn broken(&self) -> impl Iterator<Item = (Law, usize)> {
        self.verdicts.iter().filter_map(|(law, trace)| Some((*law, trace.as_ref()?.steps)))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_exhausted { "no history leads on" } else { "cut off" };
        writeln!(
            f,
            "{}: {} states, {} unique, depth {} ({end})",
            self.name, self.states, self.unique, self.depth
        )?;
        for (law, trace) in &self.verdicts {
            match trace {
                None => writeln!(f, "  holds   {}", law.words())?,
                Some(trace) => {
                    writeln!(f, "  BROKEN  {}, in {} steps:", law.words(), trace.steps)?;
                    for line in &trace.lines {
                        writeln!(f, "      {line}")?;
                    }
                }
            }
        }
        for (kind, which) in &self.missing {
            writeln!(f, "  MISSING {kind} {which} was never seen")?;
        }
        writeln!(f, "  seen    {}", self.sights)
    }
}

impl Trace {
    fn of(world: &World, law: Law, path: Vec<(State, Option<Step>)>) -> Self {
        let steps = path.len().saturating_sub(1);
        let mut lines = Vec::new();
        for (state, step) in &path {
            if let Some(step) = step {
                lines.push(line(world, state, *step));
            }
        }
        if let Some((state, _)) = path.last() {
            lines.push(format!("=> {}", what_broke(law, state)));
        }
        Self { steps, lines }
    }
}

/// One step: the time in milliseconds, the event, and the connection's actions.
fn line(world: &World, state: &State, step: Step) -> String {
    let told = |now| Some((now, step.what.event(state, now)?));
    let Some((now, event)) = step.when.instant(state, world.stall()).and_then(told) else {
        return format!("{:>7}  {}", millis(state.now), step.what.words(state.last));
    };
    let mut connection = state.connection.clone();
    connection.dialect_mut().asks = world.asks(step);
    let actions = connection.handle(now, event);
    let after = connection.state();
    let seen = connection.observed(now, event, &actions);
    let idle = || format!("{:>7}  {}  {after}", millis(now), event.kind().name());
    trace::line(&seen).unwrap_or_else(idle)
}

fn what_broke(law: Law, state: &State) -> String {
    if let Some(fault) = &state.fault {
        return fault.what.clone();
    }
    let outcome = match law {
        Law::EarlyTick => drills::early_tick(state),
        Law::ClosingEnds => drills::closing_ends(state),
        Law::Recovers => drills::recovers(state),
        Law::OneSocket
        | Law::CloseWins
        | Law::OneClose
        | Law::Abort
        | Law::Total
        | Law::NoDeadEnd
        | Law::TickMovesOn
        | Law::ClosedStays
        | Law::Checker => Ok(()), // these leave a fault in the state
    };
    outcome.err().unwrap_or_default()
}

const fn millis(at: Instant) -> u64 {
    at.as_nanos() / 1_000_000
}
