//! The cost of an idle blocking connection, and the latency of a sender on another thread. Prints
//! figures and asserts nothing.
//!
//! `cargo bench -p gateway-tests --bench blocking`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use gateway_std::core::{CloseFrame, Config, HeartbeatKind, Notice};
use gateway_std::{Client, ClientEvent};
use tungstenite::Message;

const MESSAGES: usize = 5_000;
const IDLE: Duration = Duration::from_secs(180);

fn main() {
    sender_latency();
    idle_wakeups();
}

/// Messages one by one, with a pause between them in which the client falls asleep again.
fn sender_latency() {
    let (url, heard) = server();
    let config = Config::builder().heartbeat(HeartbeatKind::Off).build().expect("valid settings");
    let mut client = Client::builder(url).config(config).build().expect("a client");
    while !client.is_ready() {
        let _ = client.recv();
    }
    let sender = client.sender();
    let owner = thread::spawn(move || client.by_ref().for_each(drop));
    let (mut taken, mut read) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        thread::park_timeout(Duration::from_micros(200));
        let begun = Instant::now();
        sender.send("hello").expect("ready");
        taken.push(begun.elapsed());
        let at_peer: Instant = heard.recv().expect("the server reads");
        read.push(at_peer.saturating_duration_since(begun));
    }
    sender.close(CloseFrame::NORMAL);
    owner.join().expect("the client ends");
    println!("sender on another thread, {MESSAGES} messages, client asleep before each:");
    show("  taken by the client", taken);
    show("  read by the peer   ", read);
}

fn show(what: &str, mut spans: Vec<Duration>) {
    spans.sort_unstable();
    let at = |share: usize| spans[(spans.len() - 1) * share / 100];
    println!("{what}  median {:?}   p99 {:?}   most {:?}", at(50), at(99), at(100));
}

/// A connection on which nothing happens but its heartbeat of 30 s.
fn idle_wakeups() {
    let (url, _heard) = server();
    let mut client = Client::builder(url).build().expect("a client");
    let first_pong = |event| matches!(event, ClientEvent::Notice(Notice::PongReceived { .. }));
    let _ = client.by_ref().any(first_pong);
    let (wakeups, switches, begun) = (client.wakeups(), voluntary_switches(), Instant::now());
    let mut pongs = 0_u32;
    while let Ok(Some(event)) = client.recv_timeout(IDLE.saturating_sub(begun.elapsed())) {
        pongs += u32::from(first_pong(event));
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("idle, heartbeat 30 s, {:.1} minutes, {pongs} pongs:", minutes);
    // The last is the end of the measurement itself.
    let woken = client.wakeups() - wakeups - 1;
    println!("  wake-ups                      {:.2} a minute", woken as f64 / minutes);
    if let (Some(before), Some(after)) = (switches, voluntary_switches()) {
        let rate = (after - before) as f64 / minutes;
        println!(
            "  voluntary context switches    {rate:.2} a minute (kernel's count, this thread)"
        );
    }
}

/// How often this thread has gone to sleep, as the kernel counts it.
fn voluntary_switches() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// Answers pings, and reports when it has read any other message.
fn server() -> (String, Receiver<Instant>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it listens"));
    let (heard, read) = channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut socket = tungstenite::accept(stream).expect("an upgrade");
        while let Ok(message) = socket.read() {
            match message {
                Message::Text(text) if text.starts_with(r#"{"type":"ping""#) => {
                    let _ = socket.send(Message::text(r#"{"type":"pong"}"#)); // it may have gone
                }
                Message::Text(_) => {
                    let _ = heard.send(Instant::now()); // the measurement may be over
                }
                _ => {}
            }
        }
    });
    (url, read)
}
