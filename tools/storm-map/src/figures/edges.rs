//! The edge of each strategy, by the rule and in simulation.

use std::time::Duration;

use gateway_sim::rule;

use super::Made;
use crate::clients::{NEW, STRATEGIES};
use crate::figure::Table;
use crate::{runs, storm};

const TIMEOUTS: [u32; 3] = [5, 10, 20];

pub(super) fn edges() -> Made {
    let clients: Vec<_> = STRATEGIES.into_iter().chain([NEW]).collect();
    let points: Vec<_> =
        clients.iter().flat_map(|client| TIMEOUTS.map(|timeout| (*client, timeout))).collect();
    let edges = runs::each(&points, |(client, timeout)| {
        let mut builder = storm::drop_at(40, *client);
        storm::configure(&mut builder, *client, &format!("{timeout}s"));
        // Near the edge, a recovery takes long.
        builder.set("horizon", "60m");
        let scenario = builder.build()?;
        let simulated = gateway_sim::edge(&scenario)?.recovers_ms.map(Duration::from_millis);
        Ok::<_, gateway_sim::SearchError>((rule::apply(&scenario).edge, simulated))
    })?;
    let mut header = vec!["client, 1 s/30 s if nothing else is said".to_owned()];
    header.extend(TIMEOUTS.map(|timeout| format!("T = {timeout} s: rule, simulated")));
    header.push("largest difference".to_owned());
    let mut table = Table::new(&header);
    for (client, edges) in clients.iter().zip(edges.chunks(TIMEOUTS.len())) {
        let mut cells = vec![client.name.to_owned()];
        let mut largest = (Duration::ZERO, "");
        for (rule, simulated) in edges {
            let simulated = simulated.unwrap_or_default();
            cells.push(format!("{}, {}", storm::tenths(*rule), storm::tenths(simulated)));
            let sign = if simulated < *rule { "−" } else { "+" };
            largest = largest.max((rule.abs_diff(simulated), sign));
        }
        cells.push(format!("{}{} s", largest.1, storm::tenths(largest.0)));
        table.row(&cells);
    }
    Ok(table.into())
}
