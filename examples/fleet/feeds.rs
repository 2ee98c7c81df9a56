//! Many feeds in one process: one stream of events, and an account of every message at the end.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example fleet_feeds -- 200 ws://127.0.0.1:9001
//! ```

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use gateway_tokio::core::{Notice, RetryBudget};
use gateway_tokio::{Client, ClientEvent, Fleet, FleetAccount, FleetEvents, Limits, Outbox};

// ANCHOR: program
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: fleet_feeds COUNT ws://HOST:PORT/PATH";
    let count = arguments.next().ok_or(usage)?.parse()?;
    let url = arguments.next().ok_or(usage)?;
    let (fleet, events) = start(count, &url)?;
    let account = run(fleet, events, async { drop(tokio::signal::ctrl_c().await) }).await;
    for client in &account.clients {
        tracing::info!(name = %client.name, end = %client.end, counts = ?client.counts);
    }
    let total = account.total();
    tracing::info!(accepted = total.accepted, sent = total.sent, unsettled = total.unsettled());
    Ok(())
}

/// A fleet with so many clients, each with a name and a subscription of its own.
pub(crate) fn start(count: usize, url: &str) -> Result<(Fleet, FleetEvents), Box<dyn Error>> {
    let budget = RetryBudget::new(50, Duration::from_secs(1)); // a server that restarts is not rushed
    let (fleet, events) = Fleet::builder().max_clients(1_000).budget(budget).build()?;
    let limits = Limits::default().backlog(64 << 10); // 64 KiB for each client, and not 1 MiB
    for number in 0..count {
        let client = Client::builder(url)
            .limits(limits)
            .outbox(Outbox::default())
            .on_ready("feed", format!("subscribe {number}"));
        fleet.add(format!("feed-{number:03}"), client)?;
    }
    Ok((fleet, events))
}

/// Takes events until `stop`, then shuts the fleet down.
pub(crate) async fn run(
    fleet: Fleet,
    mut events: FleetEvents,
    stop: impl Future<Output = ()>,
) -> FleetAccount {
    let mut stop = std::pin::pin!(stop);
    loop {
        // Cancel-safe: no event is lost.
        let (name, event) = tokio::select! {
            biased;
            () = &mut stop => break,
            event = events.next() => match event {
                Some(event) => event,
                None => break,
            },
        };
        match event {
            ClientEvent::Message(message) => tracing::debug!(%name, bytes = message.len()),
            // This client has stopped for good. Start it again once you have fixed the cause.
            ClientEvent::Notice(Notice::GaveUp { cause, .. }) => tracing::warn!(%name, %cause),
            ClientEvent::MessagesDropped { count } => tracing::warn!(%name, count, "too slow"),
            _ => {}
        }
    }
    fleet.shutdown(Duration::from_secs(5)).await
}
// ANCHOR_END: program
