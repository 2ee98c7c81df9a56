//! What the simulator promises.

mod bad_input;
mod checked;
mod determinism;
mod facts;
mod overlaps;
mod rule;
mod searches;
mod servers;

use gateway_sim::{NamedScenario, Outcome, ScenarioBuilder, Simulation};

/// A named scenario with a small fleet, and a server that is smaller in the same ratio.
fn small(named: NamedScenario, clients: u32) -> ScenarioBuilder {
    let scenario = ScenarioBuilder::named(named).build().expect("a named scenario is valid");
    scenario.scaled(clients).expect("a smaller one is valid, too").to_builder()
}

/// Runs a scenario, and audits it once a simulated second.
fn run(builder: &ScenarioBuilder) -> Outcome {
    match builder.build() {
        Ok(scenario) => Simulation::new(&scenario).audited().run(),
        Err(errors) => panic!("{errors}"),
    }
}
