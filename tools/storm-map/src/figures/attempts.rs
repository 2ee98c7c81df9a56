//! What a client costs the server in attempts, and what it gets for them.

use gateway_core::ConfigErrors;
use gateway_sim::{NamedScenario, Outcome, Simulation};

use super::{Made, waves};
use crate::clients::{Client, EQUALS, FLOORED, NEW, OLD};
use crate::figure::Table;
use crate::{runs, storm};

const SEEDS: [i64; 3] = [1, 2, 3];
/// When a server that was dropped loses all connections again, in seconds after its return.
const AGAIN: u32 = 20;

/// What one client does in the five cases of the table.
struct Case {
    long_outage: Outcome,
    short_outage: Outcome,
    again: Outcome,
    bounded: Outcome,
}

impl Case {
    fn run(client: Client, seed: i64) -> Result<Self, ConfigErrors> {
        let run = |mut builder: gateway_sim::ScenarioBuilder| {
            builder.set("seed", seed);
            Ok::<_, ConfigErrors>(Simulation::new(&builder.build()?).run())
        };
        let mut long = storm::of(NamedScenario::Refused, client);
        long.set("horizon", "60m").set("faults.0.to", "60m");
        let mut bounded = storm::drop_at(40, client);
        bounded.set("server.accept.queue", "5s");
        Ok(Self {
            long_outage: run(long)?,
            short_outage: run(storm::of(NamedScenario::Outage, client))?,
            again: waves::run(client, AGAIN)?,
            bounded: run(bounded)?,
        })
    }
}

pub(super) fn equal() -> Made {
    let points: Vec<_> =
        EQUALS.iter().flat_map(|client| SEEDS.map(|seed| (*client, seed))).collect();
    let cases = runs::each(&points, |(client, seed)| Case::run(*client, *seed))?;
    let mut table = Table::new(&[
        "client, initial/max",
        "attempts a minute in a long outage",
        "first wave: worst 100 ms, 1 s",
        "after an outage: 50 %, 99 % ready",
        "lost again after 20 s: worst 100 ms, 1 s",
        "drop at N/C = 40 s, queue of 5 s",
    ]);
    for (client, cases) in EQUALS.iter().zip(cases.chunks(SEEDS.len())) {
        let first = |case: &Case| case.short_outage.waves.first().cloned();
        let again = |case: &Case| case.again.waves.last().cloned();
        let share = |peak: Option<gateway_sim::Peak>| peak.map_or(0.0, |peak| peak.share * 100.0);
        table.row(&[
            client.name.to_owned(),
            mean(cases, 2, |case| Some(case.long_outage.totals.attempts_per_client_minute)),
            format!(
                "{}, {} %",
                mean(cases, 1, |case| Some(share(first(case).map(|wave| wave.worst_100ms)))),
                mean(cases, 1, |case| Some(share(first(case).map(|wave| wave.worst_1s)))),
            ),
            format!(
                "{}, {}",
                mean(cases, 1, |case| secs(case.short_outage.recovery.t50_ms)),
                mean(cases, 1, |case| secs(case.short_outage.recovery.t99_ms)),
            ),
            format!(
                "{}, {} %",
                mean(cases, 1, |case| Some(share(again(case).map(|wave| wave.worst_100ms)))),
                mean(cases, 1, |case| Some(share(again(case).map(|wave| wave.worst_1s)))),
            ),
            mean(cases, 1, |case| secs(case.bounded.recovery.t99_ms)),
        ]);
    }
    Ok(table.into())
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds are far below 2^53")]
fn secs(millis: Option<u64>) -> Option<f64> {
    millis.map(|millis| millis as f64 / 1_000.0)
}

/// The mean over the seeds. A dash: one of them did not recover.
fn mean(cases: &[Case], digits: usize, of: impl Fn(&Case) -> Option<f64>) -> String {
    let values: Option<Vec<f64>> = cases.iter().map(of).collect();
    let count = f64::from(u32::try_from(cases.len()).unwrap_or(1));
    values.map_or_else(
        || "–".to_owned(),
        |values| format!("{:.digits$}", values.iter().sum::<f64>() / count),
    )
}

/// When a client forgets its attempts: once it has been stable, or as soon as a socket opens.
pub(super) fn resets() -> Made {
    const RESETS: [(&str, &str); 2] =
        [("once it was stable", "stable"), ("as soon as a socket opens", "open")];
    let named = [NamedScenario::AcceptThenDrop, NamedScenario::LoginQueue];
    let clients = [OLD, NEW];
    let points: Vec<_> = clients
        .iter()
        .flat_map(|client| RESETS.map(|(_, resets)| (*client, resets)))
        .flat_map(|(client, resets)| named.map(|named| (client, resets, named)))
        .collect();
    let outcomes = runs::each(&points, |(client, resets, named)| {
        let mut builder = storm::of(*named, *client);
        builder.set("groups.0.resets", *resets);
        Ok::<_, ConfigErrors>(Simulation::new(&builder.build()?).run())
    })?;
    let mut table = Table::new(&[
        "client",
        "forgets its attempts",
        "attempts a minute if the server accepts, and drops at once",
        "99 % ready after a drop, with a login queue at N/C = 40 s",
    ]);
    let rows = clients.iter().flat_map(|client| RESETS.map(|(words, _)| (client.name, words)));
    for ((name, words), outcomes) in rows.zip(outcomes.chunks(named.len())) {
        let attempts = outcomes[0].totals.attempts_per_client_minute;
        table.row(&[name, words, &format!("{attempts:.2}"), &storm::t99(&outcomes[1])]);
    }
    Ok(table.into())
}

/// The old default against the new one.
pub(super) fn defaults() -> Made {
    const LOADS: [u32; 5] = [20, 30, 40, 50, 60];
    let clients = [OLD, FLOORED, NEW];
    let points: Vec<_> =
        clients.iter().flat_map(|client| LOADS.map(|load| (*client, load))).collect();
    let drops = runs::each(&points, |(client, load)| {
        Ok::<_, ConfigErrors>(Simulation::new(&storm::drop_at(*load, *client).build()?).run())
    })?;
    let cases = runs::each(&clients, |client| Case::run(*client, 1))?;
    let mut header = vec!["client".to_owned(), "attempts a minute in a long outage".to_owned()];
    header.push("lost again after 20 s: worst 100 ms".to_owned());
    header.extend(LOADS.map(|load| format!("N/C = {load} s")));
    let mut table = Table::new(&header);
    for ((client, case), drops) in clients.iter().zip(&cases).zip(drops.chunks(LOADS.len())) {
        let attempts = case.long_outage.totals.attempts_per_client_minute;
        let mut cells = vec![client.name.to_owned(), format!("{attempts:.2}")];
        cells.push(format!("{} %", waves::worst(&case.again)));
        cells.extend(drops.iter().map(storm::t99));
        table.row(&cells);
    }
    Ok(table.into())
}
