//! Sends a reading each second, also those that are made while the client is disconnected.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example guide_sending -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::{CloseFrame, SendRejection};
use gateway_tokio::{Client, ClientEvent, Fate, Message, Outbox, Rate};

// ANCHOR: rate
/// At most 115 messages in 60 s. Up to 60 of them may leave at once, and five are kept for pings. So
/// a steady flow has 56 messages in 60 s.
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
    let mut unsent: Option<Message> = None;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = clock.tick() => {
                let reading = unsent.take().unwrap_or_else(|| {
                    readings += 1;
                    format!("reading {readings}").into()
                });
                match client.send(reading).await {
                    Ok(accepted) if accepted.is_queued() => {
                        println!("reading {readings} waits for the connection");
                    }
                    Ok(_) => {}
                    // The client is closed: its last event follows.
                    Err(refused) if refused.rejection() == SendRejection::Closed => {}
                    Err(refused) => {
                        println!("{refused}"); // and again at the next tick
                        unsent = Some(refused.into_message());
                    }
                }
            }
            event = client.next() => match event {
                Some(event) => show(&event),
                None => return Err(client.closed().await.to_string().into()),
            },
        }
    }
    // ANCHOR_END: program
    // ANCHOR: drain
    let end = client.drain(CloseFrame::NORMAL, Duration::from_secs(10)).await;
    while let Some(event) = client.next().await {
        show(&event); // the outcomes of the last messages are among them
    }
    println!("{end}");
    Ok(())
    // ANCHOR_END: drain
}

// ANCHOR: show
fn show(event: &ClientEvent) {
    match event {
        ClientEvent::Message(message) => println!("answer: {message:?}"),
        ClientEvent::Outcome(outcome) => match outcome.fate {
            Fate::Expired => println!("{} readings were too old", outcome.count()),
            Fate::MaybeSent { .. } => println!("{} readings may be lost", outcome.count()),
            _ => println!("{} readings were not sent", outcome.count()),
        },
        _ => {}
    }
}
// ANCHOR_END: show
