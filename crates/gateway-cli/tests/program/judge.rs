//! `gateway serve --judge` as a process, with correct and incorrect clients.

use std::io;

use super::common::{Client, REQUEST, Server, assert_documented, file, gateway, run, soon, words};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server that judges its clients.
async fn judge(script: &str, arguments: &[&str]) -> Server {
    Server::start(&[&["--judge", "--script", script], arguments].concat()).await
}

/// The verdicts in the order of the rules.
fn verdicts(report: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(report).expect("it is JSON");
    let rules = report["rules"].as_array().expect("a list").iter();
    rules.map(|rule| rule["verdict"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn our_client_breaks_no_rule_of_a_server_that_drops_refuses_closes_or_is_silent() {
    join_all(["accept-then-drop", "half-open", "http-503-retry-after", "close-1012"].map(
        |script| async move {
            let span = ["--for", "4s", "--within", "3s", "--report-format", "json"];
            let judge = judge(script, &span).await;
            // Delays that grow from each to the next, whatever is drawn, and a dead peer known after 400 ms.
            let quick = "--initial-delay 150ms --max-delay 2s --jitter none \
                         --heartbeat ping --heartbeat-interval 200ms --heartbeat-timeout 200ms";
            let _client = Client::start(&judge.url, &words(quick));

            let (status, report) = judge.end().await;

            assert_documented(&serde_json::from_str(&report).expect("it is JSON"));
            let verdicts = verdicts(&report);
            // On a slow machine the span may be too short for some of them.
            assert!(verdicts.iter().any(|verdict| verdict == "kept"), "{script}: {report}");
            assert!(verdicts.iter().all(|verdict| verdict != "BROKEN"), "{script}: {report}");
            assert_eq!(status, Some(0), "{script}");
        },
    ))
    .await;
}

#[tokio::test]
async fn a_client_that_never_notices_is_told_so_in_words() -> io::Result<()> {
    let judge = judge("half-open", &["--for", "1500ms", "--within", "300ms"]).await;
    let mut client = judge.dial().await;
    soon(client.write_all(REQUEST)).await?;
    // A message, and a ping of each kind.
    soon(client.write_all(b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0")).await?;
    soon(client.write_all(b"\x81\x8f\0\0\0\0{\"type\":\"ping\"}")).await?;

    let (status, report) = judge.end().await;

    assert_eq!(status, Some(1));
    assert!(report.contains("BROKEN: ends the connection within 300ms"), "{report}");
    assert!(report.contains("not seen: tries again"), "{report}");
    assert!(report.contains("still open; pings: 2 (websocket "), "{report}");
    assert!(report.ends_with("verdict, with a limit of 300ms: BROKEN\n"), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_report_goes_to_a_file_and_where_no_client_comes_the_judge_fails() -> io::Result<()> {
    let path = file("report.txt", "");
    let path = path.to_str().expect("it is text");
    let span = ["--for", "50ms", "--within", "10ms", "--report", path];

    let (status, stdout) = judge("echo", &span).await.end().await;

    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    assert!(std::fs::read_to_string(path)?.starts_with("echo: "));
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_ends_the_watch_and_what_was_seen_is_judged() -> io::Result<()> {
    let judge = judge("echo", &["--for", "5m"]).await;
    let mut client = judge.dial().await;
    soon(client.write_all(REQUEST)).await?;
    let mut answer = [0; 12];
    soon(client.read_exact(&mut answer)).await?;

    judge.signal("-TERM").await;

    let (status, report) = judge.end().await;
    assert_eq!(status, Some(0));
    assert!(report.contains("kept: stays connected"), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_report_that_cannot_be_written_is_a_failure_from_the_start() {
    let output = run(gateway(&["serve", "--judge", "--report", "/no/such/folder/x"]), b"").await;

    assert_eq!(output.status, Some(1));
    assert!(output.stderr.contains("cannot write the report to /no/such/folder/x"));
}
