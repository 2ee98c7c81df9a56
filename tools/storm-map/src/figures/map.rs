//! The map: how long a fleet needs to recover, by N/C and connect timeout.

use gateway_core::ConfigErrors;
use gateway_sim::Simulation;

use super::Made;
use crate::clients::{Client, NEW, OLD};
use crate::figure::{Figure, Table};
use crate::picture::{self, Map};
use crate::{runs, storm};

const LOADS: [u32; 12] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120];
const TIMEOUTS: [u32; 9] = [2, 5, 7, 10, 12, 15, 20, 25, 30];
const SHOWN: [u32; 3] = [5, 10, 20];

pub(super) fn map() -> Made {
    let (old, new) = (grid(OLD)?, grid(NEW)?);
    let mut header = vec!["N/C".to_owned()];
    for client in ["old", "new"] {
        header.extend(SHOWN.map(|timeout| format!("T = {timeout} s, {client}")));
    }
    let mut table = Table::new(&header);
    for (row, load) in LOADS.iter().enumerate() {
        let mut cells = vec![format!("{load} s")];
        for grid in [&old, &new] {
            for (column, _) in TIMEOUTS.iter().enumerate().filter(|(_, it)| SHOWN.contains(it)) {
                cells.push(storm::seconds(grid[row * TIMEOUTS.len() + column]));
            }
        }
        table.row(&cells);
    }
    let rule = |client: Client| -> Result<Vec<f64>, ConfigErrors> {
        let edge = |timeout: &u32| {
            let mut builder = storm::drop_at(40, client);
            storm::configure(&mut builder, client, &format!("{timeout}s"));
            Ok(gateway_sim::rule::apply(&builder.build()?).edge.as_secs_f64())
        };
        TIMEOUTS.iter().map(edge).collect()
    };
    let maps = [
        Map { caption: OLD.name, times: &old, rule: rule(OLD)? },
        Map { caption: NEW.name, times: &new, rule: rule(NEW)? },
    ];
    let picture = picture::maps(&maps, &TIMEOUTS, &LOADS)?;
    Ok(Figure { table: table.finish(), picture: Some(picture) })
}

/// The recovery times, row by row.
fn grid(client: Client) -> Result<Vec<Option<u64>>, ConfigErrors> {
    let points: Vec<_> =
        LOADS.iter().flat_map(|load| TIMEOUTS.map(|timeout| (*load, timeout))).collect();
    runs::each(&points, |(load, timeout)| {
        let mut builder = storm::drop_at(*load, client);
        storm::configure(&mut builder, client, &format!("{timeout}s"));
        Ok(Simulation::new(&builder.build()?).run().recovery.t99_ms)
    })
}
