//! Logs, reports statistics, takes network hints from stdin, and closes on Ctrl-C. The settings may
//! be in a file.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example guide_operations -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use gateway_tokio::Client;
use gateway_tokio::core::{CloseFrame, Config, GiveUpCause, Network, Statistics};
use tokio::sync::mpsc;

// ANCHOR: program
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    let url =
        std::env::args().nth(1).ok_or("usage: guide_operations ws://HOST:PORT/PATH [FILE]")?;
    let mut client = Client::builder(url).config(config()?).build()?;
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    let mut hints = network_hints();
    let mut stop = pin!(tokio::signal::ctrl_c());
    let mut is_stopping = false;
    loop {
        tokio::select! {
            event = client.next() => match event {
                Some(_) => {} // your application's work
                None => break, // CLOSED: no event will follow
            },
            _ = &mut stop, if !is_stopping => {
                is_stopping = true;
                client.close(CloseFrame::NORMAL); // ends within close_timeout, 2 s by default
            }
            _ = minute.tick() => report(&client.statistics()),
            Some(network) = hints.recv() => client.network_changed(network),
        }
    }
    report(&client.statistics());
    match client.gave_up() {
        // A restart begins with new attempts. For the other causes it rarely helps.
        Some(GiveUpCause::AttemptsSpent) => Err("the server did not come back in time".into()),
        Some(cause) => Err(format!("gave up: {cause}").into()),
        None => Ok(()), // closed by Ctrl-C
    }
}

fn report(statistics: &Statistics) {
    println!(
        "attempts={} opened={} reconnects={} ready_s={} round_trip={:?} last_cause={}",
        statistics.attempts,
        statistics.opened,
        statistics.reconnects,
        statistics.time_ready.as_secs(),
        statistics.round_trip.smoothed,
        statistics.last_disconnect.map_or("none", |cause| cause.name()),
    );
}
// ANCHOR_END: program

// ANCHOR: config
/// Reads the settings from the TOML file that the second argument names.
fn config() -> Result<Config, Box<dyn Error>> {
    match std::env::args().nth(2) {
        Some(path) => Ok(toml::from_str(&std::fs::read_to_string(path)?)?),
        None => Ok(Config::default()),
    }
}
// ANCHOR_END: config

// ANCHOR: hints
/// Reads `online` and `offline` from stdin, in place of your platform's network monitor.
fn network_hints() -> mpsc::Receiver<Network> {
    let (hint, hints) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let network = match line.as_str() {
                "online" => Network::Online,
                "offline" => Network::Offline,
                _ => continue,
            };
            if hint.blocking_send(network).is_err() {
                return; // the program is about to end
            }
        }
    });
    hints
}
// ANCHOR_END: hints
