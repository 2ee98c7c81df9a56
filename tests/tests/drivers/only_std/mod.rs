//! What the blocking driver alone does: mailboxes, a helper thread, deadlines of calls.

mod client;
mod fleet;
mod idle;
mod observers;
mod opening;
mod permits;
mod pressure;
mod refusals;
mod requests;
mod senders;

use gateway_std::core::ConfigBuilder;
use gateway_tests::calm;
use std::time::Duration;

use gateway_std::{Builder, Client};

fn builder(url: &str, config: ConfigBuilder) -> Builder {
    Client::builder(url).config(config.build().unwrap()).seed(7)
}

fn client(url: &str, config: ConfigBuilder) -> Client {
    builder(url, config).build().unwrap()
}

/// A ready client whose events are taken.
fn at_rest(url: &str) -> Client {
    let mut client = builder(url, calm()).name("feed-7").build().unwrap();
    until_ready(&mut client);
    while client.recv_timeout(Duration::ZERO).is_ok() {}
    client
}

fn until_ready(client: &mut Client) {
    while !client.is_ready() {
        client.recv().expect("a connection that is not over");
    }
}
