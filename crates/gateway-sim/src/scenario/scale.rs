//! The same storm with a smaller fleet.

use gateway_core::ConfigErrors;

use super::{Scenario, ScenarioBuilder};

impl Scenario {
    /// The same storm with another number of clients: the server's rates, queues and limits change
    /// in the same ratio. The rule depends on ratios alone, so a small fleet finds the same edge.
    ///
    /// The number of workers changes first, and the service time only by what is left of the ratio.
    /// A queue that is given as a span stays that span.
    ///
    /// The result has at least one client in each group. Rates and limits are rounded down, to at
    /// least 1.
    ///
    /// # Errors
    /// A changed value is out of its bounds.
    pub fn scaled(&self, clients: u32) -> Result<Self, ConfigErrors> {
        self.scaled_builder(clients).build()
    }

    pub(crate) fn scaled_builder(&self, clients: u32) -> ScenarioBuilder {
        let (from, to) = (u128::from(self.clients), u128::from(clients));
        let less =
            |count: u64| i64::try_from((u128::from(count) * to / from).max(1)).unwrap_or(i64::MAX);
        let mut builder = self.to_builder();
        builder.set("clients", i64::from(clients));
        let stages = [
            ("server.accept", Some(&self.server.accept)),
            ("server.login", self.server.login.as_ref()),
        ];
        for (path, stage) in stages.into_iter().filter_map(|(path, stage)| Some((path, stage?))) {
            builder.remove(&format!("{path}.capacity"));
            let workers = less(u64::from(stage.workers));
            let nanos = stage.service.as_nanos() * from * u128::from(workers.unsigned_abs());
            let nanos = nanos
                .checked_div(to * u128::from(stage.workers))
                .unwrap_or(stage.service.as_nanos());
            if stage.workers > 1 {
                builder.set(&format!("{path}.workers"), workers);
            }
            builder.set(&format!("{path}.service"), format!("{nanos}ns"));
            if !is_span(self.source.get("server"), path) {
                builder.set(&format!("{path}.queue"), less(stage.queue));
            }
        }
        if let Some(crash) = &self.server.crash {
            for (field, limit) in [("queue", crash.queue), ("open", crash.open)] {
                if let Some(limit) = limit {
                    builder.set(&format!("server.crash.{field}"), less(limit));
                }
            }
        }
        if let Some(admission) = &self.server.admission {
            builder.set("server.admission.per_second", less(admission.per_second));
            builder.set("server.admission.burst", less(admission.burst));
        }
        for (index, group) in self.groups.iter().enumerate() {
            if group.churn_per_second > 0 {
                builder.set(&format!("groups.{index}.churn"), less(group.churn_per_second));
            }
        }
        scale_counts(self, &mut builder, clients);
        builder
    }
}

/// Whether the queue of the stage at this path is given as a span of work.
fn is_span(server: Option<&toml::Value>, path: &str) -> bool {
    let stage = path.rsplit('.').next().and_then(|name| server?.get(name));
    let queue = stage.and_then(|stage| stage.get("queue")).and_then(toml::Value::as_str);
    queue.is_some_and(|text| !text.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Groups with counts get counts that add up to the new number.
fn scale_counts(scenario: &Scenario, builder: &mut ScenarioBuilder, clients: u32) {
    let listed = scenario.source.get("groups").and_then(toml::Value::as_array);
    if !listed.is_some_and(|groups| groups.iter().any(|group| group.get("count").is_some())) {
        return;
    }
    let (mut sum, mut given) = (0, 0);
    for (index, group) in scenario.groups.iter().enumerate() {
        sum += u64::from(group.clients);
        let upto = u64::from(clients) * sum / u64::from(scenario.clients);
        let count = upto.saturating_sub(given).max(1);
        given += count;
        builder.set(&format!("groups.{index}.count"), i64::try_from(count).unwrap_or(i64::MAX));
    }
    builder.set("clients", i64::try_from(given).unwrap_or(i64::MAX));
}
