//! Bytes become settings and events; the core must do what the model of its contract predicts.
#![no_main]

use gateway_testkit::history::{Plan, compare};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(violation) = compare(&Plan::decode(bytes)) {
        panic!("{violation}");
    }
});
