//! Runs named scenarios, and prints a line for each: `cargo run --release -p gateway-sim --example named`.
#![allow(clippy::print_stdout)]

use std::error::Error;

use gateway_sim::{NamedScenario, ScenarioBuilder, Simulation, rule};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for named in NamedScenario::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == named.name()) {
            continue;
        }
        let scenario = ScenarioBuilder::named(named).build()?;
        let rule = rule::apply(&scenario);
        let outcome = Simulation::new(&scenario).run();
        println!(
            "{named}: recovered {}, {:?}, attempts/min {:.2}, wasted {:.2}, rule {:?} edge {:?} {:?}, events {}",
            outcome.is_recovered,
            outcome.recovery,
            outcome.totals.attempts_per_client_minute,
            outcome.server.wasted_share,
            rule.is_stuck,
            rule.edge,
            rule.silent,
            outcome.events,
        );
        println!("  {:?}\n  {:?}", outcome.totals, outcome.server);
        for wave in outcome.waves.iter().take(6) {
            println!(
                "  {} from {} to {}: {} opens, worst 100 ms {:.3} at {}, worst 1 s {:.3}",
                wave.cause,
                wave.from_ms,
                wave.to_ms,
                wave.opens,
                wave.worst_100ms.share,
                wave.worst_100ms.at_ms,
                wave.worst_1s.share
            );
        }
    }
    Ok(())
}
