//! Runs the target [`cli`](gateway_targets::CLI) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::CLI.run(bytes)));
