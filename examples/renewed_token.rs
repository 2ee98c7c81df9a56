//! Fetches a new token over HTTP before each attempt, and shows what a feed sends, until it says `end`.
//!
//! ```sh
//! cargo run -p gateway-examples --example renewed_token -- wss://feed.example http://127.0.0.1:9002/token
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;
use std::time::Duration;

use gateway_std::core::{CloseFrame, DisconnectCause};
use gateway_std::{Builder, Client, ClientEvent, ProviderError, Request};

/// How long the token service may take. It is less than `attempt_timeout`, so that a slow service
/// does not occupy the client's helper thread for longer than an attempt.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest token.
const MAX_TOKEN: u64 = 16 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(feed), Some(service)) = (arguments.next(), arguments.next()) else {
        return Err("usage: renewed_token wss://FEED http://TOKEN-SERVICE".into());
    };
    follow(Client::builder(feed), service, |text| println!("{text}"))
}

pub(crate) fn follow(
    feed: Builder,
    service: String,
    mut show: impl FnMut(&str),
) -> Result<(), Box<dyn Error>> {
    let agent = ureq::Agent::config_builder()
        .proxy(None) // the feed is reached without one, too
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut client = feed
        .attempt(move |_| {
            let token = token(&agent, &service)?;
            Ok(Request::new().header("Authorization", format!("Bearer {token}")))
        })
        .build()?;
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Message(message) => match message.as_text() {
                Some("end") => client.close(CloseFrame::NORMAL),
                text => show(text.unwrap_or("a binary message")),
            },
            ClientEvent::Disconnected { cause: DisconnectCause::Provider, detail, .. } => {
                show(&format!("no token: {detail}"));
            }
            _ => {}
        }
    }
    match client.gave_up() {
        Some(cause) => Err(format!("given up: {cause}").into()),
        None => Ok(()),
    }
}

/// Asks the service. The error's text is logged, so it must not hold a secret.
fn token(agent: &ureq::Agent, service: &str) -> Result<String, ProviderError> {
    let mut answer = agent.get(service).call()?; // any error of the transport is retried
    let status = answer.status();
    let why = format!("the token service answers {status}");
    match status.as_u16() {
        200 => {
            let text = answer.body_mut().with_config().limit(MAX_TOKEN).read_to_string()?;
            Ok(text.trim().to_owned())
        }
        401 | 403 => Err(ProviderError::fatal(why)),
        429 | 503 => {
            let seconds = answer.headers().get("Retry-After");
            let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
            Err(ProviderError::not_before(Duration::from_secs(seconds.unwrap_or(0)), why))
        }
        _ => Err(ProviderError::retry(why)),
    }
}
