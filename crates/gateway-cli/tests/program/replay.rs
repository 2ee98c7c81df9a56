//! The command `gateway replay`: a journal replays as recorded. Differences, damage and a missing
//! end are reported with their line.

use std::{fs, io, path::Path};

use super::common::{Client, Ended, Server, file, gateway, run, soon};
use super::outcomes::closed;
use gateway_tests::Listener;

/// A journal of a real connection: a head, 35 events, and the end.
const JOURNAL: &str =
    include_str!("../journals/too_many_requests_then_a_drop_and_a_dead_peer.jsonl");

#[tokio::test]
async fn a_journal_replays_as_recorded_and_a_difference_is_told_by_its_line() {
    let path = file("replayed.jsonl", JOURNAL);
    let name = path.to_str().expect("its name is text");

    let Ended { status, stdout, stderr } = run(gateway(&["replay", name]), b"").await;
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.ends_with("\n35 events replayed: all as recorded\n"), "{stdout}");
    assert!(stdout.lines().count() == 36 && !stdout.contains('\x1b'), "{stdout}");

    let quiet = run(gateway(&["replay", "--quiet", "-"]), JOURNAL.as_bytes()).await;
    assert_eq!(quiet.stdout, "35 events replayed: all as recorded\n");

    let changed = JOURNAL.replacen("\"credentials\":\"cached\"", "\"credentials\":\"refresh\"", 1);
    let Ended { status, stdout, .. } =
        run(gateway(&["replay", "--quiet", "-"]), changed.as_bytes()).await;
    assert_eq!(status, Some(1));
    assert!(stdout.starts_with("line 3: differs from the recording\n"), "{stdout}");
    assert!(stdout.ends_with("35 events replayed: 1 difference\n"), "{stdout}");
}

#[tokio::test]
async fn a_recording_that_breaks_off_is_replayed_as_far_as_it_goes_and_is_no_success() {
    let lines: Vec<&str> = JOURNAL.split_inclusive('\n').collect();
    let ten = lines[..10].concat();
    let changed = ten.replacen("\"credentials\":\"cached\"", "\"credentials\":\"refresh\"", 1);
    for (text_of, summary, place) in [
        (ten.clone(), "9 events replayed as recorded", "10: the recording breaks off after"),
        (lines[0].to_owned(), "0 events replayed as recorded", "1: the recording breaks off after"),
        (
            format!("{ten}{}", &lines[10][..30]),
            "9 events replayed as recorded",
            "11: the recording breaks off in the middle of",
        ),
        (
            JOURNAL[..JOURNAL.len() - 3].to_owned(),
            "35 events replayed as recorded",
            "37: the recording breaks off in the middle of",
        ),
        (changed, "9 events replayed: 1 difference", "10: the recording breaks off after"),
    ] {
        let line = place.split(':').next().expect("a first part");
        let last = format!(
            "{summary}, then the recording breaks off at line {line}: the program was killed, or the file was cut\n"
        );
        for flags in [&["replay", "-"][..], &["replay", "--quiet", "-"]] {
            let Ended { status, stdout, stderr } = run(gateway(flags), text_of.as_bytes()).await;
            assert_eq!(status, Some(1), "{stdout}");
            assert!(stdout.ends_with(&last), "{stdout}");
            assert!(stderr.starts_with(&format!("error: stdin:{place} this line")), "{stderr}");
        }
    }
}

#[tokio::test]
async fn a_line_that_is_missing_is_told_by_its_place() {
    let mut lines: Vec<&str> = JOURNAL.split_inclusive('\n').collect();
    lines.remove(10);

    let Ended { status, stdout, stderr } =
        run(gateway(&["replay", "--quiet", "-"]), lines.concat().as_bytes()).await;
    assert_eq!(status, Some(1));
    assert_eq!(
        stdout,
        "9 events replayed as recorded, then the journal cannot be read from line 11 on\n"
    );
    assert!(stderr.starts_with("error: stdin:11: found event 11 in place of event 10"), "{stderr}");
}

#[tokio::test]
async fn a_journal_that_is_there_is_not_written_over_and_stdout_is_no_place_for_one()
-> io::Result<()> {
    let path = file("kept.jsonl", JOURNAL);
    let name = path.to_str().expect("its name is text");
    for (place, words) in [(name, "is not empty: name another file, or remove it"), ("-", "./-")] {
        for command in [&["demo"][..], &["connect", "ws://127.0.0.1:1"]] {
            let Ended { status, stdout, stderr } =
                run(gateway(&[command, &["--record", place]].concat()), b"").await;
            assert_eq!(status, Some(2), "{command:?}: {stderr}");
            assert!(stderr.starts_with("error: --record "), "{stderr}");
            assert!(stderr.contains(place) && stderr.contains(words), "{stderr}");
            assert_eq!(stdout, "");
        }
    }
    assert_eq!(fs::read_to_string(&path)?, JOURNAL);
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_asked_to_end_records_to_the_end_and_one_that_is_killed_breaks_off()
-> io::Result<()> {
    let server = Server::start(&[]).await;
    for (signal, expected, words) in
        [("-TERM", 0, "all as recorded\n"), ("-KILL", 1, "the program was killed, or the file")]
    {
        let path = file(&format!("signal{signal}.jsonl"), ""); // an empty one is used
        let name = path.to_str().expect("its name is text");
        let mut client = Client::start(&server.url, &["--record", name]);
        client.event("ready").await;
        // Another thread writes the journal: what it has not written when the program is killed is lost.
        soon(written(&path)).await?;
        client.signal(signal).await;
        client.end().await;

        let Ended { status, stdout, .. } = run(gateway(&["replay", "--quiet", name]), b"").await;

        assert_eq!(status, Some(expected), "{signal}: {stdout}");
        assert!(stdout.contains(words), "{signal}: {stdout}");
    }
    Ok(())
}

/// Returns once there is a line of a journal.
async fn written(path: &Path) -> io::Result<()> {
    while !fs::read(path)?.contains(&b'\n') {
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_help_says_the_exit_status_of_replay() {
    for arguments in [&["--help"][..], &["replay", "--help"], &["replay", "-h"]] {
        let help = run(gateway(arguments), b"").await.stdout;
        for words in ["0 all as recorded", "1 a difference", "damaged or breaks off", "2 usage"] {
            assert!(help.contains(words), "{arguments:?}: {help}");
        }
    }
}

#[tokio::test]
async fn a_journal_that_is_not_there_or_cannot_be_made_is_a_usage_error() {
    for arguments in [
        &["replay", "/no/such/file"][..],
        &["demo", "--record", "/no/such/file"],
        &["connect", "ws://127.0.0.1:1", "--record", "/no/such/file"],
    ] {
        let Ended { status, stdout, stderr } = run(gateway(arguments), b"").await;
        assert_eq!(status, Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains("/no/such/file"), "{stderr}");
        assert_eq!(stdout, "");
    }
}

#[tokio::test]
async fn facts_about_messages_are_recorded_and_told_in_words() -> io::Result<()> {
    let listener = Listener::bind().await;
    let path = file("sending.jsonl", "");
    let name = path.to_str().expect("its name is text");
    let flags = ["--outbox", "1", "--record", name, "--exit-on-eof"];
    let mut client = Client::start(&listener.url(), &flags);
    client.state("CONNECTING").await;
    client.send("old\nnewer\n").await;
    client.stdin = None;
    for _ in 0..2 {
        client.event("queued").await;
    }
    let mut peer = listener.peer().await;
    closed(&mut peer).await;
    assert!(client.end().await.0.code().is_some());

    let Ended { status, stdout, stderr } = run(gateway(&["replay", name]), b"").await;

    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    let mut lines = stdout.lines();
    for words in [
        "  message 1 of 3 B queued in the outbox",
        "  message 1 rejected",
        "  message 2 of 5 B queued in the outbox",
        "  message 2 left the outbox",
        "  message 2 sent",
    ] {
        assert!(lines.any(|line| line.ends_with(words)), "{words}: {stdout}");
    }
    let quiet = run(gateway(&["replay", "--quiet", name]), b"").await;
    assert!(quiet.stdout.ends_with(": all as recorded\n"), "{}", quiet.stdout);
    assert!(!quiet.stdout.contains("outbox"), "{}", quiet.stdout);

    let scenario = run(gateway(&["replay", name, "--scenario", "queued"]), b"").await;
    let comment = "not in this scenario: 5 × a fact about messages and requests.";
    assert_eq!(scenario.status, Some(0), "{}", scenario.stderr);
    assert!(scenario.stdout.contains(comment), "{}", scenario.stdout);

    let text = fs::read_to_string(&path)?;
    assert!(!text.contains("old") && !text.contains("newer"), "{text}");
    let twice =
        text.replacen(r#""message_queued":{"number":2"#, r#""message_queued":{"number":1"#, 1);
    let Ended { status, stderr, .. } = run(gateway(&["replay", "-"]), twice.as_bytes()).await;
    assert_eq!(status, Some(1));
    assert!(stderr.contains("message 1 is queued after message 1, which contradicts"), "{stderr}");
    Ok(())
}
