//! Follows a feed whose server says where the next connection goes: `moved to ws://HOST:PORT/PATH`.
//!
//! ```sh
//! cargo run -p gateway-examples --example moving_url -- wss://feed.example
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use gateway_tokio::core::{CloseFrame, DisconnectCause};
use gateway_tokio::{Builder, Client, ClientEvent, Request};

/// The URL of the next attempt, if the server has named one.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<Option<String>>>);

impl Next {
    fn set(&self, url: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(url.to_owned());
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: moving_url wss://HOST:PORT/PATH")?;
    follow(Client::builder(url), |text| println!("{text}")).await
}

/// Shows what the server sends, until it says `end`.
pub(crate) async fn follow(
    home: Builder,
    mut show: impl FnMut(&str),
) -> Result<(), Box<dyn Error>> {
    let next = Next::default();
    let named = next.clone();
    let mut client = home
        .attempt(move |_| {
            // A URL is used once. If that attempt fails, the next one goes home again.
            let url = named.take();
            ready(Ok(url.map_or_else(Request::new, |url| Request::new().url(url))))
        })
        .build()?;
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Message(message) => match message.as_text() {
                Some("end") => client.close(CloseFrame::NORMAL),
                Some(text) => match text.strip_prefix("moved to ") {
                    // The builder's headers go there, too: this client trusts its server.
                    Some(url) => next.set(url),
                    None => show(text),
                },
                None => show("a binary message"),
            },
            // For example, if the server named a URL that is none.
            ClientEvent::Disconnected { cause: DisconnectCause::Provider, detail, .. } => {
                show(&detail);
            }
            _ => {}
        }
    }
    match client.gave_up() {
        Some(cause) => Err(format!("given up: {cause}").into()),
        None => Ok(()),
    }
}
