//! The command `gateway connect` between stdin and stdout, against `gateway serve`.

use std::{io, process::Stdio};

use super::common::{Client, SHORT, Server, event, file, gateway, run, soon, text};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

fn outcomes(events: &[Value]) -> Vec<(String, u64)> {
    let sends = events.iter().filter(|event| event["event"] == "send");
    sends
        .map(|event| {
            let outcome = event["outcome"].as_str().expect("an outcome").to_owned();
            (outcome, event["bytes"].as_u64().expect("a size"))
        })
        .collect()
}

#[tokio::test]
async fn lines_are_sent_and_echoes_are_lines_and_nothing_else_is_on_stdout() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--log-level", "trace"]);
    let events = file("echo.jsonl", "");
    command.arg("--events").arg(&events);

    let output = run(command, "one\n\nthree é\r\nlast".as_bytes()).await;

    assert_eq!(output.stdout, "one\n\nthree é\nlast\n");
    assert_eq!(output.status, Some(0), "{}", output.stderr);
    let events: Vec<Value> = std::fs::read_to_string(events)?.lines().map(event).collect();
    let sent = [3, 0, 8, 4].map(|bytes| ("sent".to_owned(), bytes));
    assert_eq!(outcomes(&events), sent);
    let states: Vec<&str> = events.iter().filter_map(|event| event["to"].as_str()).collect();
    assert_eq!(states, ["CONNECTING", "CONNECTED", "CLOSING", "CLOSED"]);
    let log = output.stderr;
    assert!(log.contains("CONNECTING -> CONNECTED"), "{log}");
    assert!(!log.contains("three"), "a payload in the log: {log}");
    Ok(())
}

#[tokio::test]
async fn a_line_that_cannot_be_sent_is_told_by_its_number_and_counted() {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--heartbeat", "off"]);
    command.args(["--max-message-size", "5", "--log-level", "error"]);

    let output = run(command, b"12345\n123456\nno\xff\nend\n").await;

    assert_eq!(output.stdout, "12345\nend\n");
    assert_eq!(output.status, Some(1));
    let log = output.stderr;
    for part in ["longer than max-message-size and is not sent line=2", "not UTF-8", "line=3"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(log.contains("lines were not sent lines=2"), "{log}");
}

#[tokio::test]
async fn the_events_tell_of_pings_losses_and_retries() {
    let server = Server::start(&["--script", "close-4000", "--faults", "1"]).await;
    let mut client = Client::start(
        &server.url,
        &[SHORT.as_slice(), &["--seed", "7", "--heartbeat-interval", "100ms"]].concat(),
    );

    let ready = client.event("ready").await;
    assert_eq!(ready["socket"], 1);
    let pong = client.event("pong").await;
    assert!(pong["rtt_ms"].is_f64(), "{pong}");
    client.send("first\n").await;
    assert_eq!(client.line().await, "first");
    let lost = client.event("disconnected").await;
    assert_eq!((&lost["cause"], &lost["code"]), (&"close_received".into(), &4000.into()));
    let retry = client.event("retry").await;
    assert_eq!((&retry["attempt"], &retry["because"]), (&1.into(), &"backoff".into()));
    assert_eq!(retry["cause"], "close_received");
    // Kept while there was no connection.
    client.send("second\n").await;
    assert_eq!(client.line().await, "second");
    client.stdin = None;
    client.signal("-TERM").await;
    let (status, events) = client.end().await;
    assert_eq!(status.code(), Some(0), "{events:?}");
    assert_eq!(events.last().expect("events")["to"], "CLOSED");
}

#[tokio::test]
async fn what_is_fatal_is_given_up_with_status_1_and_stdin_unread() {
    let scripts = [
        ("close-1000", "close_code", "code", 1000),
        ("close-1008", "close_code", "code", 1008),
        ("http-404", "http_status", "http_status", 404),
        ("redirect", "http_status", "http_status", 302),
    ];
    let is_fatal = async |(script, cause, field, number): (&str, &str, &str, u64)| {
        let server = Server::start(&["--script", script]).await;
        let mut client = Client::start(&server.url, &SHORT);

        let gave_up = client.event("gave_up").await;

        assert_eq!((&gave_up["cause"], &gave_up[field]), (&cause.into(), &number.into()));
        let (status, events) = client.end().await;
        assert_eq!(status.code(), Some(1), "{script}");
        assert!(events.iter().all(|event| event["event"] != "retry"), "{events:?}");
    };
    join_all(scripts.into_iter().map(is_fatal)).await;
}

#[tokio::test]
async fn a_signal_ends_it_with_0_in_every_state() {
    for (script, state) in
        [("echo", "CONNECTED"), ("never-answer", "CONNECTING"), ("http-503", "DISCONNECTED")]
    {
        for signal in ["-INT", "-TERM"] {
            let server = Server::start(&["--script", script]).await;
            let arguments = ["--initial-delay", "30s", "--close-timeout", "30s"];
            let mut client = Client::start(&server.url, &arguments);
            client.state(state).await;

            client.signal(signal).await;

            let (status, events) = client.end().await;
            assert_eq!(status.code(), Some(0), "{script} {signal}: {events:?}");
        }
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let server = Server::start(&["--script", "no-close-reply"]).await;
    let mut client = Client::start(&server.url, &["--close-timeout", "10m"]);
    client.event("ready").await;
    client.signal("-INT").await;
    client.state("CLOSING").await;

    client.signal("-TERM").await;

    assert_eq!(client.end().await.0.code(), Some(143));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reader_that_is_gone_ends_it_while_the_server_is_down() -> io::Result<()> {
    let mut command = gateway(&["connect", "ws://127.0.0.1:1", "--log-level", "warn"]);
    let mut client =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;

    drop(client.stdout.take());

    let output = soon(client.wait_with_output()).await?;
    assert_eq!(output.status.code(), Some(0));
    let log = text(&output.stderr);
    assert!(log.contains("broken pipe") && log.contains("closing"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_reader_that_is_gone_is_told_of_on_stderr_and_ends_it_with_0() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--log-level", "warn"]);
    let mut client =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = client.stdin.take().expect("it is piped");
    stdin.write_all(b"to nobody\n").await?;

    drop(client.stdout.take());

    let output = soon(client.wait_with_output()).await?;
    assert_eq!(output.status.code(), Some(0));
    let log = text(&output.stderr);
    assert!(
        log.contains("WARN") && log.contains("broken pipe") && log.contains("closing"),
        "{log}"
    );
    Ok(())
}
