//! Clients for tests, and ways to poll them.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use gateway_tokio::core::{Config, ConfigBuilder, ConnectionState, DisconnectCause, HeartbeatKind};
use gateway_tokio::{Builder, Client, ClientEvent, Message};
use tokio::io::DuplexStream;

use crate::clock::{settle, within};
use crate::memory::{Sockets, memory};
use crate::peer::Peer;

/// No heartbeat, and retries that no test waits for.
pub fn calm() -> ConfigBuilder {
    Config::builder()
        .heartbeat(HeartbeatKind::Off)
        .initial_delay(Duration::from_millis(1))
        .max_delay(Duration::from_millis(5))
}

/// A builder with these settings and a fixed seed.
///
/// # Panics
/// The settings are wrong.
pub fn client(url: impl Into<String>, config: ConfigBuilder) -> Builder {
    Client::builder(url).config(config.build().expect("valid settings")).seed(7)
}

/// Returns an open client on a socket in memory, and its peer. The socket holds `capacity` bytes in each
/// direction. The client's events so far are taken, and its socket's calls are counted from here on.
pub async fn pair(config: ConfigBuilder, capacity: usize) -> (Client, Sockets, Peer<DuplexStream>) {
    pair_with(config, capacity, |builder| builder).await
}

/// The same, with more that its builder is called with.
///
/// # Panics
/// The settings are wrong.
pub async fn pair_with(
    config: ConfigBuilder,
    capacity: usize,
    more: impl FnOnce(Builder) -> Builder,
) -> (Client, Sockets, Peer<DuplexStream>) {
    let (memory, mut sockets) = memory(capacity);
    let builder = client("ws://gateway.example", config).dial(memory);
    let mut client = more(builder).build().expect("valid settings");
    let (peer, _) = while_polling(&mut client, sockets.peer()).await;
    while client.state() == ConnectionState::Connecting {
        client.next().await;
    }
    while_polling(&mut client, settle()).await;
    sockets.calls.take();
    (client, sockets, peer)
}

/// Polls the client while `script` runs; returns what the script does, and the events that came meanwhile.
pub async fn while_polling<T>(
    client: &mut Client,
    script: impl Future<Output = T>,
) -> (T, Vec<ClientEvent>) {
    let mut script = pin!(script);
    let mut events = Vec::new();
    let done = within(async {
        loop {
            tokio::select! {
                biased;
                done = &mut script => return done,
                event = client.next() => match event {
                    Some(event) => events.push(event),
                    None => return script.await,
                },
            }
        }
    })
    .await;
    (done, events)
}

/// Takes events up to the first that fits, which is the last of those returned.
///
/// # Panics
/// The connection is over before that.
pub async fn until(
    client: &mut Client,
    mut fits: impl FnMut(&ClientEvent) -> bool,
) -> Vec<ClientEvent> {
    let mut events = Vec::new();
    while !events.last().is_some_and(&mut fits) {
        match within(client.next()).await {
            Some(event) => events.push(event),
            None => panic!("the connection is over: {events:?}"),
        }
    }
    events
}

/// Takes events until the connection is ready; the last may still wait.
///
/// # Panics
/// The connection is over before that.
pub async fn until_ready(client: &mut Client) {
    while !client.is_ready() {
        within(client.next()).await.expect("a connection that is not over");
    }
}

/// Takes all events up to the end.
pub async fn drain(client: &mut Client) -> Vec<ClientEvent> {
    let mut events = Vec::new();
    while let Some(event) = within(client.next()).await {
        events.push(event);
    }
    events
}

/// The messages among the events.
#[must_use]
pub fn messages(events: &[ClientEvent]) -> Vec<Message> {
    let message = |event: &ClientEvent| match event {
        ClientEvent::Message(message) => Some(message.clone()),
        _ => None,
    };
    events.iter().filter_map(message).collect()
}

/// The text messages among the events.
#[must_use]
pub fn texts(events: &[ClientEvent]) -> Vec<String> {
    messages(events).iter().filter_map(|message| message.as_text().map(ToOwned::to_owned)).collect()
}

/// The causes of disconnection among the events.
#[must_use]
pub fn disconnected(events: &[ClientEvent]) -> Vec<DisconnectCause> {
    let cause = |event: &ClientEvent| match event {
        ClientEvent::Disconnected { cause, .. } => Some(*cause),
        _ => None,
    };
    events.iter().filter_map(cause).collect()
}
