//! The project's invariant checker, on a sample of clients in every named scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_core::{Config, Event, Observed};
use gateway_sim::{NamedScenario, Simulation, Witness};
use gateway_testkit::{Checker, Violation};

use crate::small;

/// Checks what it sees. A lying witness leaves out each hundredth Tick.
#[derive(Default)]
struct Checks {
    checkers: BTreeMap<u32, Checker>,
    events: u64,
    ticks: u64,
    lies: bool,
    violations: Vec<(u32, Violation)>,
}

impl Witness for Checks {
    fn on_new(&mut self, client: u32, config: &Arc<Config>) {
        self.checkers.insert(client, Checker::new(Arc::clone(config)));
    }

    fn on_event(&mut self, client: u32, observed: &Observed<'_>) {
        self.events += 1;
        self.ticks += u64::from(matches!(observed.event, Event::Tick));
        if self.lies && self.ticks.is_multiple_of(100) && matches!(observed.event, Event::Tick) {
            return;
        }
        let Some(checker) = self.checkers.get_mut(&client) else {
            panic!("client {client} was not announced")
        };
        if let Err(violation) = checker.observe(observed) {
            self.violations.push((client, violation));
        }
    }
}

fn check(named: NamedScenario, latency: &str, checks: &mut Checks) {
    let mut builder = small(named, 1_000);
    builder.set("groups.0.churn", 2).set("network.latency", latency).set("network.jitter", latency);
    let _ = Simulation::new(&builder.build().unwrap()).witness(25, checks).audited().run();
}

#[test]
fn no_invariant_is_broken_in_any_named_scenario() {
    for &named in NamedScenario::ALL {
        // Without latency, what the server answers arrives within the same call.
        for latency in ["5ms", "0ms"] {
            let mut checks = Checks::default();
            check(named, latency, &mut checks);
            let first = checks.violations.first();
            assert!(first.is_none(), "{named}, {latency}: {first:?}");
            assert!(
                checks.checkers.len() == 40 && checks.events > 1_000,
                "{named}, {latency}: {} events",
                checks.events
            );
        }
    }
}

#[test]
fn clients_that_run_ahead_are_checked_too() {
    let mut checks = Checks::default();
    let scenario = small(NamedScenario::Refused, 400).build().unwrap();
    let _ = Simulation::new(&scenario).witness(10, &mut checks).run();
    assert!(checks.violations.is_empty(), "{:?}", checks.violations.first());
    assert!(checks.events > 40 * 2 * 20, "{}", checks.events);
}

#[test]
fn a_witness_that_lies_is_noticed() {
    let mut checks = Checks { lies: true, ..Checks::default() };
    check(NamedScenario::Drop, "5ms", &mut checks);
    assert!(!checks.violations.is_empty());
    let mut checks = Checks { lies: true, ..Checks::default() };
    check(NamedScenario::Drop, "0ms", &mut checks);
    assert!(!checks.violations.is_empty());
}
