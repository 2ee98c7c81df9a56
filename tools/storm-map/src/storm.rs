//! Scenarios of the figures, and what is read from their outcomes.

use std::time::Duration;

use gateway_sim::{NamedScenario, Outcome, ScenarioBuilder};

use crate::clients::Client;

/// The clients of most figures.
pub(crate) const CLIENTS: i64 = 20_000;

/// A named scenario with one kind of client.
pub(crate) fn of(named: NamedScenario, client: Client) -> ScenarioBuilder {
    let mut builder = ScenarioBuilder::named(named);
    builder.set("clients", CLIENTS);
    configure(&mut builder, client, "10s");
    builder
}

/// Gives all groups these settings, with this connect timeout.
pub(crate) fn configure(builder: &mut ScenarioBuilder, client: Client, timeout: &str) {
    builder
        .configure("reconnect.jitter", client.jitter)
        .configure("reconnect.initial_delay", client.initial)
        .configure("reconnect.max_delay", client.max)
        .configure("connect_timeout", timeout)
        .configure("connect_timeout_max", client.grows_to.unwrap_or(timeout));
}

/// All connections are lost at zero. The server needs `load` seconds to accept all clients once.
pub(crate) fn drop_at(load: u32, client: Client) -> ScenarioBuilder {
    let mut builder = of(NamedScenario::Drop, client);
    builder.remove("server.accept.capacity");
    builder.set("server.accept.service", format!("{}ns", service(load)));
    builder
}

/// The service time in nanoseconds with which all clients take `load` seconds.
fn service(load: u32) -> u64 {
    u64::from(load) * 1_000_000_000 / CLIENTS.unsigned_abs()
}

/// How long the recovery took, in seconds. A dash: not within the horizon.
pub(crate) fn t99(outcome: &Outcome) -> String {
    seconds(outcome.recovery.t99_ms)
}

pub(crate) fn seconds(millis: Option<u64>) -> String {
    millis.map_or_else(|| "–".to_owned(), |millis| tenths(Duration::from_millis(millis)))
}

/// Seconds with one digit after the point, rounded.
pub(crate) fn tenths(span: Duration) -> String {
    let tenths = (span.as_millis() + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// A share in percent, with one digit after the point.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}
