//! Runs the target [`reference`](gateway_targets::REFERENCE) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::REFERENCE.run(bytes)));
