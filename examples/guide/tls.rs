//! Connects to a server of a private CA, and shows it a client certificate.
//!
//! ```sh
//! cargo run -p gateway-examples --example guide_tls -- wss://localhost:9443 ca.pem client.pem key.pem
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::error::Error;

use gateway_std::core::{DisconnectCause, OpenError};
use gateway_std::{Client, ClientEvent, Tls};

// ANCHOR: program
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (url, tls) = match arguments.as_slice() {
        [url] => (url, Tls::platform()?),
        [url, ca] => (url, Tls::pem_file(ca)?),
        [url, ca, certificate, key] => {
            (url, Tls::pem_file(ca)?.with_client_certificate_files(certificate, key)?)
        }
        _ => return Err("usage: guide_tls wss://HOST:PORT/PATH [CA [CERTIFICATE KEY]]".into()),
    };
    let mut client = Client::builder(url).tls(tls).build()?;
    while let Some(event) = client.recv() {
        match event {
            ClientEvent::Disconnected {
                cause: DisconnectCause::OpenFailed(OpenError::Certificate | OpenError::Tls),
                detail,
                ..
            } => println!("TLS failed: {detail}"), // says what to change; the client retries
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
// ANCHOR_END: program
