//! Where a storm stops recovering, by the cost of clients that have left.

use gateway_sim::{NamedScenario, ScenarioBuilder, SearchError};

use crate::StormError;

/// A row of the table: the edge of the simulator's scenario `drop` with this dead work, the jitter
/// `decorrelated` and a fixed connect timeout.
pub(crate) fn row(dead_work: f64) -> Result<String, StormError> {
    let mut builder = ScenarioBuilder::named(NamedScenario::Drop);
    builder.set("server.dead_work", dead_work);
    // The rule's settings, with a connect timeout that does not grow.
    builder
        .configure("reconnect.jitter", "decorrelated")
        .configure("reconnect.initial_delay", "1s")
        .configure("reconnect.max_delay", "30s")
        .configure("connect_timeout", "10s")
        .configure("connect_timeout_max", "10s");
    let edge = gateway_sim::edge(&builder.build()?).map_err(|error| match error {
        SearchError::Scenario(errors) => StormError::Scenario(errors),
        error => StormError::Search(error),
    })?;
    let seconds = |millis: Option<u64>| {
        millis.map_or_else(
            || "–".to_owned(),
            |millis| format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        )
    };
    Ok(format!("| {dead_work} | {} | {} |", seconds(edge.recovers_ms), seconds(edge.stuck_ms)))
}
