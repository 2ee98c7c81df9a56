//! Checks that no client is lost, and that all counts agree. Tests run it once a simulated second.

use std::collections::BTreeSet;

use super::client::{Client, Link, NEVER, Phase};
use super::world::World;

/// # Panics
/// A client or a count is lost.
pub(super) fn check(world: &World, clients: &[Client]) {
    let mut waits = BTreeSet::new();
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
            let armed = u64::from(client.armed);
            let due = world.due(client, deadline.div_ceil(1_000_000)).unwrap_or(0);
            assert!(armed >= world.now, "client {index}: the timer has passed");
            assert!(armed <= due.max(world.now), "client {index}: the timer is late");
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
        for work in std::iter::once(&node.accept).chain(&node.login) {
            assert!(work.is_conserved(), "an entry of a queue of node {number} is lost");
            for entry in
                work.entries().filter(|entry| clients[entry.client as usize].life == entry.life)
            {
                assert!(waits.insert(entry.client), "client {} is in two queues", entry.client);
            }
        }
    }
}
