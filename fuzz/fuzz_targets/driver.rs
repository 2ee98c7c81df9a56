//! Runs [`gateway_targets::driver`] on what libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gateway_targets::driver(bytes));
