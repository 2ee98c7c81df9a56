//! Connects, greets the server, and prints what it sends.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example guide_start -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

// ANCHOR: program
use gateway_tokio::core::{CloseFrame, Notice};
use gateway_tokio::{Client, ClientEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_start ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).build()?;
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Notice(Notice::Ready { .. }) => {
                if let Err(refused) = client.send("hello").await {
                    println!("not sent: {refused}"); // disconnected again; Ready will follow
                }
            }
            ClientEvent::Message(message) if message.as_text() == Some("bye") => {
                client.close(CloseFrame::NORMAL);
            }
            ClientEvent::Message(message) => println!("received {message:?}"),
            ClientEvent::Disconnected { cause, detail, .. } => {
                println!("disconnected: {}: {detail}", cause.name());
            }
            _ => {} // state changes, pings, retries, outcomes
        }
    }
    match client.gave_up() {
        Some(cause) => Err(format!("gave up: {cause}").into()),
        None => Ok(()), // closed as requested
    }
}
// ANCHOR_END: program
