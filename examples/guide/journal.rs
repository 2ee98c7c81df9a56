//! Records what a client does for five seconds, then replays it without a socket.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example guide_journal -- ws://127.0.0.1:9001 bug.jsonl
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use gateway_journal::{Journal, Recorder};
use gateway_std::Client;
use gateway_std::core::CloseFrame;

// ANCHOR: program
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: guide_journal ws://HOST:PORT/PATH FILE".into());
    };
    record(&url, &path)?;
    replay(&path)
}

fn record(url: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let file = File::create_new(path)?; // each event is written and flushed at once
    let recorder = Recorder::new(file, |error| println!("the recording ended: {error}"));
    let mut client = Client::builder(url).observer(recorder).build()?;
    let timer = client.sender();
    std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_secs(5));
        timer.close(CloseFrame::NORMAL);
    });
    while client.recv().is_some() {}
    Ok(()) // the client drops its recorder, which writes the last line
}

fn replay(path: &str) -> Result<(), Box<dyn Error>> {
    for step in Journal::read(BufReader::new(File::open(path)?))?.replay() {
        let step = step?;
        println!("{}", step.description());
        if !step.is_as_recorded() {
            println!("  recorded: {}", step.recorded());
        }
    }
    Ok(())
}
// ANCHOR_END: program
