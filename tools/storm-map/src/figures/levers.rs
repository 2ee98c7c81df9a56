//! What a client can do: a connect timeout that grows, and a spread after a loss.

use gateway_core::ConfigErrors;
use gateway_sim::Simulation;

use super::Made;
use crate::clients::{Client, FLOORED, NEW, OLD};
use crate::figure::Table;
use crate::{runs, storm};

const LOADS: [u32; 4] = [40, 60, 80, 120];

pub(super) fn growth() -> Made {
    const BOUNDS: [&str; 5] = ["10s", "20s", "40s", "60s", "120s"];
    let clients: Vec<Client> =
        [OLD, FLOORED].iter().flat_map(|client| BOUNDS.map(|to| client.growing_to(to))).collect();
    let times = recoveries(&clients, |_, _| {})?;
    let mut header = vec!["client".to_owned(), "timeout grows from 10 s to".to_owned()];
    header.extend(LOADS.map(|load| format!("N/C = {load} s")));
    let mut table = Table::new(&header);
    for (client, times) in clients.iter().zip(times.chunks(LOADS.len())) {
        let mut cells =
            vec![client.name.to_owned(), client.grows_to.unwrap_or("10s").replace('s', " s")];
        cells.extend(times.iter().cloned());
        table.row(&cells);
    }
    Ok(table.into())
}

pub(super) fn spread() -> Made {
    const SPREADS: [u32; 7] = [0, 10, 20, 30, 40, 60, 80];
    let mut header = vec!["client".to_owned(), "spread".to_owned()];
    header.extend(LOADS.map(|load| format!("N/C = {load} s")));
    let mut table = Table::new(&header);
    for client in [OLD, NEW] {
        for spread in SPREADS {
            let times = recoveries(&[client], |builder, _| {
                builder.configure("reconnect.spread", format!("{spread}s"));
            })?;
            let mut cells = vec![client.name.to_owned(), format!("{spread} s")];
            cells.extend(times);
            table.row(&cells);
        }
    }
    Ok(table.into())
}

/// How long each client needs at each load.
fn recoveries(
    clients: &[Client],
    change: impl Fn(&mut gateway_sim::ScenarioBuilder, u32) + Sync,
) -> Result<Vec<String>, ConfigErrors> {
    let points: Vec<_> =
        clients.iter().flat_map(|client| LOADS.map(|load| (*client, load))).collect();
    runs::each(&points, |(client, load)| {
        let mut builder = storm::drop_at(*load, *client);
        change(&mut builder, *load);
        Ok(storm::t99(&Simulation::new(&builder.build()?).run()))
    })
}
