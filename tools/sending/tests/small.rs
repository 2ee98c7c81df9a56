//! The program's searches, cut off early: a few seconds without optimisation.

use gateway_sending::{search, worlds};

#[test]
fn no_short_history_breaks_a_rule() {
    for world in worlds() {
        let findings = search(&world, Some(world.short_depth)).unwrap();
        assert!(findings.are_good(), "{findings}");
        assert!(findings.histories > 100, "{findings}");
    }
}
