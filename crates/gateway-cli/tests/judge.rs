//! `gateway serve --judge` as a process, with correct and incorrect clients.

mod common;

use std::io;

use common::{Client, REQUEST, Server, gateway, run, soon};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Short delays, and a dead peer known after 400 ms.
const QUICK: [&str; 8] = [
    "--initial-delay",
    "150ms",
    "--heartbeat",
    "ping",
    "--heartbeat-interval",
    "200ms",
    "--heartbeat-timeout",
    "200ms",
];

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
            // Delays that grow from each to the next, whatever is drawn.
            let steady = ["--jitter", "none", "--max-delay", "2s"];
            let _client = Client::start(&judge.url, &[&QUICK[..], &steady].concat());

            let (status, report) = judge.end().await;

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
async fn how_a_client_leaves_is_in_the_report() -> io::Result<()> {
    let arguments = ["--for", "700ms", "--within", "300ms", "--report-format", "json"];
    let judge = judge("echo", &arguments).await;
    let mut client = judge.dial().await;
    soon(client.write_all(REQUEST)).await?;
    soon(client.write_all(b"\x88\x82\0\0\0\0\x0f\xa1")).await?;
    // The answer comes back, and the server ends TCP.
    soon(client.read_to_end(&mut Vec::new())).await?;

    let (status, report) = judge.end().await;

    let json: Value = serde_json::from_str(&report)?;
    assert_eq!(json["attempts"][0]["client_close_code"], 4001);
    assert_eq!(json["attempts"][0]["bytes_received"], REQUEST.len() + 8);
    assert_eq!((status, &json["verdict"]), (Some(1), &Value::from("BROKEN")));
    Ok(())
}

#[tokio::test]
async fn where_no_client_comes_the_judge_says_so_and_fails() {
    let judge = judge("echo", &["--for", "50ms", "--within", "10ms"]).await;

    let (status, report) = judge.end().await;

    assert_eq!(status, Some(1));
    assert!(report.contains("no client connected"), "{report}");
}

#[tokio::test]
async fn a_report_goes_to_a_file() -> io::Result<()> {
    let path = common::file("report.txt", "");
    let path = path.to_str().expect("it is text");
    let span = ["--for", "50ms", "--within", "10ms", "--report", path];

    let (_, stdout) = judge("echo", &span).await.end().await;

    assert_eq!(stdout, "");
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
