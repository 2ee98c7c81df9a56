//! A chat that keeps what you type while it is offline, and says what became of it.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example sending_chat -- ws://127.0.0.1:9001
//! ```
//! Stop the server, type some lines, and start it again.
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::{CloseFrame, Notice, SendRejection};
use gateway_tokio::{Client, ClientEvent, Events, Fate, Handle, Outbox};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: sending_chat ws://HOST:PORT/PATH")?;
    run(&url, BufReader::new(tokio::io::stdin())).await
}

// ANCHOR: program
pub(crate) async fn run(url: &str, typed: impl AsyncBufRead + Unpin) -> Result<(), Box<dyn Error>> {
    let outbox = Outbox::default().messages(1_000).time_to_live(Duration::from_secs(600));
    let client = Client::builder(url).outbox(outbox).lost_after(Duration::from_secs(10)).build()?;
    let (handle, events) = client.spawn();
    let shown = tokio::spawn(show(events));

    let sent = send_all(&handle, typed).await;
    // Nothing is typed any more, or it cannot be read. What still waits has half a minute.
    handle.drain(CloseFrame::NORMAL, Duration::from_secs(30)).await;
    shown.await?;
    sent.map_err(Into::into)
}

async fn send_all(handle: &Handle, typed: impl AsyncBufRead + Unpin) -> std::io::Result<()> {
    let mut lines = typed.split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line).into_owned();
        match handle.send(line.trim_end_matches('\r')).await {
            Ok(accepted) if accepted.is_queued() => {
                println!("(you are offline: this is sent when you are back)");
            }
            Ok(_) => {}
            Err(refused) if refused.rejection() == SendRejection::Closed => break,
            Err(refused) => println!("(not sent: {refused})"), // type it again
        }
    }
    Ok(())
}

async fn show(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            ClientEvent::Message(message) => println!("< {}", message.as_text().unwrap_or("...")),
            ClientEvent::Notice(Notice::Ready { .. }) => println!("(online)"),
            ClientEvent::Lost { away } => println!("(offline for {} s)", away.as_secs()),
            ClientEvent::Outcome(outcome) => {
                let count = outcome.count();
                match outcome.fate {
                    Fate::Expired => println!("({count} lines were too old to be sent)"),
                    Fate::MaybeSent { .. } => println!("({count} lines may be lost)"),
                    _ => println!("({count} lines were not sent)"),
                }
            }
            _ => {}
        }
    }
}
// ANCHOR_END: program
