//! How fast the server itself is: a client that builds no message and reads none, only blocks of bytes.

use std::io::{self, BufRead as _, BufReader, Error, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::clock::Clock;
use crate::frames::{self, TEXT};

const FLOOD: u64 = 10_000_000;
const FLOOD_BYTES: usize = 128;
/// Messages that are written at once, and compared at once.
const BATCH: u64 = 1024;
const BATCHES: u64 = 10_000;
/// Batches that are under way at once, so that neither side waits for the other.
const AHEAD: u64 = 4;
const ECHO_BYTES: usize = 32;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Measures a server in a process of its own, and prints a line of JSON.
pub(crate) fn run() -> io::Result<()> {
    let mut server = Command::new(std::env::current_exe()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let measured = measure(&mut server);
    drop(server.stdin.take()); // At which the server ends.
    server.wait()?;
    let (flood, echo) = measured?;
    println!("{{\"flood_messages_per_second\":{flood:.0},\"echo_messages_per_second\":{echo:.0}}}");
    Ok(())
}

fn measure(server: &mut Child) -> io::Result<(f64, f64)> {
    let stdout = server.stdout.take().ok_or_else(|| Error::other("the server has no stdout"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let port = line.trim_end().strip_prefix("listening ").and_then(|port| port.parse().ok());
    let port = port.ok_or_else(|| Error::other(format!("the server said {line:?}")))?;
    Ok((flood(open(port)?)?, echo(open(port)?)?))
}

fn flood(mut stream: TcpStream) -> io::Result<f64> {
    let block: Vec<u8> = (0..BATCH).flat_map(|_| numbered(0)).collect();
    let size = block.len() / BATCH as usize;
    let mut received = block;
    let clock = Clock::start();
    stream.write_all(&masked(format!("go {FLOOD} {FLOOD_BYTES}").as_bytes()))?;
    let mut next = 0;
    while next < FLOOD {
        let count = BATCH.min(FLOOD - next);
        let received = &mut received[..count as usize * size];
        stream.read_exact(received)?;
        // The first and the last: what lies between is the clients' to check.
        let (first, last) = (&received[..size], &received[received.len() - size..]);
        if first != numbered(next) || last != numbered(next + count - 1) {
            return Err(Error::other(format!(
                "the flood is wrong at message {next} or its next {count}"
            )));
        }
        next += count;
    }
    Ok(FLOOD as f64 / clock.seconds())
}

fn echo(mut stream: TcpStream) -> io::Result<f64> {
    let message = [b'e'; ECHO_BYTES];
    let batch = masked(&message).repeat(BATCH as usize);
    let mut answer = Vec::new();
    frames::write(&mut answer, TEXT, &message);
    let answer = answer.repeat(BATCH as usize);
    let mut received = answer.clone();
    let clock = Clock::start();
    for number in 0..BATCHES + AHEAD {
        if number < BATCHES {
            stream.write_all(&batch)?;
        }
        if number >= AHEAD {
            stream.read_exact(&mut received)?;
            if received != answer {
                return Err(Error::other(format!("batch {} came back altered", number - AHEAD)));
            }
        }
    }
    Ok((BATCHES * BATCH) as f64 / clock.seconds())
}

fn open(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    // The server says nothing before it is asked: no frame is taken with the head.
    let opened = tungstenite::client("ws://localhost/", stream.try_clone()?);
    opened.map_err(|error| Error::other(error.to_string()))?;
    Ok(stream)
}

/// A message of the flood, as the server frames it.
fn numbered(number: u64) -> Vec<u8> {
    let mut frame = Vec::new();
    frames::write(
        &mut frame,
        TEXT,
        format!("{number:010} {:x<1$}", "", FLOOD_BYTES - 11).as_bytes(),
    );
    frame
}

/// A text of at most 125 bytes, as a client frames it.
fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | TEXT, 0x80 | payload.len() as u8];
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
