//! nautilus-network: tasks that read, write and reconnect; `send_text` queues, and a handler is called for what comes.
//!
//! The handler passes messages on through a channel. Its own `channel_message_handler` does that, too, but converts them.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nautilus_network::websocket::{WebSocketClient, WebSocketConfig};
use nautilus_network::{Message, RECONNECTED};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Socket, Target};
use crate::exchange::Seen;

/// With a handler, because only then it reconnects.
pub(crate) struct Handled {
    client: WebSocketClient,
    messages: UnboundedReceiver<Message>,
}

impl Socket for Handled {
    async fn open(target: &Target) -> Result<Self> {
        let (pass_on, messages) = unbounded_channel();
        let handler = move |message| drop(pass_on.send(message)); // fails once all is measured
        let config = WebSocketConfig::builder().url(target.url()).build();
        let handler = Some(Arc::new(handler) as _);
        let client =
            WebSocketClient::connect(config, handler, None, None, Vec::new(), None).await?;
        Ok(Self { client, messages })
    }

    async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.client.send_text(text.to_owned(), None).await?)
    }

    async fn receive(&mut self, seen: &mut Seen) -> Result<()> {
        loop {
            match self.messages.recv().await.context("closed")? {
                Message::Text(text) if text == RECONNECTED => bail!("lost, and connected again"),
                Message::Text(text) => return seen.take(&text),
                Message::Binary(_) => bail!("altered: binary came"),
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            }
        }
    }
}
