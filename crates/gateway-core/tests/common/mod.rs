//! What the tests of the core share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod stories;
pub(crate) mod strategies;

use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// Seeded: the same histories each time. `PROPTEST_CASES` asks for more of them.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
