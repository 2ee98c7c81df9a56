//! Logs in with a token that is asked for before each attempt.
//!
//! ```sh
//! cargo run -p gateway-cli -- serve --listen 127.0.0.1:9001 --login hunter2
//! cargo run -p gateway-examples --example guide_login -- ws://127.0.0.1:9001 hunter2
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

use gateway_tokio::core::{Config, DisconnectCause, Notice};
use gateway_tokio::{Client, ClientEvent, Request};

// ANCHOR: config
const CONFIG: &str = r#"
    [login]
    send = '{"type":"login","token":"hunter2"}'
    accepted = "/type=login_ok"
    refused = "/type=login_failed"
    timeout = "5s"
"#;
// ANCHOR_END: config

// ANCHOR: program
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: guide_login ws://HOST:PORT/PATH TOKEN".into());
    };
    let mut client = Client::builder(url)
        .config(toml::from_str::<Config>(CONFIG)?) // the provider replaces its `send`
        .attempt(move |attempt| {
            let token = token.clone();
            async move {
                if attempt.refresh {
                    println!("the server refused the token"); // fetch a new one here
                }
                let login = format!(r#"{{"type":"login","token":"{token}"}}"#);
                Ok(Request::new().login(login))
            }
        })
        .build()?;
    while let Some(event) = client.next().await {
        match event {
            ClientEvent::Notice(Notice::Ready { .. }) => println!("logged in"),
            ClientEvent::Disconnected {
                cause: DisconnectCause::LoginRefused(_), detail, ..
            } => {
                println!("the login was refused: {detail}");
            }
            ClientEvent::Disconnected { cause: DisconnectCause::LoginTimeout, .. } => {
                println!("the server did not answer the login");
            }
            ClientEvent::Message(message) => println!("received {message:?}"),
            _ => {}
        }
    }
    Err(client.closed().await.to_string().into())
}
// ANCHOR_END: program
