//! Follows a feed. The test runs the same code on paused time, with a server in memory.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example guide_testing -- ws://127.0.0.1:9001
//! cargo test -p gateway-examples --example guide_testing
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

// ANCHOR: program
use gateway_tokio::core::{CloseFrame, Notice};
use gateway_tokio::{Client, ClientEvent};

/// Subscribes on each connection, and shows what comes, until the server sends `end`.
async fn follow(client: &mut Client, mut show: impl FnMut(&str)) {
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Notice(Notice::Ready { .. }) => {
                let _ = client.send("subscribe").await; // if it fails, the next Ready subscribes
            }
            ClientEvent::Message(message) => match message.as_text() {
                Some("end") => client.close(CloseFrame::NORMAL),
                text => show(text.unwrap_or("a binary message")),
            },
            _ => {}
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_testing ws://HOST:PORT/PATH")?;
    let mut client = Client::builder(url).build()?;
    follow(&mut client, |price| println!("{price}")).await;
    Ok(())
}
// ANCHOR_END: program

// ANCHOR: test
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{SinkExt as _, StreamExt as _};
    use gateway_tokio::{Dial, Dialing, Endpoint, Transport};
    use tokio::io::DuplexStream;
    use tokio::sync::mpsc;
    use tokio::time::timeout;
    use tokio_tungstenite::accept_async;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    /// Opens streams in memory, and passes the server's ends to the test.
    struct Memory(mpsc::UnboundedSender<DuplexStream>);

    impl Dial for Memory {
        fn dial(&self, _: &Endpoint) -> Dialing {
            let (client, server) = tokio::io::duplex(64 * 1024);
            let _ = self.0.send(server); // the test may be over
            Box::pin(async move { Ok(Box::new(client) as Box<dyn Transport>) })
        }
    }

    /// Serves one connection: expects the subscription, and sends one message.
    async fn serve(stream: DuplexStream, answer: &'static str) {
        let mut socket = accept_async(stream).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("subscribe"));
        socket.send(Message::text(answer)).await.unwrap();
        if answer == "end" {
            while socket.next().await.is_some() {} // answers the Close
        }
    } // otherwise the stream is dropped, without a Close

    #[tokio::test(start_paused = true)] // time passes only while both sides wait
    async fn it_waits_after_a_loss_and_subscribes_again() {
        let (streams, mut opened) = mpsc::unbounded_channel();
        let builder = Client::builder("ws://feed.example").dial(Memory(streams));
        let mut client = builder.seed(7).build().unwrap(); // the same delays in each run

        let mut prices = Vec::<String>::new();
        let server = async {
            serve(opened.recv().await.unwrap(), "1.10").await;
            let early = timeout(Duration::from_millis(999), opened.recv()).await;
            assert!(early.is_err(), "a retry comes after a second or later");
            serve(opened.recv().await.unwrap(), "end").await;
        };
        let both =
            async { tokio::join!(server, follow(&mut client, |price| prices.push(price.into()))) };
        timeout(Duration::from_secs(60), both).await.expect("both end in a minute");

        assert_eq!(prices, ["1.10"]);
        assert_eq!(client.statistics().opened, 2);
    }
}
// ANCHOR_END: test
