//! Plain requests, the reset, and the process.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;
use std::process::{Command, Stdio};

use crate::common::{BINARY, Server};

const ZERO: &str =
    "{\"connections\":0,\"accepted\":0,\"messages\":0,\"sent\":0,\"pings\":0,\"ping_arrivals\":[]}";

#[test]
fn a_reset_zeroes_the_statistics_and_resets_every_other_connection() {
    let server = Server::start();
    let mut clients = [(); 20].map(|()| server.open());
    for client in &mut clients {
        client.text("hello");
        client.expect_text("hello");
    }
    clients[7].text("go 1000000 16");
    clients[7].expect_text("0000000000 xxxxx");
    let mut idle = server.connect();
    assert!(
        server.statistics().starts_with("{\"connections\":20,\"accepted\":20,\"messages\":21,")
    );

    let (head, body) = server.get("/reset");

    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, "reset\n");
    let mut rest = Vec::new();
    for client in clients.iter_mut().chain([&mut idle]) {
        let ended = client.stream.read_to_end(&mut rest).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(server.statistics(), ZERO);
    let mut client = server.open();
    client.text("again");
    client.expect_text("again");
    assert!(server.statistics().starts_with("{\"connections\":1,\"accepted\":1,\"messages\":1,"));
}

#[test]
fn connections_that_leave_are_counted_no_more() {
    let server = Server::start();
    let client = server.open();
    client.stream.get_ref().shutdown(Shutdown::Write).expect("an open socket");
    let mut client = client;
    client.expect_end();

    let _open = server.open();

    assert!(server.statistics().starts_with("{\"connections\":1,\"accepted\":2,"));
}

#[test]
fn what_is_no_upgrade_is_refused() {
    let server = Server::start();
    let long = format!("GET / HTTP/1.1\r\nHost: {}", "h".repeat(20_000));
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "426 Upgrade Required"),
        (
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n",
            "426 Upgrade Required",
        ),
        (
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
            "400 Bad Request",
        ),
        ("POST /reset HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("\0\0 what?\r\n\r\n", "400 Bad Request"),
        (&long, "431 Request Header Fields Too Large"),
    ] {
        let mut client = server.connect();
        client.write(request.as_bytes());
        let (head, _) = client.answer();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:.80}: {head}");
    }
    assert_eq!(server.statistics(), ZERO);
}

#[test]
fn requests_behind_a_plain_one_are_not_answered_and_harm_nothing() {
    let server = Server::start();
    let mut client = server.connect();

    client.write(&b"GET /statistics HTTP/1.1\r\n\r\n".repeat(1_000));

    let (head, body) = client.answer();
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert_eq!(body, ZERO);
}

#[test]
fn the_server_ends_when_its_stdin_does() {
    let mut server = Server::start();
    let mut client = server.open();

    drop(server.child.stdin.take());

    assert!(server.child.wait().expect("a child").success());
    assert!(client.stream.read(&mut [0]).is_ok_and(|read| read == 0));
}

#[test]
fn bad_usage_is_told_with_2_and_failure_with_1() {
    let server = Server::start();
    let taken = server.port.to_string();
    for (arguments, code) in [
        (&["--port", "65536"][..], 2),
        (&["--port"], 2),
        (&["--help-me"], 2),
        (&["--port", &taken], 1),
    ] {
        let output =
            Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}
