//! The server's promises to the clients that are measured, over real sockets.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Message, WebSocket};

/// A server that hangs fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends when it is dropped, as its stdin does.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bench-server"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its stdout is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let port = line.trim_end().strip_prefix("listening ").expect("it listens");
        Self { port: port.parse().expect("a port"), child }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.3", self.port)).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        stream
    }

    fn open(&self) -> Client {
        let opened = tungstenite::client("ws://localhost/any/path?at=all", self.connect());
        Client(opened.expect("an upgrade").0)
    }

    /// The answer to a plain request.
    fn get(&self, path: &str) -> String {
        let (mut stream, mut answer) = (self.connect(), String::new());
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is taken");
        stream.read_to_string(&mut answer).expect("an answer, and the end");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

struct Client(WebSocket<TcpStream>);

impl Client {
    fn send(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).expect("the server takes it");
    }

    fn expect(&mut self, message: impl Into<Message>) {
        assert!(self.0.read().expect("a message") == message.into());
    }
}

fn numbered(number: usize, bytes: usize) -> String {
    format!("{number:010} {}", "x".repeat(bytes - 11))
}

/// Bytes that differ from place to place.
fn pattern(length: usize) -> String {
    (0..length).map(|place| char::from(b'a' + (place % 23) as u8)).collect()
}

#[test]
fn messages_of_every_length_are_echoed_one_by_one_and_many_at_once() {
    let server = Server::start();
    let mut client = server.open();
    let lengths = (0..20).chain([125, 126, 65_535, 65_536, 131_060, 131_072, 262_144, 300_000, 1]);

    for length in lengths.clone().chain([1 << 20]) {
        for message in [pattern(length).into(), Message::binary(pattern(length))] {
            client.send(message.clone());
            client.expect(message);
        }
    }
    for length in lengths.clone() {
        client.0.write(pattern(length).into()).expect("the server takes it");
    }
    client.0.flush().expect("the server takes it");
    lengths.for_each(|length| client.expect(pattern(length)));
}

#[test]
fn a_fragmented_message_is_echoed_whole_and_a_ping_within_answered() {
    let server = Server::start();
    let mut client = server.open();
    let part = |part: &'static str, opcode, is_final| {
        Message::Frame(Frame::message(part, OpCode::Data(opcode), is_final))
    };

    client.send(part("in ", Data::Text, false));
    client.send(Message::Ping("there?".into()));
    client.send(part("three ", Data::Continue, false));
    client.send(Message::Pong("unasked".into()));
    client.send(part("parts", Data::Continue, true));

    client.expect(Message::Pong("there?".into()));
    client.expect("in three parts");
}

#[test]
fn a_peer_that_ends_is_sent_what_it_is_owed() {
    let server = Server::start();
    let mut client = server.open();

    client.send("last words");
    client.0.get_ref().shutdown(Shutdown::Write).expect("an open socket");

    client.expect("last words");
    assert_eq!(client.0.get_mut().read(&mut [0]).expect("an end, not a reset"), 0);
}

#[test]
fn a_flood_is_numbered_and_whole_for_every_size_of_frame() {
    let server = Server::start();
    let mut client = server.open();

    for order in ["go", "go away", "go 3", "go 1 15", "go -1 20", " go 1 20", "{\"type\":\"pin\"}"]
    {
        client.send(order);
        client.expect(order);
    }
    let floods = [(1, 16), (120_000, 16), (0, 20), (20_001, 125), (20_001, 126), (300, 65_536)];
    for (count, bytes) in floods {
        client.send(format!("go {count} {bytes}"));
    }
    for (count, bytes) in floods {
        (0..count).for_each(|number| client.expect(numbered(number, bytes)));
    }
}

#[test]
fn a_heartbeat_and_a_close_are_answered_amid_a_flood() {
    let server = Server::start();
    let (mut flooded, mut leaving) = (server.open(), server.open());
    let mut number = 0;
    let mut next = |client: &mut Client| loop {
        match client.0.read().expect("a message") {
            text if text == numbered(number, 64).into() => number += 1,
            other => return other,
        }
    };

    leaving.send("go 100000000 1000");
    leaving.expect(numbered(0, 1000));
    drop(leaving);
    flooded.send("go 10000000000 64");
    flooded.send("{\"type\":\"ping\",\"timestamp\":7}");
    assert_eq!(next(&mut flooded), "{\"type\":\"pong\",\"timestamp\":7}".into());
    let close = CloseFrame { code: 1000.into(), reason: "".into() };
    flooded.0.close(Some(close.clone())).expect("an open socket");
    assert_eq!(next(&mut flooded), Message::Close(Some(close)));
}

#[test]
fn a_reset_forgets_heartbeats_and_resets_every_other_connection() {
    let server = Server::start();
    let mut clients = [(); 20].map(|()| server.open());
    for client in &mut clients {
        client.send("{\"type\":\"ping\"}");
        client.expect("{\"type\":\"pong\"}");
    }
    let pings: Vec<u64> = serde_json::from_str(&server.get("/statistics")).expect("a list");
    assert!(pings.len() == 20 && pings.is_sorted(), "{pings:?}");
    clients[7].send("go 1000000 16");
    clients[7].expect("0000000000 xxxxx");

    assert_eq!(server.get("/reset"), "reset\n");

    for client in &mut clients {
        let ended = client.0.get_mut().read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        assert_eq!(ended, Err(ErrorKind::ConnectionReset));
    }
    assert_eq!(server.get("/statistics"), "[]");
    let mut client = server.open();
    client.send("again");
    client.expect("again");
}

#[test]
fn the_server_ends_when_its_stdin_does() {
    let mut server = Server::start();
    let _client = server.open();

    drop(server.child.stdin.take());

    assert!(server.child.wait().expect("a child").success());
}
