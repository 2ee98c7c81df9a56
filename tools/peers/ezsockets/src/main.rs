//! The client of ezsockets' documentation: connects, sends a message each second, prints nothing.
//!
//! All settings are defaults.

use std::time::Duration;

use async_trait::async_trait;
use ezsockets::{Bytes, ClientConfig, ClientExt, Error, Utf8Bytes};

struct Quiet;

#[async_trait]
impl ClientExt for Quiet {
    type Call = ();

    async fn on_text(&mut self, _: Utf8Bytes) -> Result<(), Error> {
        Ok(())
    }

    async fn on_binary(&mut self, _: Bytes) -> Result<(), Error> {
        Ok(())
    }

    async fn on_call(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).ok_or("usage: peer-ezsockets URL")?;
    let (client, connection) = ezsockets::connect(|_| Quiet, ClientConfig::new(&*url)).await;
    tokio::spawn(async move {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            if client.text("hello").is_err() {
                return;
            }
        }
    });
    connection.await
}
