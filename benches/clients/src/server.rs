//! What the server is asked beside the measured part, over plain HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};

/// When heartbeats came since its start or the last reset, in nanoseconds.
pub(crate) fn pings(server: SocketAddr) -> Result<Vec<u64>> {
    serde_json::from_str(&get(server, "/statistics")?).context("/statistics")
}

/// Has it forget the heartbeats, and reset every connection: none is left behind to wait for its end.
pub(crate) fn reset(server: SocketAddr) -> Result<()> {
    get(server, "/reset").map(drop)
}

fn get(server: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server).with_context(|| format!("server {server}"))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context(path.to_owned())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => bail!("{path}: {answer:?}"),
    }
}
