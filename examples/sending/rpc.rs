//! A JSON-RPC client: 64 tasks call at a time, over one connection that stays up.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example sending_rpc -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Client, Handle, JsonCorrelator, RequestError};
use tokio::task::JoinSet;

/// How many tasks call at a time.
pub(crate) const CALLERS: usize = 64;

/// How many calls each of them makes.
pub(crate) const CALLS: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: sending_rpc ws://HOST:PORT/PATH")?;
    println!("{} calls were answered", run(&url).await?);
    Ok(())
}

// ANCHOR: program
/// Makes all calls. Returns how many were answered.
pub(crate) async fn run(url: &str) -> Result<usize, Box<dyn Error>> {
    let client = Client::builder(url).requests(JsonCorrelator::new("/id")?).build()?;
    let (handle, events) = client.spawn();
    drop(events); // a program that only calls needs none

    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(call(handle.clone(), caller));
    }
    let mut answered = 0;
    while let Some(calls) = callers.join_next().await {
        answered += calls??;
    }
    handle.drain(CloseFrame::NORMAL, Duration::from_secs(5)).await;
    Ok(answered)
}

async fn call(handle: Handle, caller: usize) -> Result<usize, RequestError> {
    for number in 0..CALLS {
        // The client puts the id into the text. The server may carry out this call twice, so the
        // client sends it again if the connection is lost before the answer comes.
        let request = format!(r#"{{"jsonrpc":"2.0","method":"add","params":[{caller},{number}]}}"#);
        handle.request_idempotent(request, Duration::from_secs(10)).await?;
    }
    Ok(CALLS)
}
// ANCHOR_END: program
