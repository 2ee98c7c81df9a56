//! Old clients among new ones.

use gateway_sim::{ScenarioBuilder, Simulation};

use super::Made;
use crate::clients::{Client, NEW, OLD};
use crate::figure::Table;
use crate::{runs, storm};

/// Beyond the old default's edge.
const LOAD: u32 = 60;
const SHARES: [f64; 7] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0];

pub(super) fn mixed() -> Made {
    let outcomes = runs::each(&SHARES, |share| {
        let scenario = scenario(*share).build()?;
        Ok::<_, gateway_core::ConfigErrors>(Simulation::new(&scenario).run())
    })?;
    let mut table = Table::new(&[
        "clients with the new default",
        "99 % of all ready after",
        "99 % of the new ones",
        "99 % of the old ones",
        "ready after ten minutes",
    ]);
    for (share, outcome) in SHARES.iter().zip(outcomes) {
        let of = |name: &str| {
            let group = outcome.groups.iter().find(|group| group.name == name);
            group.map_or_else(String::new, |group| storm::seconds(group.recovery.t99_ms))
        };
        let served: u64 = outcome.groups.iter().map(|group| group.served).sum();
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let ready = storm::percent(served as f64 / outcome.clients as f64);
        table.row(&[
            format!("{:.0} %", share * 100.0),
            storm::t99(&outcome),
            of("new"),
            of("old"),
            format!("{ready} %"),
        ]);
    }
    Ok(table.into())
}

fn scenario(share: f64) -> ScenarioBuilder {
    let mut builder = storm::drop_at(LOAD, OLD);
    builder.remove("groups");
    let groups = [("new", NEW, share), ("old", OLD, 1.0 - share)];
    for (place, (name, client, share)) in
        groups.into_iter().filter(|(_, _, share)| *share > 0.0).enumerate()
    {
        let group = format!("groups.{place}");
        builder.set(&format!("{group}.name"), name).set(&format!("{group}.share"), share);
        configure(&mut builder, &format!("{group}.config"), client);
    }
    builder
}

fn configure(builder: &mut ScenarioBuilder, at: &str, client: Client) {
    builder
        .set(&format!("{at}.reconnect.jitter"), client.jitter)
        .set(&format!("{at}.reconnect.initial_delay"), client.initial)
        .set(&format!("{at}.reconnect.max_delay"), client.max)
        .set(&format!("{at}.connect_timeout"), "10s")
        .set(&format!("{at}.connect_timeout_max"), client.grows_to.unwrap_or("10s"));
}
