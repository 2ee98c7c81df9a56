//! Runs the target [`journal`](gateway_targets::JOURNAL) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::JOURNAL.run(bytes)));
