//! The command `gateway demo` ends on its own, and every message is accounted for. Its recording
//! replays.

mod common;

use common::{Ended, file, gateway, run};

/// The demo bounds itself: past 19 s it says so, and fails. That is what is looked at here, no clock.
#[tokio::test]
async fn the_demo_rides_out_its_faults_and_its_recording_replays_on_either_driver() {
    let demo = async |driver: &str| {
        let journal = file(&format!("demo-{driver}.jsonl"), "");
        let journal = journal.to_str().expect("its name is text");
        let arguments = ["demo", "--seed", "7", "--driver", driver, "--record", journal];
        rode_out_every_fault(driver, run(gateway(&arguments), b"").await);

        let Ended { status, stdout, .. } = run(gateway(&["replay", "--quiet", journal]), b"").await;
        assert_eq!(status, Some(0), "{driver}: {stdout}");
        assert!(stdout.ends_with(" events replayed: all as recorded\n"), "{driver}: {stdout}");
    };
    tokio::join!(demo("tokio"), demo("std"));
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
