//! Runs scenarios, and prints a line for each: `cargo run --release -p gateway-sim --example named`.
//!
//! Arguments are names of scenarios, and settings such as `clients=5000` or
//! `config.connect_timeout=5s`, which apply to all of them.
#![allow(clippy::print_stdout)]

use std::error::Error;

use gateway_sim::{NamedScenario, ScenarioBuilder, Simulation, rule};

fn main() -> Result<(), Box<dyn Error>> {
    let (settings, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|text| text.contains('='));
    for &named in NamedScenario::ALL {
        if !names.is_empty() && !names.iter().any(|name| name == named.name()) {
            continue;
        }
        let mut builder = ScenarioBuilder::named(named);
        for (path, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
            match path.strip_prefix("config.") {
                Some(path) => builder.configure(path, value),
                None => builder.set(path, value),
            };
        }
        let scenario = builder.build()?;
        let rule = rule::apply(&scenario);
        let outcome = Simulation::new(&scenario).run();
        println!(
            "{named}: {:?}, {:.2} attempts/min, {:.0} % wasted, N/C {:?} of {:?}, {:?}",
            outcome.recovery,
            outcome.totals.attempts_per_client_minute,
            outcome.server.wasted_share * 100.0,
            rule.load,
            rule.edge,
            rule.silent,
        );
        for wave in outcome.waves.iter().take(6) {
            println!(
                "  {} at {} ms: {} opens, worst 100 ms {:.1} % at {} ms, worst 1 s {:.1} %",
                wave.cause,
                wave.from_ms,
                wave.opens,
                wave.worst_100ms.share * 100.0,
                wave.worst_100ms.at_ms,
                wave.worst_1s.share * 100.0
            );
        }
    }
    Ok(())
}
