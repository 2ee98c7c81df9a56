//! Prints every state, every retry with its reason, and why the client gave up.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script accept-then-drop
//! cargo run -p gateway-examples --example guide_lifecycle -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::{Config, ConfigErrors, Notice, Rule, Strategy, Verdict};
use gateway_tokio::{Client, ClientEvent};

// ANCHOR: config
fn config() -> Result<Config, ConfigErrors> {
    let fatal = Rule::new(4000, 4099, Verdict::Fatal).expect("the codes are a range");
    let busy = Verdict::RetryNoSoonerThan(Duration::from_secs(60));
    let busy = Rule::new(1013, 1013, busy).expect("the codes are a range");
    Config::builder()
        .initial_delay(Duration::from_millis(500))
        .max_delay(Duration::from_secs(30))
        .jitter(Strategy::DecorrelatedSmooth)
        .max_attempts(Some(5))
        .rule(fatal)
        .rule(busy)
        .build()
}
// ANCHOR_END: config

// ANCHOR: events
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_lifecycle ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).config(config()?).build()?;
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Notice(Notice::StateChanged { from, to, .. }) => {
                println!("{from} -> {to}")
            }
            ClientEvent::Notice(Notice::Ready { socket, after }) => {
                println!("socket {socket} is ready; the client was not ready for {after:.1?}");
            }
            ClientEvent::Disconnected { socket, cause, detail } => {
                println!("socket {socket} is gone: {}: {detail}", cause.name());
            }
            ClientEvent::Notice(Notice::RetryScheduled { attempt, delay, because, .. }) => {
                println!("retry {attempt} in {delay:?}, decided by {}", because.name());
            }
            ClientEvent::Notice(Notice::GaveUp { cause }) => println!("gave up: {cause}"),
            _ => {}
        }
    }
    Ok(())
}
// ANCHOR_END: events
