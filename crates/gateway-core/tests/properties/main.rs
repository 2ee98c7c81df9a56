//! Random tests: histories, configurations, delays. And the fuzzer's seeds and findings.

mod accepted;
mod backoff;
mod config;
mod corpus;
mod distribution;
mod invariants;
mod reach;
mod reference;
mod settings;
mod strategies;

use proptest::test_runner::{Config as ProptestConfig, RngSeed};

/// Seeded: the same values each time. `PROPTEST_CASES` asks for more of them.
fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
