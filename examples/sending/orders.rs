//! Places an order once, also if the connection is lost before the server's answer comes.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --script drop
//! cargo run -p gateway-examples --example sending_orders -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::CloseFrame;
use gateway_tokio::{Client, Handle, JsonCorrelator, Message, RequestError, RequestErrorKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: sending_orders ws://HOST:PORT/PATH")?;
    let client = Client::builder(url).requests(JsonCorrelator::new("/id")?).build()?;
    let (handle, events) = client.spawn();
    drop(events); // a program that only calls needs none
    let answer = place(&handle, "2026-11-30-0001").await?;
    println!("{}", answer.as_text().unwrap_or("not a text"));
    handle.drain(CloseFrame::NORMAL, Duration::from_secs(5)).await;
    Ok(())
}

// ANCHOR: program
/// Places the order with this id, once. The server rejects a second order with the same id, and
/// names the first one in its answer. An error says whether the server may have the order.
pub(crate) async fn place(handle: &Handle, id: &str) -> Result<Message, RequestError> {
    let order = format!(r#"{{"method":"order","order_id":"{id}","side":"buy","quantity":1}}"#);
    loop {
        match handle.request_when_ready(order.as_str(), Duration::from_secs(10)).await {
            Err(error) if error.is_maybe_sent() && can_ask_again(&error) => println!("{error}"),
            ended => return ended,
        }
    }
}

/// Whether a further try may get an answer: the client is not gone.
fn can_ask_again(error: &RequestError) -> bool {
    matches!(error.kind(), RequestErrorKind::MaybeSent | RequestErrorKind::TimedOut)
}
// ANCHOR_END: program
