//! Subscribes on each connection, replaces connections before the server's limit, explains causes.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001
//! cargo run -p gateway-examples --example guide_faq -- ws://127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_tokio::core::{Config, DisconnectCause, OpenError};
use gateway_tokio::{Builder, Client, ClientEvent};

// ANCHOR: subscribe
/// The server forgets subscriptions with the connection. The client sends them on each `Ready`.
fn subscribing(url: &str, topics: &[&str]) -> Builder {
    topics.iter().fold(Client::builder(url), |builder, topic| {
        let subscribe = format!(r#"{{"type":"subscribe","topic":"{topic}"}}"#);
        builder.on_ready(*topic, subscribe) // the topic is the key
    })
}
// ANCHOR_END: subscribe

// ANCHOR: causes
/// What to look at first when a connection was lost.
fn advice(cause: DisconnectCause) -> &'static str {
    match cause {
        DisconnectCause::PongTimeout => "the peer sent nothing after a ping: network, or server",
        DisconnectCause::WriteStall => "the peer takes no bytes: it hangs, or reads too slowly",
        DisconnectCause::DataTimeout => "pings were answered, but no message came: the feed hangs",
        DisconnectCause::ConnectTimeout => "DNS, TCP, TLS or upgrade is slow: firewall, or load",
        DisconnectCause::Provider => {
            "your provider failed, or its request is refused: see the detail"
        }
        DisconnectCause::AttemptTimeout => "your provider gave no request in time",
        DisconnectCause::LoginRefused(_) => "check the token, and what your provider does",
        DisconnectCause::LoginTimeout => "no answer matched login.accepted: compare it with yours",
        DisconnectCause::CloseReceived(_) => "the server closed: run gateway explain CODE",
        DisconnectCause::OpenFailed(OpenError::Http { .. }) => "the server refused the upgrade",
        DisconnectCause::OpenFailed(OpenError::Proxy) => "the proxy refused: read the detail",
        DisconnectCause::OpenFailed(OpenError::ProxyCredentials) => {
            "the proxy wants a user and a password: put them into its URL"
        }
        DisconnectCause::OpenFailed(OpenError::Certificate | OpenError::Tls) => {
            "TLS failed: read the detail, which says what to change"
        }
        DisconnectCause::OpenFailed(OpenError::NotHttp | OpenError::Upgrade) => {
            "something answered, but not as a WebSocket server: check host, port and path"
        }
        DisconnectCause::OpenFailed(_) => "no connection was opened: read the detail",
        DisconnectCause::ProtocolError(_) => "the server sent invalid frames: report it there",
        DisconnectCause::Lost(_) => "the stream ended without a Close: network, proxy or crash",
        DisconnectCause::Requested | DisconnectCause::CloseTimeout => "you closed it",
        DisconnectCause::Reconnect | DisconnectCause::Renewal => "replaced on purpose",
        DisconnectCause::Dialect => "your dialect left the server: read the detail",
        _ => "see the documentation of DisconnectCause",
    }
}
// ANCHOR_END: causes

// ANCHOR: renew
/// The server ends each connection after an hour. This client leaves five to ten minutes earlier.
const LIFETIME: Duration = Duration::from_secs(55 * 60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: guide_faq ws://HOST:PORT/PATH [SECONDS]")?;
    let lifetime = std::env::args().nth(2).map(|seconds| seconds.parse().map(Duration::from_secs));
    let lifetime = lifetime.transpose()?.unwrap_or(LIFETIME);
    let config = Config::builder().renew_after(Some(lifetime)).build()?;
    let mut client = subscribing(&url, &["prices", "trades"]).config(config).build()?;
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Disconnected { cause, .. } => {
                println!("{}: {}", cause.name(), advice(cause));
            }
            ClientEvent::Message(message) => println!("received {message:?}"),
            _ => {}
        }
    }
    Err(client.closed().await.to_string().into())
}
// ANCHOR_END: renew
