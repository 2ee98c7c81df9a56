//! A server in a process of its own, and a client that writes its bytes by hand.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_bench-server");
pub(crate) const UPGRADE: &[u8] =
    b"GET /any/path?at=all HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// A server that hangs fails the test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends when it is dropped, as its stdin does.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(BINARY)
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

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.3", self.port)).expect("it accepts");
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        Client { stream: BufReader::new(stream) }
    }

    pub(crate) fn open(&self) -> Client {
        let mut client = self.connect();
        client.write(UPGRADE);
        client.expect_upgrade();
        client
    }

    /// Head and body of the answer to a plain request.
    pub(crate) fn get(&self, path: &str) -> (String, String) {
        let mut client = self.connect();
        client.write(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        client.answer()
    }

    pub(crate) fn statistics(&self) -> String {
        self.get("/statistics").1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub(crate) struct Client {
    pub(crate) stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the server takes it");
    }

    pub(crate) fn text(&mut self, text: impl AsRef<[u8]>) {
        self.write(&frame(true, 1, text.as_ref()));
    }

    pub(crate) fn expect_upgrade(&mut self) {
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(
            head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            "{head}"
        );
    }

    /// Opcode and payload of the next frame.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let [first, second] = self.array();
        assert_eq!(first & 0xf0, 0x80, "whole frames without extensions");
        let length = match second {
            126 => usize::from(u16::from_be_bytes(self.array())),
            127 => u64::from_be_bytes(self.array()) as usize,
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).expect("a payload");
        (first & 0x0f, payload)
    }

    pub(crate) fn expect_text(&mut self, text: impl AsRef<[u8]>) {
        let (opcode, payload) = self.frame();
        let (payload, text) =
            (String::from_utf8_lossy(&payload), String::from_utf8_lossy(text.as_ref()));
        assert!(opcode == 1 && payload == text, "{opcode} {payload:.80} instead of {text:.80}");
    }

    /// A Close of that code comes, and then the end.
    pub(crate) fn expect_close(&mut self, code: u16) {
        let (opcode, payload) = self.frame();
        assert_eq!((opcode, payload.get(..2)), (8, Some(&code.to_be_bytes()[..])), "{payload:?}");
        self.expect_end();
    }

    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.stream.read(&mut [0]).expect("an end, not a reset"), 0);
    }

    /// Head and body, when the server has closed.
    pub(crate) fn answer(&mut self) -> (String, String) {
        let (head, mut body) = (self.head(), String::new());
        self.stream.read_to_string(&mut body).expect("a body");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        (head, body)
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.stream.read_line(&mut head).expect("a head"), 0, "{head}");
        }
        head
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("a header");
        bytes
    }
}

/// A frame of a client, masked.
pub(crate) fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(fin) << 7 | opcode];
    match payload.len() {
        short @ ..=125 => frame.push(0x80 | short as u8),
        length @ ..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| b'a' + (place % 23) as u8).collect()
}
