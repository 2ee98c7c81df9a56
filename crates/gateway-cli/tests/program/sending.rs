//! Lines that are read while the connection is not ready, a limited rate, a connection that stays
//! away, and a reader of stdout that is too slow.

use std::{io, process::Stdio};

use super::common::{Client, Logged, SHORT, gateway};
use super::outcomes::{closed, next};
use gateway_tests::{Frame, Listener, Peer};
use serde_json::Value;
use tokio::net::TcpStream;

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A client whose attempt hangs until the listener accepts it.
async fn away(flags: &[&str]) -> (Client, Listener) {
    let listener = Listener::bind().await;
    let flags = [&["--heartbeat", "off"], SHORT.as_slice(), flags].concat();
    let mut client = Client::start(&listener.url(), &flags);
    client.state("CONNECTING").await;
    (client, listener)
}

/// The next texts that the peer receives.
async fn texts(peer: &mut Peer<TcpStream>, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let payload = next(peer, TEXT).await.payload;
        texts.push(String::from_utf8(payload).expect("it is text"));
    }
    texts
}

/// The outcomes among these events, in their order.
fn outcomes(events: &[Value]) -> Vec<&str> {
    let sends = events.iter().filter(|event| event["event"] == "send");
    sends.filter_map(|event| event["outcome"].as_str()).collect()
}

fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}

#[tokio::test]
async fn lines_that_are_typed_while_away_are_queued_and_sent_after_the_reconnect() {
    let (mut client, listener) = away(&["--outbox", "8", "--name", "feed"]).await;
    drop(listener.peer().await);
    client.event("disconnected").await;
    client.state("CONNECTING").await;

    client.send("one\ntwo!\n").await;

    for bytes in [3, 4] {
        let queued = client.event("queued").await;
        assert_eq!((&queued["bytes"], &queued["name"]), (&bytes.into(), &"feed".into()));
    }
    let mut peer = listener.peer().await;
    assert_eq!(texts(&mut peer, 2).await, ["one", "two!"]);
    for bytes in [3, 4] {
        let sent = client.event("send").await;
        assert_eq!((&sent["outcome"], &sent["bytes"]), (&"sent".into(), &bytes.into()));
    }
    client.send("ready\n").await;
    assert_eq!(texts(&mut peer, 1).await, ["ready"]);
    client.signal("-TERM").await;
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    assert_eq!((status.code(), count(&events, "queued")), (Some(0), 0), "{events:?}");
}

#[tokio::test]
async fn exit_on_eof_waits_for_lines_in_the_outbox() {
    let (mut client, listener) = away(&["--outbox", "8", "--exit-on-eof"]).await;
    client.send("last").await;
    client.stdin = None;
    client.event("queued").await;

    let mut peer = listener.peer().await;

    assert_eq!(texts(&mut peer, 1).await, ["last"]);
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    assert_eq!((status.code(), outcomes(&events)), (Some(0), vec!["sent"]), "{events:?}");
}

#[tokio::test]
async fn a_line_that_waits_too_long_expires_and_the_status_is_1() {
    let flags = ["--outbox", "8", "--outbox-time-to-live", "1ms", "--exit-on-eof"];
    let (mut client, _listener) = away(&flags).await;
    client.send("too late\n").await;
    client.stdin = None;

    let (status, events) = client.end().await;

    assert_eq!(status.code(), Some(1));
    assert_eq!((count(&events, "queued"), outcomes(&events)), (1, vec!["expired"]), "{events:?}");
}

#[tokio::test]
async fn an_outbox_that_refuses_the_newest_loses_no_line() {
    let flags = ["--outbox", "2", "--outbox-full", "refuse_newest", "--exit-on-eof"];
    let (mut client, listener) = away(&flags).await;
    let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    client.send(&lines.join("\n")).await;
    client.stdin = None;
    client.event("queued").await;

    let mut peer = listener.peer().await;

    assert_eq!(texts(&mut peer, 100).await, lines);
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    assert_eq!((status.code(), outcomes(&events)), (Some(0), vec!["sent"; 100]), "{events:?}");
}

#[tokio::test]
async fn a_line_that_is_larger_than_the_outbox_waits_until_the_connection_is_ready() {
    let flags = ["--outbox", "8", "--outbox-bytes", "4B", "--exit-on-eof"];
    let (mut client, listener) = away(&flags).await;
    client.send("1234\n12345\n1\n").await;
    client.stdin = None;
    client.event("queued").await;

    let mut peer = listener.peer().await;

    assert_eq!(texts(&mut peer, 3).await, ["1234", "12345", "1"]);
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    assert_eq!((status.code(), outcomes(&events)), (Some(0), vec!["sent"; 3]), "{events:?}");
}

#[tokio::test]
async fn an_outbox_that_drops_the_oldest_counts_the_lines_that_were_not_sent() {
    let (mut client, listener) = away(&["--outbox", "2", "--exit-on-eof"]).await;
    client.send("one\ntwo\nthree\nfour\n").await;
    client.stdin = None;
    for _ in 0..2 {
        assert_eq!(client.event("send").await["outcome"], "rejected");
    }

    let mut peer = listener.peer().await;

    assert_eq!(texts(&mut peer, 2).await, ["three", "four"]);
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    assert_eq!((status.code(), outcomes(&events)), (Some(1), vec!["sent"; 2]), "{events:?}");
}

#[tokio::test]
async fn a_signal_ends_a_client_whose_lines_are_queued_with_1() {
    let (mut client, _listener) = away(&["--outbox", "8"]).await;
    client.send("kept\n").await;
    client.event("queued").await;

    client.signal("-INT").await;

    let (status, events) = client.end().await;
    assert_eq!((status.code(), outcomes(&events)), (Some(1), vec!["rejected"]), "{events:?}");
}

#[tokio::test]
async fn no_more_lines_are_sent_than_the_rate_allows() {
    let flags = ["--rate", "4/24h", "--rate-burst", "3", "--rate-reserve", "0"];
    let flags = [&["--heartbeat", "off"], flags.as_slice()].concat();
    let (mut client, mut peer) = Client::with_peer(&flags).await;
    client.send("one\ntwo\nthree\nfour\n").await;
    assert_eq!(texts(&mut peer, 3).await, ["one", "two", "three"]);

    // The answer comes after all that the client has sent by then.
    peer.send(Frame::new(PING, "?")).await;
    assert_eq!(peer.frame().await.first, PONG);

    client.signal("-TERM").await;
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    let outcomes = outcomes(&events);
    assert_eq!(
        (status.code(), outcomes.as_slice()),
        (Some(1), &["sent", "sent", "sent", "rejected"][..])
    );
}

#[tokio::test]
async fn a_connection_that_is_away_for_long_is_told_of_once() -> io::Result<()> {
    let (mut client, listener) = away(&["--lost-after", "1ms"]).await;
    let lost = client.event("lost").await;
    assert!(lost["away_ms"].is_u64(), "{lost}");
    let mut peer = listener.peer().await;
    client.event("ready").await;
    client.signal("-TERM").await;
    closed(&mut peer).await;
    let (_, events) = client.end().await;
    assert_eq!(count(&events, "lost"), 0, "{events:?}");

    let mut command = gateway(&["connect", &listener.url(), "--lost-after", "1ms"]);
    command.stdin(Stdio::null());
    let mut logged = Logged::start(command)?;
    logged.says(&["WARN", "not connected for a long time", "away_ms="]).await;
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_behind_drops_the_oldest_messages_and_counts_them() {
    const MESSAGES: usize = 512;
    let flags = ["--behind", "drop_oldest", "--heartbeat", "off"];
    let (mut client, mut peer) = Client::with_peer(&flags).await;
    client.event("ready").await;
    // More than stdout, the program and the sockets hold. It is all read, although no one reads stdout.
    let long = Frame::text("x".repeat(64 << 10)).bytes();
    for _ in 0..MESSAGES {
        peer.write(&long).await;
    }
    peer.send(Frame::text("newest")).await;

    let mut lines = 0;
    while client.line().await != "newest" {
        lines += 1;
    }

    client.signal("-TERM").await;
    closed(&mut peer).await;
    let (status, events) = client.end().await;
    let dropped = events.iter().filter(|event| event["event"] == "messages_dropped");
    let dropped: u64 = dropped.filter_map(|event| event["count"].as_u64()).sum();
    assert!(dropped > 0 && lines > 0, "{events:?}");
    assert_eq!((status.code(), dropped + lines), (Some(0), MESSAGES as u64));
}
