//! The smallest client on tokio: it says hello whenever the connection is ready, and prints what comes.
//!
//! ```sh
//! cargo run -p gateway-examples --example tokio_client -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

use gateway_tokio::core::Notice;
use gateway_tokio::{Client, ClientEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: tokio_client ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).build()?;
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Notice(Notice::Ready { .. }) => {
                if let Err(refused) = client.send("hello").await {
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
