//! Bytes become settings and events; the checker that the tests use judges every event of them.
#![no_main]

use gateway_testkit::history::{Plan, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(violation) = run(&Plan::decode(bytes)) {
        panic!("{violation}");
    }
});
