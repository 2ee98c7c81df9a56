//! 200 clients in one process. Each has a name, which is in its log lines.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example spawned_many -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

use gateway_tokio::core::{CloseFrame, Config};
use gateway_tokio::{Client, ClientEvent, EndKind};
use tokio::task::JoinSet;

/// How many clients there are.
pub(crate) const CLIENTS: usize = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    let url = std::env::args().nth(1).ok_or("usage: spawned_many ws://HOST:PORT/PATH")?;
    println!("{} of {CLIENTS} have had their answer", run(&url).await?);
    Ok(())
}

// ANCHOR: program
/// Has each client send its name. Returns how many got it back.
pub(crate) async fn run(url: &str) -> Result<usize, Box<dyn Error>> {
    let config = std::sync::Arc::new(Config::default()); // they share it
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let builder = Client::builder(url).name(format!("client-{number:03}"));
        clients.spawn(greet(builder.config(config.clone()).build()?));
    }
    let mut answered = 0;
    while let Some(has_answer) = clients.join_next().await {
        answered += usize::from(has_answer??);
    }
    Ok(answered)
}

async fn greet(client: Client) -> Result<bool, String> {
    let (handle, mut events) = client.spawn();
    let name = handle.name().unwrap_or_default().to_owned();
    handle.ready().await.map_err(|end| format!("{name}: {end}"))?;
    handle.send(name.as_str()).await.map_err(|error| error.to_string())?;
    let mut has_answer = false;
    while let Some(event) = events.next().await {
        if let ClientEvent::Message(message) = event {
            has_answer |= message.as_text() == Some(&name);
            handle.close(CloseFrame::NORMAL).map_err(|error| error.to_string())?;
        }
    }
    Ok(has_answer && handle.closed().await.kind() == EndKind::Closed)
}
// ANCHOR_END: program
