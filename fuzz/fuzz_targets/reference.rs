//! Runs [`gateway_targets::reference`] on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gateway_targets::reference(bytes));
