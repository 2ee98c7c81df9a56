//! stream-tungstenite: a task that reconnects, a sender with a queue, and a broadcast of what comes in.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use stream_tungstenite::tokio_tungstenite::tungstenite::Message;
use stream_tungstenite::{ClientConfig, ConnectionEvent, Sender, SharedMessage, WebSocketClient};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::{Socket, Target};
use crate::exchange::Seen;

/// Its broadcast drops what is not taken in time; the default of 256 holds less than what is under way.
const ROOM: usize = 4096;

/// Subscribed to its messages.
pub(crate) struct Subscribed {
    sender: Sender,
    messages: broadcast::Receiver<SharedMessage>,
    running: JoinHandle<()>,
}

impl Socket for Subscribed {
    async fn open(target: &Target) -> Result<Self> {
        let config =
            ClientConfig::default().with_channel_buffer(ROOM).with_nodelay(target.no_delay);
        let client = Arc::new(WebSocketClient::builder(target.url()).config(config).build());
        let messages = client.subscribe();
        let mut events = client.subscribe_events();
        let runner = Arc::clone(&client);
        let running = tokio::spawn(async move {
            // It ends when it is dropped; what went wrong is seen by those who wait for messages.
            let _ = runner.run().await;
        });
        while !matches!(events.recv().await?, ConnectionEvent::Connected { .. }) {}
        // The sender is there some polls after that news.
        let sender = loop {
            match client.sender().await {
                Some(sender) => break sender,
                None => tokio::task::yield_now().await,
            }
        };
        Ok(Self { sender, messages, running })
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.sender.send_text_async(text).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        loop {
            match &*self.messages.recv().await.context("messages")? {
                Message::Text(text) => return seen.take(text.as_bytes()),
                Message::Binary(_) => bail!("altered: binary came"),
                _ => {}
            }
        }
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.running.abort();
    }
}
