//! Runs the target [`config`](gateway_targets::CONFIG) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::CONFIG.run(bytes)));
