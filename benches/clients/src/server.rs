//! What the server is asked beside the measured part, over plain HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What the server counted.
pub(crate) struct Statistics {
    pub(crate) pings: u64,
    /// When the heartbeats came, in nanoseconds.
    pub(crate) ping_arrivals: Vec<u64>,
}

/// What it counted since its start or the last reset.
pub(crate) fn statistics(server: SocketAddr) -> Result<Statistics> {
    let body = get(server, "/statistics")?;
    let told: Value = serde_json::from_str(&body).context("/statistics")?;
    let pings = told["pings"].as_u64().context("/statistics without pings")?;
    let arrivals = told["ping_arrivals"].as_array().context("/statistics without ping_arrivals")?;
    let ping_arrivals = arrivals
        .iter()
        .map(|arrival| arrival[1].as_u64().context("an arrival without a time"))
        .collect::<Result<_>>()?;
    Ok(Statistics { pings, ping_arrivals })
}

/// Zeroes its counts, and has it reset every connection: none is left behind to wait for its end.
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
