//! A server that crashes if too many clients wait for it.

use gateway_sim::{NamedScenario, Simulation};

use super::Made;
use crate::clients::{EQUALS, NEW};
use crate::figure::Table;
use crate::{runs, storm};

const SEEDS: [i64; 3] = [1, 2, 3];

pub(super) fn crash() -> Made {
    let clients: Vec<_> = EQUALS.into_iter().chain([NEW]).collect();
    let points: Vec<_> =
        clients.iter().flat_map(|client| SEEDS.map(|seed| (*client, seed))).collect();
    let outcomes = runs::each(&points, |(client, seed)| {
        let mut builder = storm::of(NamedScenario::Crash, *client);
        builder.set("seed", *seed).set("server.crash.queue", 1_000);
        Ok::<_, gateway_core::ConfigErrors>(Simulation::new(&builder.build()?).run())
    })?;
    let mut header = vec!["client, initial/max".to_owned()];
    header.extend(SEEDS.map(|seed| format!("seed {seed}: 99 % ready, crashes")));
    let mut table = Table::new(&header);
    for (client, outcomes) in clients.iter().zip(outcomes.chunks(SEEDS.len())) {
        let mut cells = vec![client.name.to_owned()];
        let shown = outcomes
            .iter()
            .map(|outcome| format!("{}, {}", storm::t99(outcome), outcome.server.crashes));
        cells.extend(shown);
        table.row(&cells);
    }
    Ok(table.into())
}
