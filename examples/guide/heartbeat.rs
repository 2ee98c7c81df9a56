//! Keeps a heartbeat that the server defines itself: the letter `h`, answered by `h`.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example guide_heartbeat -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_std::core::{Config, Dialect, Duties, Exchange, Interest, Message, Notice, Received};
use gateway_std::{Client, ClientEvent};

// ANCHOR: dialect
/// The client sends `h`, and the server answers `h`.
struct OneLetter;

impl Dialect for OneLetter {
    fn duties(&self) -> Duties {
        Duties::NONE.with_heartbeat()
    }

    fn interest(&self) -> Interest {
        Interest::texts_up_to(1)
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        exchange.send_text("h");
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        if message != Message::Text("h") {
            return Received::Deliver;
        }
        exchange.pong(None);
        Received::Consume
    }
}
// ANCHOR_END: dialect

// ANCHOR: client
fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_heartbeat ws://HOST:PORT/PATH")?;
    let config = Config::builder()
        .heartbeat_interval(Duration::from_secs(2))
        .heartbeat_timeout(Duration::from_secs(1))
        .data_timeout(Some(Duration::from_secs(60))) // pongs do not count as data
        .build()?;
    let mut client = Client::builder(url).config(config).dialect(|| OneLetter).build()?;
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Notice(Notice::PingSent { .. }) => println!("ping"),
            ClientEvent::Notice(Notice::PongReceived { .. }) => {
                println!("pong; round trips so far: {:?}", client.statistics().round_trip);
            }
            ClientEvent::Disconnected { cause, .. } => println!("lost: {}", cause.name()),
            _ => {}
        }
    }
    Ok(())
}
// ANCHOR_END: client
