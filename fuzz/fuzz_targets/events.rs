//! Runs the target [`events`](gateway_targets::EVENTS) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::EVENTS.run(bytes)));
