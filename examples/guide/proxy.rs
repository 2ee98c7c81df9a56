//! Connects through a proxy.
//!
//! ```sh
//! cargo run -p gateway-examples --example guide_proxy -- wss://gateway.example/feed http://proxy.example:3128
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

use gateway_std::core::{DisconnectCause, OpenError};
use gateway_std::{Client, ClientEvent, Proxy};

// ANCHOR: program
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (url, proxy) = match arguments.as_slice() {
        [url] => (url, Proxy::from_env()), // HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
        [url, proxy] => (url, Proxy::new(proxy).no_proxy("localhost, 127.0.0.0/8")),
        _ => return Err("usage: guide_proxy URL [PROXY]".into()),
    };
    let mut client = Client::builder(url).proxy(proxy).build()?;
    if let Some(proxy) = client.proxy() {
        println!("through {proxy}"); // without user and password
    }
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Disconnected {
                cause: DisconnectCause::OpenFailed(OpenError::Proxy | OpenError::ProxyCredentials),
                detail,
                ..
            } => println!("the proxy refused: {detail}"),
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
// ANCHOR_END: program
