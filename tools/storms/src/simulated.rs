//! The same storm in the simulator, with several seeds.

use gateway_sim::{Scenario, Simulation};

use crate::StormError;
use crate::curve::{STEP, Storm};

/// Simulates a scenario with each of the seeds 1 to `seeds`.
pub(crate) fn play(scenario: &Scenario, seeds: u32) -> Result<Vec<Storm>, StormError> {
    let with_seed = |seed: u32| {
        let mut builder = scenario.to_builder();
        builder.set("seed", i64::from(seed)).set("step", format!("{}ms", STEP.as_millis()));
        Ok(storm(&builder.build()?))
    };
    (1..=seeds).map(with_seed).collect()
}

fn storm(scenario: &Scenario) -> Storm {
    let outcome = Simulation::new(scenario).run();
    let count = |count: &u64| usize::try_from(*count).unwrap_or(usize::MAX);
    Storm {
        clients: scenario.clients() as usize,
        ready: outcome.curve.ready.iter().map(count).collect(),
        opens: outcome.totals.opens,
        refused: outcome.totals.refused,
        timeouts: outcome.totals.connect_timeouts,
        worst_100ms: outcome
            .waves
            .iter()
            .map(|wave| count(&wave.worst_100ms.opens))
            .max()
            .unwrap_or(0),
    }
}
