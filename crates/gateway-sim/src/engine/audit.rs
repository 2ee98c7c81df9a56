//! Checks that no client is lost, and that all counts agree. Tests run it once a simulated second.

use super::client::{Client, Link, NEVER, Phase};
use super::world::World;

/// # Panics
/// A client or a count is lost.
pub(super) fn check(world: &World, clients: &[Client]) {
    let mut phases = [0_u64; 5];
    let mut served = 0;
    let mut open = vec![0_u64; world.nodes.len()];
    for (index, client) in clients.iter().enumerate() {
        phases[client.phase as usize] += 1;
        served += u64::from(client.is_served());
        open[usize::from(client.node)] += u64::from(client.link != Link::None);
        assert_eq!(client.phase, client.current_phase(), "client {index} changed its state unseen");
        let deadline = client
            .connection
            .next_deadline()
            .map(|at| at.as_nanos().saturating_sub(world.epoch_ns));
        if let Some(deadline) = deadline {
            assert!(client.armed != NEVER, "client {index} has a deadline, and no timer");
            let due = deadline.div_ceil(1_000_000);
            let armed = u64::from(client.armed);
            assert!(armed >= world.now, "client {index}: the timer has passed");
            assert!(armed <= due.max(world.now + 1), "client {index}: the timer is late");
        }
        let is_alone = deadline.is_none()
            && matches!(client.phase, Phase::Waiting | Phase::Connecting | Phase::LoggingIn);
        assert!(!is_alone, "client {index} waits for nothing");
    }
    assert_eq!(phases, world.phases, "states");
    assert_eq!(served, world.served, "served");
    assert_eq!(
        world.tallies.iter().map(|tally| tally.served).sum::<u64>(),
        served,
        "served by group"
    );
    for (number, node) in world.nodes.iter().enumerate() {
        assert_eq!(node.open, open[number], "connections of node {number}");
    }
}
