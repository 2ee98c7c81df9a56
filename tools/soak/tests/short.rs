//! A short soak: a few clients of each driver, until each driver has met each fault once.

use std::time::Duration;

use gateway_soak::{Settings, run};

#[test]
fn every_fault_is_lived_through_and_every_message_accounted_for() {
    let settings =
        Settings { time: None, storm: Duration::from_secs(10), seed: 1, std: 8, tokio: 8 };
    let report = run(settings, |_| {}).expect("sockets and threads");
    assert!(report.is_good(), "{report}");
    assert!(report.rarest_fault() > 0, "{report}");
}
