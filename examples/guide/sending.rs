//! Sends a reading each second, also those that are made while the client is disconnected.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example guide_sending -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Client, ClientEvent, Fate, Outbox, Rate};

// ANCHOR: rate
/// At most 115 messages in 60 s. Up to 60 of them may leave at once, and five are kept for pings.
fn rate() -> Rate {
    Rate::new(115, Duration::from_secs(60)).burst(60).reserve(5)
}
// ANCHOR_END: rate

// ANCHOR: program
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_sending ws://HOST:PORT/PATH")?;
    let outbox = Outbox::default().messages(1_000).time_to_live(Duration::from_secs(60));
    let mut client = Client::builder(url).outbox(outbox).rate(rate()).build()?;
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    let mut readings = 0;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = clock.tick() => {
                readings += 1;
                let accepted = client.send(format!("reading {readings}")).await?;
                if accepted.is_queued() {
                    println!("reading {readings} waits for the connection");
                }
            }
            event = client.next() => match event {
                Some(ClientEvent::Message(message)) => println!("answer: {message:?}"),
                Some(ClientEvent::Outcome(outcome)) => match outcome.fate {
                    Fate::Expired => println!("{} readings were too old", outcome.count()),
                    Fate::MaybeSent { .. } => println!("{} readings may be lost", outcome.count()),
                    _ => println!("{} readings were not sent", outcome.count()),
                },
                Some(_) => {}
                None => return Err(client.closed().await.to_string().into()),
            },
        }
    }
    // ANCHOR_END: program
    // ANCHOR: drain
    let end = client.drain(CloseFrame::NORMAL, Duration::from_secs(10)).await;
    println!("{end}");
    Ok(())
    // ANCHOR_END: drain
}
