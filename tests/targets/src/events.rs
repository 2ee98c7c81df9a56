//! Bytes become settings and events; the checker that the tests use judges every event of them.
//!
//! Catches: any invariant of ARCHITECTURE.md that some history of the core does not keep, and any panic or overflow.

use gateway_testkit::history::{Plan, run as run_plan};

use crate::Sights;

pub(crate) fn run(bytes: &[u8]) -> Sights {
    let world = match run_plan(&Plan::decode(bytes)) {
        Ok(world) => world,
        Err(violation) => panic!("{violation}"),
    };
    let statistics = world.rig.connection.statistics(world.rig.latest);
    let mut sights = Sights::new();
    if statistics.became_ready {
        sights.insert("ready");
    }
    if statistics.reconnects > 0 {
        sights.insert("reconnected");
    }
    if statistics.stale_events > 0 {
        sights.insert("stale");
    }
    sights
}
