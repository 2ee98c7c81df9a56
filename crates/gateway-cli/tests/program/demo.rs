//! The command `gateway demo` ends on its own, whatever takes its log, and every message is accounted
//! for. Its recording replays.

use super::common::{Ended, file, gateway, run};

/// The demo fails by itself if it takes more than 19 s. This test reads that, and no clock.
/// It takes its time, so all of them run at once.
#[tokio::test]
async fn the_demo_rides_out_its_faults_and_its_recording_replays_on_either_driver() {
    tokio::join!(replays("tokio"), replays("std"), survives_every_broken_stderr_and_a_full_disk());
}

async fn replays(driver: &str) {
    let journal = file(&format!("demo-{driver}.jsonl"), "");
    let journal = journal.to_str().expect("its name is text");
    let arguments = ["demo", "--seed", "7", "--driver", driver, "--record", journal];
    rode_out_every_fault(driver, run(gateway(&arguments), b"").await);

    let recorded = std::fs::read_to_string(journal).expect("a journal");
    assert!(!recorded.contains("token-of"), "{driver}: a login token in the journal");

    let Ended { status, stdout, .. } = run(gateway(&["replay", "--quiet", journal]), b"").await;
    assert_eq!(status, Some(0), "{driver}: {stdout}");
    assert!(stdout.ends_with(" events replayed: all as recorded\n"), "{driver}: {stdout}");
}

#[cfg(target_os = "linux")] // so is the module `broken`
async fn survives_every_broken_stderr_and_a_full_disk() {
    use super::broken::Broken;
    use super::common::{soon, text};
    use std::process::Stdio;

    let demo = async |Broken { name, stream, other_end: _open }: Broken| {
        let arguments = ["demo", "--seed", "7", "--log-level", "trace", "--record", "/dev/full"];
        let mut command = gateway(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::from(stream));
        let child = command.spawn().expect("it starts");
        let output = soon(child.wait_with_output()).await.expect("it is ours");
        let screen = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{name}: {screen}");
        assert!(screen.contains("every message is accounted for"), "{name}: {screen}");
    };
    let all = Broken::all().expect("there are pipes").into_iter().map(demo);
    futures_util::future::join_all(all).await;
}

#[cfg(not(target_os = "linux"))]
async fn survives_every_broken_stderr_and_a_full_disk() {}

fn rode_out_every_fault(driver: &str, Ended { status, stdout, stderr }: Ended) {
    assert_eq!(status, Some(0), "{driver}: {stdout}{stderr}");
    assert_eq!(stderr, "", "{driver}");
    assert!(!stdout.contains('\x1b'), "{driver}: colours without a terminal");
    assert!(!stdout.contains("token-of"), "{driver}: a login token on the screen");
    for part in [
        "lost (reset)",
        "pong_timeout",
        "open_failed (refused)",
        "lost (eof)",
        "close_received 1012",
        "login_refused (token expired)",
        "CONNECTED -> AUTHENTICATED",
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
