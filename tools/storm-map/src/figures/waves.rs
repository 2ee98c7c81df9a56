//! The atom: delays that pile up at the cap.

use gateway_core::ConfigErrors;
use gateway_sim::{NamedScenario, Outcome, Simulation};

use super::Made;
use crate::clients::{Client, EQUALS, NEW, OLD};
use crate::figure::{Figure, Table};
use crate::{picture, runs, storm};

/// When the server returns, in seconds.
const BACK: u32 = 120;
const AGAIN: [u32; 5] = [5, 10, 20, 29, 40];
/// The picture shows this one.
const SHOWN: u32 = 20;

pub(super) fn atom() -> Made {
    let clients = [OLD, EQUALS[1], EQUALS[2], NEW];
    let points: Vec<_> =
        clients.iter().flat_map(|client| AGAIN.map(|after| (*client, after))).collect();
    let outcomes = runs::each(&points, |(client, after)| run(*client, *after))?;
    let mut header = vec!["client".to_owned()];
    header.extend(AGAIN.map(|after| format!("lost again after {after} s")));
    let mut table = Table::new(&header);
    for (client, outcomes) in clients.iter().zip(outcomes.chunks(AGAIN.len())) {
        let mut cells = vec![client.name.to_owned()];
        cells.extend(outcomes.iter().map(|outcome| format!("{} %", worst(outcome))));
        table.row(&cells);
    }
    let place = AGAIN.iter().position(|after| *after == SHOWN).unwrap_or(0);
    let curve = |client: usize| &outcomes[client * AGAIN.len() + place].curve;
    let series = [(OLD.name, opens(curve(0))), (NEW.name, opens(curve(3)))];
    let picture = picture::waves(&series, BACK + SHOWN)?;
    Ok(Figure { table: table.finish(), picture: Some(picture) })
}

/// The server is away for two minutes, returns, and loses all connections again.
pub(super) fn run(client: Client, after: u32) -> Result<Outcome, ConfigErrors> {
    let mut builder = storm::of(NamedScenario::SecondDrop, client);
    builder.set("faults.1.at", format!("{}s", BACK + after));
    builder.set("step", "100ms").set("horizon", format!("{}s", BACK + after + 100));
    Ok(Simulation::new(&builder.build()?).run())
}

/// The most opens in 100 ms after the second loss, in percent of the fleet.
pub(super) fn worst(outcome: &Outcome) -> String {
    storm::percent(outcome.waves.last().map_or(0.0, |wave| wave.worst_100ms.share))
}

/// The opens of each 100 ms from the second loss on, in percent of the fleet.
fn opens(curve: &gateway_sim::Curve) -> Vec<(f64, f64)> {
    let from = u64::from(BACK + SHOWN) * 1_000;
    let rows = curve.at_ms.iter().zip(&curve.opens).filter(|(at, _)| **at > from);
    let point = |(at, opens): (&u64, &u64)| {
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let (at, opens) = ((at - from) as f64, *opens as f64);
        (at / 1_000.0, opens * 100.0 / f64::from(u32::try_from(storm::CLIENTS).unwrap_or(1)))
    };
    rows.map(point).collect()
}
