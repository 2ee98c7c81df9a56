//! Runs the target [`answers`](gateway_targets::ANSWERS) on libFuzzer's inputs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(gateway_targets::ANSWERS.run(bytes)));
