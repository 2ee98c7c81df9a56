//! Bytes become settings and events; the checker that the tests use judges every event of them.
//!
//! Catches: any invariant of ARCHITECTURE.md that some history of the core does not keep, and any panic or overflow.

use gateway_testkit::history::{Plan, World, run as run_plan};

use crate::Sights;

pub(crate) fn run(bytes: &[u8]) -> Sights {
    match run_plan(&Plan::decode(bytes)) {
        Ok(world) => sights(&world),
        Err(violation) => panic!("{violation}"),
    }
}

/// What a history has reached.
pub(crate) fn sights(world: &World) -> Sights {
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
