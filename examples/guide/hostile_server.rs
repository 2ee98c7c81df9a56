//! Connects to a hostile server for ten seconds, and prints the attempts and delays.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script accept-then-drop
//! cargo run -p gateway-examples --example guide_hostile_server -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_std::core::{CloseFrame, Notice};
use gateway_std::{Client, ClientEvent};

// ANCHOR: program
fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_hostile_server ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).build()?;
    let timer = client.sender();
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_secs(10));
        timer.close(CloseFrame::NORMAL);
    });
    let mut delays = Vec::new();
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Notice(Notice::RetryScheduled { delay, .. }) => delays.push(delay),
            ClientEvent::Notice(Notice::Ready { .. }) => {
                let _ = client.send("hello"); // a refusal means that the server has hung up again
            }
            _ => {}
        }
    }
    let statistics = client.statistics();
    println!("attempts {}, of them opened {}", statistics.attempts, statistics.opened);
    println!("delays {delays:?}");
    println!("last cause {:?}", statistics.last_disconnect);
    Ok(())
}
// ANCHOR_END: program
