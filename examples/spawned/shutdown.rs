//! Stops without losing sight of a message: the producers end first, then the connection, and the
//! outcomes say what was not sent.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example spawned_shutdown -- ws://127.0.0.1:9001 # then Ctrl-C
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Client, ClientEvent, End, Events, Handle};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: spawned_shutdown ws://HOST:PORT/PATH")?;
    let client = Client::builder(url).name("readings").build()?;
    let Account { accepted, lost, end } =
        run(client, Duration::from_millis(100), tokio::signal::ctrl_c()).await?;
    println!("{accepted} messages accepted, {lost} of them not sent; {end}");
    Ok(())
}

/// What became of the messages.
#[derive(Debug)]
pub(crate) struct Account {
    /// Messages that the client accepted.
    pub(crate) accepted: u64,
    /// Accepted messages that were not sent, or perhaps not.
    pub(crate) lost: u64,
    /// How the client ended.
    pub(crate) end: End,
}

// ANCHOR: program
/// Sends readings in four tasks until `stop` is ready, then shuts down.
pub(crate) async fn run(
    client: Client,
    pause: Duration,
    stop: impl Future,
) -> Result<Account, Box<dyn Error>> {
    let (handle, events) = client.spawn();
    let outcomes = tokio::spawn(lost(events));
    let (stopping, stopped) = watch::channel(false);
    let mut producers = JoinSet::new();
    for number in 0..4 {
        producers.spawn(produce(number, handle.clone(), pause, stopped.clone()));
    }
    stop.await;

    stopping.send_replace(true);
    let mut accepted = 0;
    while let Some(count) = producers.join_next().await {
        accepted += count?;
    }
    handle.close(CloseFrame::NORMAL)?; // its Close follows what was accepted
    let end = handle.closed().await; // within close_timeout, 2 s by default
    Ok(Account { accepted, lost: outcomes.await?, end })
}

/// Sends a reading after each pause. Returns how many were accepted.
async fn produce(
    number: u32,
    handle: Handle,
    pause: Duration,
    mut stopped: watch::Receiver<bool>,
) -> u64 {
    let mut accepted = 0;
    while !*stopped.borrow_and_update() {
        // A send that has begun is awaited: so its message is either accepted or comes back.
        accepted += u64::from(handle.send(format!("reading of {number}")).await.is_ok());
        let _ = tokio::time::timeout(pause, stopped.changed()).await;
    }
    accepted
}
// ANCHOR_END: program

/// Counts the messages that were not sent, up to the end of the events.
async fn lost(mut events: Events) -> u64 {
    let mut lost = 0;
    while let Some(event) = events.next().await {
        if let ClientEvent::Outcome(outcome) = event {
            lost += outcome.count(); // without `report_sent`, only what was not sent is reported
        }
    }
    lost
}
