//! The search of all histories of a world, the shortest first.

use std::fmt;

use gateway_core::ConfigErrors;

use crate::history::{Fault, History, Sights, Step};
use crate::worlds::World;

/// The result of a search.
#[derive(Debug)]
#[non_exhaustive]
pub struct Findings {
    /// The world's name.
    pub name: &'static str,
    /// The steps of the longest histories.
    pub depth: usize,
    /// How many histories were run to their end, in two ways each.
    pub histories: u64,
    /// The steps of the shortest history that breaks a rule, and the rule.
    pub broken: Option<(Vec<Step>, Fault)>,
    /// What had to be seen, and was not.
    pub missing: Vec<&'static str>,
    seen: Sights,
}

/// Searches all histories of up to `depth` steps, or of the world's depth. A search of the world's
/// depth must also have seen what the world expects.
///
/// # Errors
/// If the world's settings are out of their limits.
pub fn search(world: &World, depth: Option<usize>) -> Result<Findings, ConfigErrors> {
    let is_whole = depth.is_none_or(|depth| depth >= world.depth);
    let depth = depth.unwrap_or(world.depth);
    let mut search = Search { world, seen: Sights::new(), histories: 0, broken: None };
    for steps in 1..=depth {
        search.histories = 0;
        search.go_on(&mut Vec::with_capacity(steps), steps)?;
        if search.broken.is_some() {
            break;
        }
    }
    let Search { seen, histories, broken, .. } = search;
    let is_missing = |what: &&&str| is_whole && broken.is_none() && !seen.contains(**what);
    let missing = world.expected.iter().filter(is_missing).copied().collect();
    Ok(Findings { name: world.name, depth, histories, broken, missing, seen })
}

struct Search<'a> {
    world: &'a World,
    seen: Sights,
    histories: u64,
    broken: Option<(Vec<Step>, Fault)>,
}

impl Search<'_> {
    /// Runs all histories that begin with these steps and have `more` after them.
    fn go_on(&mut self, steps: &mut Vec<Step>, more: usize) -> Result<(), ConfigErrors> {
        let world = self.world;
        let Some(history) = self.replay(steps)? else { return Ok(()) };
        let offered: Vec<Step> =
            world.steps.iter().copied().filter(|step| history.offers(*step)).collect();
        if more == 0 || offered.is_empty() {
            let closed = history.close();
            let abandoned = match self.replay(steps)? {
                Some(history) => history.abandon(),
                None => return Ok(()),
            };
            self.histories += 1;
            if let Err(fault) = closed.and(abandoned) {
                self.broken = Some((steps.clone(), fault));
            }
            return Ok(());
        }
        for step in offered {
            steps.push(step);
            self.go_on(steps, more - 1)?;
            steps.pop();
            if self.broken.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Runs a history up to here. Returns `None` if it breaks a rule.
    fn replay(&mut self, steps: &[Step]) -> Result<Option<History<'_>>, ConfigErrors> {
        let mut history = History::new(self.world, self.world.session()?, &mut self.seen);
        for step in self.world.begin.iter().chain(steps) {
            if let Err(fault) = history.take(*step) {
                self.broken = Some((steps.to_vec(), fault));
                return Ok(None);
            }
        }
        Ok(Some(history))
    }
}

impl Findings {
    /// Whether no rule was broken, and all that had to be seen was seen.
    #[must_use]
    pub fn are_good(&self) -> bool {
        self.broken.is_none() && self.missing.is_empty()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} histories of {} steps", self.name, self.histories, self.depth)?;
        match &self.broken {
            None => writeln!(f, "  holds   every rule")?,
            Some((steps, fault)) => {
                writeln!(f, "  BROKEN  {}: {}", fault.law, fault.what)?;
                writeln!(f, "  after   {steps:?}")?;
            }
        }
        for what in &self.missing {
            writeln!(f, "  MISSING {what} was never seen")?;
        }
        let seen: Vec<_> = self.seen.iter().copied().collect();
        writeln!(f, "  seen    {}", seen.join(" "))
    }
}
