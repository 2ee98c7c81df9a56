//! What `report/checks.json` says of each client is what the client does: it talks to a server that breaks one rule.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use serde_json::Value;
use tungstenite::handshake::derive_accept_key;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bench-clients");
const CHECKS: &str = include_str!("../../report/checks.json");

/// What the server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    BadUtf8,
    Masked,
    WrongAccept,
    /// Allowed, but a client can be unable to join them.
    Fragments,
}

/// The faults, with the columns of `checks.json` that say whether a client notices.
const COLUMNS: [(&str, Fault); 4] = [
    ("utf8", Fault::BadUtf8),
    ("masked", Fault::Masked),
    ("accept", Fault::WrongAccept),
    ("fragments", Fault::Fragments),
];

#[test]
fn each_client_checks_what_the_table_says() {
    let checks: BTreeMap<String, Value> = serde_json::from_str(CHECKS).expect("an object");
    for (peer, version) in peers() {
        let package =
            checks.keys().filter(|name| peer.starts_with(*name)).max_by_key(|it| it.len());
        let said = &checks[package.unwrap_or_else(|| panic!("{peer} has no row"))];

        assert_eq!(said["version"], version.as_str(), "{peer}");
        assert_eq!(outcome(&peer, Fault::Nothing), Outcome::Done, "{peer}");
        for (column, fault) in COLUMNS {
            let cell = said[column].as_str().expect("a cell is a text");
            let outcome = outcome(&peer, fault);
            let is_right = match fault {
                Fault::Fragments => outcome == Outcome::Done,
                _ => matches!(outcome, Outcome::Refused(_)),
            };
            assert_eq!(cell.starts_with("yes"), is_right, "{peer}, {column} ({cell}): {outcome:?}");
        }
    }
}

/// The clients that are built in, with their versions.
fn peers() -> Vec<(String, String)> {
    let listed = Command::new(PROGRAM).arg("--list").output().expect("the program runs");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let peers = listed["peers"].as_array().expect("a list").iter();
    peers.map(|peer| (text(&peer["name"]), text(&peer["version"]))).collect()
}

/// How a client takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It has the text that was sent, whole.
    Done,
    /// It delivered a text that was not sent so, and the benchmark noticed.
    Altered,
    /// It failed, or connected again.
    Refused(String),
}

/// Lets a client receive one text of such a server, and then one echo.
fn outcome(peer: &str, fault: Fault) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let (tell, told) = channel();
    let mut client = Command::new(PROGRAM)
        .args(["flood", peer, "--messages", "1", "--bytes", "16", "--server", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let stderr = client.stderr.take().expect("it is a pipe");
    thread::spawn({
        let tell = tell.clone();
        move || serve(&listener, fault, &tell)
    });
    thread::spawn(move || {
        let said = io::read_to_string(stderr).unwrap_or_default();
        let _ = tell.send(Event::Ended(said)); // the other side may know enough already
    });
    let outcome = match told.recv().expect("two threads report") {
        Event::ConnectedAgain => Outcome::Refused("connected again".to_owned()),
        Event::Ended(said) => match said.trim() {
            "" => Outcome::Done,
            said if said.contains("altered: ") => Outcome::Altered,
            said => Outcome::Refused(said.to_owned()),
        },
    };
    end(client);
    outcome
}

/// A client that reconnects without an end has to be killed.
fn end(mut client: Child) {
    let _ = client.kill(); // it may have ended
    let _ = client.wait();
}

enum Event {
    ConnectedAgain,
    /// With what it wrote to stderr.
    Ended(String),
}

/// Serves a first connection, and reports a second one.
fn serve(listener: &TcpListener, fault: Fault, tell: &Sender<Event>) {
    if let Ok((stream, _)) = listener.accept() {
        thread::spawn(move || converse(stream, fault)); // an error is the client's end
    }
    if listener.accept().is_ok() {
        let _ = tell.send(Event::ConnectedAgain); // as above
    }
}

/// Upgrades, and sends each text that it is asked for with its fault.
fn converse(mut stream: TcpStream, fault: Fault) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(&mut stream)?);
    }
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
    });
    let key = key.filter(|_| fault != Fault::WrongAccept).unwrap_or("another");
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    loop {
        let text = text(&mut stream)?;
        let due = if text.starts_with(b"go ") { b"0000000000 xxxxx".to_vec() } else { text };
        stream.write_all(&framed(due, fault))?;
    }
}

/// The text of the client's next frame; a client sends nothing else here but its Close frame.
fn text(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (first, length) = (byte(stream)?, byte(stream)? & 0x7f);
    let mut mask = [0; 4];
    stream.read_exact(&mut mask)?;
    let mut payload = vec![0; length.into()];
    stream.read_exact(&mut payload)?;
    if first != 0x81 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
}

fn byte(stream: &mut TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A text of at most 125 bytes.
fn framed(mut text: Vec<u8>, fault: Fault) -> Vec<u8> {
    let length = text.len() as u8;
    match fault {
        Fault::Nothing | Fault::WrongAccept => [vec![0x81, length], text].concat(),
        Fault::BadUtf8 => {
            text[15] = 0xff;
            [vec![0x81, length], text].concat()
        }
        Fault::Masked => {
            let mask = [0x11, 0x22, 0x33, 0x44];
            let masked = text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            [vec![0x81, 0x80 | length], mask.to_vec(), masked.collect()].concat()
        }
        Fault::Fragments => {
            let rest = text.split_off(5);
            [vec![0x01, 5], text, vec![0x80, length - 5], rest].concat()
        }
    }
}
