//! Runs the target [`frames`](gateway_targets::FRAMES) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::FRAMES.run(bytes)));
