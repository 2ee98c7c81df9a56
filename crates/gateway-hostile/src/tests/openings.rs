//! Requests byte by byte: what tungstenite's client would never send, or never show.

use std::time::SystemTime;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn answer(server: &Running, request: &[u8]) -> String {
    let mut tcp = server.dial().await.expect("it listens");
    soon(tcp.write_all(request)).await.expect("open");
    let mut bytes = Vec::new();
    soon(tcp.read_to_end(&mut bytes)).await.expect("no reset");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a request, a message and a Close frame in one go, and wants an answer to each.
async fn assert_upgrades_and_echoes(server: &Running) {
    let mut tcp = server.dial().await.expect("it listens");
    let frames = b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0";
    soon(tcp.write_all(&[REQUEST, frames].concat())).await.expect("open");
    let mut bytes = Vec::new();
    soon(tcp.read_to_end(&mut bytes)).await.expect("no reset");
    assert!(bytes.starts_with(b"HTTP/1.1 101 "));
    assert!(bytes.ends_with(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi\x88\x00"));
}

#[tokio::test]
async fn what_is_no_upgrade_is_answered_with_400() {
    let server = start(Options::default());
    for request in [
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01 a TLS hello perhaps\r\n\r\n",
    ] {
        let answer = answer(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(server.control.tally().connections, 3);
    assert_eq!(server.control.tally().upgrades, 0);
}

#[tokio::test]
async fn an_endless_request_is_cut_off() {
    let server = start(Options::default());
    let mut tcp = server.dial().await.expect("it listens");
    soon(tcp.write_all(b"GET / HTTP/1.1\r\nX: ")).await.expect("open");

    let filling = async { while tcp.write_all(&[b'x'; 4096]).await.is_ok() {} };

    soon(filling).await;
    assert_eq!(server.control.tally().upgrades, 0);
}

#[tokio::test]
async fn a_frame_sent_with_the_request_is_not_lost() {
    let server = start(Options::default());

    assert_upgrades_and_echoes(&server).await;
}

#[tokio::test]
async fn a_slow_upgrade_comes_byte_by_byte() {
    let server = start_script("slow-upgrade");
    let mut tcp = server.dial().await.expect("it listens");
    soon(tcp.write_all(REQUEST)).await.expect("open");
    let mut buffer = [0; 64];

    let length = soon(tcp.read(&mut buffer)).await.expect("open");

    assert_eq!(&buffer[..length], b"H");
    assert!(is_silent(tcp.read(&mut buffer)).await);
}

#[tokio::test]
async fn a_slow_upgrade_ends_when_the_client_hangs_up() {
    let server = start_script("slow-upgrade");
    let mut tcp = server.dial().await.expect("it listens");
    soon(tcp.write_all(REQUEST)).await.expect("open");
    assert_eq!(soon(tcp.read_u8()).await.expect("open"), b'H');

    soon(tcp.shutdown()).await.expect("open");

    assert_eq!(soon(tcp.read(&mut [0])).await.expect("no reset"), 0);
}

#[tokio::test]
async fn a_slow_upgrade_is_an_upgrade_in_the_end() {
    let beat = Duration::from_millis(1);
    let server = start(Options { script: script("slow-upgrade"), beat, ..Options::default() });

    // By bare TCP: tungstenite's client takes so many small reads for an attack.
    assert_upgrades_and_echoes(&server).await;
}

#[tokio::test]
async fn a_retry_date_lies_about_three_seconds_ahead() {
    let server = start_script("http-429-retry-date");

    let answer = answer(&server, REQUEST).await;

    let line = answer.lines().find_map(|line| line.strip_prefix("Retry-After: "));
    let date = httpdate::parse_http_date(line.expect("a header")).expect("a date");
    let now = clock::wall_after(Duration::ZERO);
    // Whole seconds are lost below; a slow test machine loses more.
    assert!(date <= now + Duration::from_secs(3), "{date:?}");
    assert!(date > SystemTime::UNIX_EPOCH && date + PATIENCE > now, "{date:?}");
}

#[tokio::test]
async fn a_silent_opening_ends_when_the_client_hangs_up() {
    let server = start_script("never-answer");
    let mut tcp = server.dial().await.expect("it listens");
    soon(tcp.write_all(REQUEST)).await.expect("open");
    assert!(is_silent(tcp.read_u8()).await);

    soon(tcp.shutdown()).await.expect("open");

    // The server ends it too: with a reset, for it has left the request unread.
    assert!(soon(tcp.read_u8()).await.is_err());
}
