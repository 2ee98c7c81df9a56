//! The same as `start.rs` on threads: one thread receives, another sends what you type.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example guide_start_std -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

// ANCHOR: program
use gateway_std::core::CloseFrame;
use gateway_std::{Client, ClientEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_start_std ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).build()?;
    while !client.is_ready() {
        let Some(event) = client.recv() else { return Err("gave up".into()) };
        println!("{event:?}");
    }
    let sender = client.sender(); // for other threads; clones share it
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if let Err(refused) = sender.send(line) {
                println!("not sent: {refused}"); // refused.into_message() returns the line
            }
        }
        sender.close(CloseFrame::NORMAL);
    });
    for event in &mut client {
        if let ClientEvent::Message(message) = event {
            println!("received {message:?}");
        }
    }
    Ok(())
}
// ANCHOR_END: program
