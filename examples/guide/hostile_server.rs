//! Judges gateway's own client for ten seconds, on a server that drops each connection at once.
//!
//! ```sh
//! cargo run -p gateway-examples --example guide_hostile_server
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_hostile::{Script, Server};
use gateway_std::Client;
use gateway_std::core::CloseFrame;

// ANCHOR: program
fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().script(Script::named("accept-then-drop")?).start()?;
    let mut client = Client::builder(server.url()).build()?;
    let timer = client.sender();
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_secs(10));
        timer.close(CloseFrame::NORMAL);
    });
    while client.recv().is_some() {}
    let report = server.report(Duration::from_secs(9))?; // the limit to notice a fault, and to retry
    println!("{report}");
    Ok(())
}
// ANCHOR_END: program
