//! The program's searches, cut off early: a few seconds without optimisation.

use gateway_model::{configurations, search};

#[test]
fn no_short_history_breaks_a_law() {
    for configuration in configurations().unwrap() {
        let findings = search(configuration, Some(6));
        assert!(findings.are_good(), "{findings}");
        assert!(findings.unique > 100, "{findings}");
    }
}
