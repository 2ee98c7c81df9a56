//! A feed with 500 subscriptions: they are made again on every connection, at a rate that the server
//! allows. Of what the program does not take in time, it gets only the newest.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example sending_feed -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::{ConfigErrors, Notice};
use gateway_tokio::{Behind, Client, ClientEvent, Events, Rate};

/// How many subscriptions there are.
pub(crate) const CHANNELS: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: sending_feed ws://HOST:PORT/PATH")?;
    let (_handle, mut events) = client(&url)?.spawn();
    follow(&mut events, usize::MAX).await;
    Ok(())
}

// ANCHOR: program
pub(crate) fn client(url: &str) -> Result<Client, ConfigErrors> {
    let mut builder = Client::builder(url)
        .rate(Rate::new(1_000, Duration::from_secs(1)))
        .behind(Behind::DropOldest);
    for channel in 0..CHANNELS {
        let subscribe = format!(r#"{{"op":"subscribe","channel":"price.{channel}"}}"#);
        builder = builder.on_ready(format!("price.{channel}"), subscribe);
    }
    builder.build()
}

/// Takes this many messages. Returns the last one.
pub(crate) async fn follow(events: &mut Events, count: usize) -> Option<String> {
    let (mut taken, mut last) = (0, None);
    while taken < count
        && let Some(event) = events.next().await
    {
        match event {
            ClientEvent::Message(message) => {
                taken += 1;
                last = message.as_text().map(str::to_owned);
            }
            ClientEvent::MessagesDropped { count } => println!("too slow for {count} messages"),
            ClientEvent::Notice(Notice::Ready { .. }) => println!("connected"),
            ClientEvent::Disconnected { cause, .. } => println!("disconnected: {}", cause.name()),
            _ => {}
        }
    }
    last
}
// ANCHOR_END: program
