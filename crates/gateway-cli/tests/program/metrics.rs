//! `--metrics`: what is served, to whom, and that no scraper disturbs the connection.

use std::{collections::BTreeSet, io, process::Stdio};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::common::{Logged, SHORT, Server, file, gateway, lines_of, run, signal, soon, text};

/// A client with metrics on a free port, and their address.
pub(super) async fn metered(server: &Server, arguments: &[&str]) -> (Logged, String) {
    let mut command = gateway(&["connect", &server.url, "--metrics", "0", "--name", "feed"]);
    command.args(SHORT).args(arguments).stdin(Stdio::piped());
    let mut client = Logged::start(command).expect("it starts");
    let line = client.says(&["metrics are at http://127.0.0.1:"]).await;
    (client, address_in(&line))
}

/// The address in the line of the log that names it.
fn address_in(line: &str) -> String {
    let (_, address) = line.rsplit_once("http://").expect("an address");
    address.trim_end_matches("/metrics").to_owned()
}

/// The answer to a request of these words.
pub(super) async fn asked(address: &str, request: &str) -> String {
    let mut stream = soon(TcpStream::connect(address)).await.expect("it listens");
    let head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    soon(stream.read_to_end(&mut answer)).await.expect("it answers, and closes");
    text(&answer)
}

/// Scrapes until this line is there: metrics are reported when the client does something.
pub(super) async fn scraped(address: &str, line: &str) -> String {
    soon(async {
        loop {
            let answer = asked(address, "GET /metrics").await;
            if answer.lines().any(|own| own == line) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn metrics_are_served_in_the_text_format_of_prometheus() {
    let server = Server::start(&["--script", "close-4000", "--faults", "1"]).await;
    let (mut client, address) = metered(&server, &[]).await;
    client.is_connected().await;
    client.is_connected().await;

    let back = r#"gateway_reconnects_total{name="feed",cause="close_received"} 1"#;
    let answer = scraped(&address, back).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
    for line in [
        "# TYPE gateway_ready gauge",
        r#"gateway_ready{name="feed"} 1"#,
        r#"gateway_state{name="feed",state="CONNECTED"} 1"#,
        r#"gateway_state{name="feed",state="CLOSED"} 0"#,
        r#"gateway_attempts_total{name="feed"} 2"#,
        r#"gateway_disconnects_total{name="feed",cause="pong_timeout"} 0"#,
        "# TYPE gateway_retry_delay_seconds histogram",
        r#"gateway_retry_delay_seconds_bucket{name="feed",le="0.25"} 1"#,
        r#"gateway_retry_delay_seconds_count{name="feed"} 1"#,
        r#"gateway_round_trip_seconds_count{name="feed"} 0"#,
    ] {
        assert!(answer.lines().any(|own| own == line), "{line}\n{answer}");
    }

    assert!(asked(&address, "HEAD /metrics").await.ends_with("\r\n\r\n"));
    assert!(asked(&address, "POST /metrics").await.starts_with("HTTP/1.1 405 "));
    assert!(asked(&address, "GET /").await.ends_with("metrics are at /metrics\n"));
    assert!(client.terminate().await.success());
}

#[tokio::test]
async fn the_guide_has_a_row_for_each_metric() {
    let server = Server::start(&[]).await;
    let (client, address) = metered(&server, &[]).await;
    let answer = scraped(&address, r#"gateway_ready{name="feed"} 1"#).await;
    let types = answer.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<(String, String)> = types
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();

    let guide = include_str!("../../../../docs/guide/src/operations.md");
    let rows = guide.lines().filter(|line| line.starts_with("| `gateway_"));
    let written: BTreeSet<(String, String)> = rows
        .map(|row| {
            let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
            (cells.next().unwrap_or_default().into(), cells.next().unwrap_or_default().into())
        })
        .collect();

    assert_eq!(served, written);
    assert!(client.terminate().await.success());
}

#[tokio::test]
async fn a_port_in_use_ends_the_program_before_anything_opens() -> io::Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let port = taken.local_addr()?.port().to_string();
    let gateway_server = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}", gateway_server.local_addr()?);
    let events = file("unopened.jsonl", "kept");
    let events = events.to_str().expect("its path is UTF-8");
    let mut command = gateway(&["connect", &url, "--events", events]);
    command.env("GATEWAY_METRICS", &port);

    let ended = run(command, b"").await;

    assert_eq!(ended.status, Some(2), "{ended:?}");
    let expected = format!("--metrics 127.0.0.1:{port} cannot listen: Address already in use");
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(events)?, "kept");
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_none_is_an_error_of_the_settings() {
    let config = file("metrics.toml", "url = 'ws://127.0.0.1:9'\nmetrics = 70_000\n");
    let ended = run(gateway(&["check", config.to_str().expect("its path is UTF-8")]), b"").await;
    assert_eq!(ended.status, Some(2), "{ended:?}");
    let expected = r#"metrics = "70000": must be a port of this computer, such as 9464"#;
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

/// More connections than are served at a time: they send nothing, too much, or read nothing.
#[tokio::test]
async fn a_hostile_scraper_delays_neither_the_connection_nor_the_end() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--metrics", "0"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn()?;
    let (mut stdin, mut stdout) =
        (client.stdin.take().expect("a pipe"), lines_of(client.stdout.take()));
    let mut log = lines_of(client.stderr.take());
    let first = soon(log.next_line()).await?.expect("a line");
    let address = address_in(&first);
    let hold = |number: usize| {
        let address = &address;
        async move {
            let mut stream = TcpStream::connect(address).await.expect("the kernel accepts it");
            let endless = "GET /metrics HTTP/1.1\r\nX-Endless: ".repeat(number % 2 * 1_000);
            // The program may close it first.
            let _ = stream.write_all(endless.as_bytes()).await;
            stream
        }
    };
    let held = soon(join_all((0..64).map(hold))).await;

    stdin.write_all(b"hello\n").await?;
    assert_eq!(soon(stdout.next_line()).await?.as_deref(), Some("hello"));
    // Four rounds of idle connections are before it.
    assert!(asked(&address, "GET /metrics").await.starts_with("HTTP/1.1 200 "));
    signal(&client, "-TERM").await;
    let status = soon(client.wait()).await?;

    assert_eq!(status.code(), Some(0));
    drop(held);
    Ok(())
}
