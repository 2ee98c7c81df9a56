//! Runs the target [`driver`](gateway_targets::DRIVER) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::DRIVER.run(bytes)));
