//! The command `gateway demo` ends on its own, and every message is accounted for.

mod common;

use common::{Ended, gateway, run};

/// The demo bounds itself: past 19 s it says so, and fails. That is what is looked at here, no clock.
#[tokio::test]
async fn the_demo_rides_out_its_faults_and_accounts_for_every_message_on_either_driver() {
    let demo = |driver| run(gateway(&["demo", "--seed", "7", "--driver", driver]), b"");
    let (on_tokio, on_std) = tokio::join!(demo("tokio"), demo("std"));

    rode_out_every_fault("tokio", on_tokio);
    rode_out_every_fault("std", on_std);
}

fn rode_out_every_fault(driver: &str, Ended { status, stdout, stderr }: Ended) {
    assert_eq!(status, Some(0), "{driver}: {stdout}{stderr}");
    assert_eq!(stderr, "", "{driver}");
    assert!(!stdout.contains('\x1b'), "{driver}: colours without a terminal");
    for part in [
        "lost (reset)",
        "pong_timeout",
        "open_failed (refused)",
        "lost (eof)",
        "close_received 1012",
        "then the write buffer was full",
        "DISCONNECTED -> CONNECTING",
        "CLOSING -> CLOSED",
        "6 faults survived in ",
        "every message is accounted for",
    ] {
        assert!(stdout.contains(part), "{driver}: {part}: {stdout}");
    }
    let line = stdout.lines().find(|line| line.contains(" handed over = ")).expect("the sum");
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers[0], numbers[1..].iter().sum::<u64>(), "{driver}: {line}");
}
