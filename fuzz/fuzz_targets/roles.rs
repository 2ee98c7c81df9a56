//! Runs the target [`roles`](gateway_targets::ROLES) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::ROLES.run(bytes)));
