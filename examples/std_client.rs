//! The smallest blocking client: it says hello whenever the connection is ready, and prints what comes.
//!
//! ```sh
//! cargo run -p gateway-examples --example std_client -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

use gateway_std::core::Notice;
use gateway_std::{Client, ClientEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: std_client ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).build()?;
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Notice(Notice::Ready { .. }) => {
                if let Err(refused) = client.send("hello") {
                    println!("{refused}"); // lost again already: Ready will come again
                }
            }
            ClientEvent::Message(message) => println!("{message:?}"),
            other => println!("{other:?}"), // states, delays, round trips, what became of messages
        }
    }
    match client.gave_up() {
        Some(cause) => Err(format!("given up: {cause}").into()),
        None => Ok(()), // CLOSED as asked: by client.close(..), which this program never calls
    }
}
