//! A fleet through the restart of its server. The rate of opens is measured at the server, where it
//! counts, and the shutdown accounts for every message.
//!
//! ```sh
//! cargo run --release -p gateway-fleet -- --clients 1000 --opens 200
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to its terminal")]

mod clock;
mod fleets;
mod server;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use gateway_tokio::core::RetryBudget;

use crate::clock::{Stopwatch, pause};
use crate::fleets::AnyFleet;
use crate::server::{Seen, Server};

/// How long the server is away.
const AWAY: Duration = Duration::from_secs(2);
/// How long the clients may take to be ready, and to leave.
const PATIENCE: Duration = Duration::from_secs(60);
const WITHIN: Duration = Duration::from_secs(5);

/// Runs a fleet through the restart of its server.
#[derive(Debug, Parser)]
struct Arguments {
    /// The number of clients.
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    /// How many sockets all of them may open in a second.
    #[arg(long, default_value_t = 200)]
    opens: u32,
    /// Use the clients of gateway-std, each on a thread of its own.
    #[arg(long)]
    std: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|fault| println!("WRONG {fault}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("gateway-fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns what was wrong.
async fn run(arguments: Arguments) -> Result<Vec<String>, Box<dyn Error>> {
    let Arguments { clients, opens, std } = arguments;
    let clock = Stopwatch::start();
    let seen = Seen::new(clock);
    let server = Server::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), seen.clone())?;
    let address = server.address;
    let budget = RetryBudget::new(opens, Duration::from_secs(1));
    let fleet = AnyFleet::start(std, clients, budget, &format!("ws://{address}/"))?;
    let first = all_ready(&fleet, clients, clock).await?;
    let first_rate = seen.most_in_a_second(Duration::ZERO);

    server.stop().await;
    pause(AWAY).await;
    let back = clock.elapsed();
    let server = Server::start(address, seen.clone())?;
    let again = all_ready(&fleet, clients, clock).await? - back;
    let rate = seen.most_in_a_second(back);
    let (_, attempts) = fleet.ready()?;

    let accepted = fleet.send_one_each().await?;
    let begun = clock.elapsed();
    let (left, counts) = fleet.shutdown(WITHIN).await?;
    let took = clock.elapsed() - begun;
    server.stop().await;

    println!(
        "{clients} clients of {}: ready after {first:.1?}, at most {first_rate} opens in a second; \
         ready again {again:.1?} after the server's return, at most {rate} opens in a second, \
         {attempts} attempts in all; shut down in {took:.1?}: {accepted} messages accepted, {} sent, \
         {} received, {} without an outcome",
        if std { "gateway-std" } else { "gateway-tokio" },
        counts.sent,
        seen.messages(),
        counts.unsettled(),
    );
    let mut faults = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            faults.push(what.to_owned());
        }
    };
    // A delay of the network may move an open into a second that has its whole number already.
    let most = opens as usize + opens as usize / 10;
    check(first_rate <= most && rate <= most, "more opens in a second than the budget allows");
    check(left == clients, "a client is missing in the account");
    check(accepted as usize == clients, "a message was not accepted");
    check(counts.unsettled() == 0 && counts.accepted == accepted, "a message has no outcome");
    check(seen.messages() as u64 >= counts.sent, "a message that was sent has not come");
    check(took <= WITHIN + Duration::from_millis(500), "the shutdown took longer than its time");
    Ok(faults)
}

/// Waits until all clients are ready. Returns when that was.
async fn all_ready(
    fleet: &AnyFleet,
    clients: usize,
    clock: Stopwatch,
) -> Result<Duration, Box<dyn Error>> {
    let until = clock.elapsed() + PATIENCE;
    while clock.elapsed() < until {
        if fleet.ready()?.0 == clients {
            return Ok(clock.elapsed());
        }
        pause(Duration::from_millis(20)).await;
    }
    Err(format!("only {} of {clients} clients are ready", fleet.ready()?.0).into())
}
