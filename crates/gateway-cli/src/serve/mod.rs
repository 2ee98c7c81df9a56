//! The gateway to test against: a WebSocket server that echoes, answers pings, wants a login, and
//! misbehaves as a script says or as a [`Control`] orders.
//!
//! [`judging`] turns it into a judge: what a client did, held against the expectation of the script.
//!
//! Read [`script`] for what it can do to a client, [`server`] for the door, and [`connection`] for
//! the life of one connection.

pub(crate) mod args;
pub(crate) mod command;
mod connection;
mod control;
mod dialect;
mod ending;
mod frames;
mod judge;
mod judging;
mod line;
mod opening;
mod options;
mod record;
mod script;
mod script_table;
mod secret;
mod server;
mod session;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    control::{Control, Tally},
    options::Options,
    script::Script,
    secret::Secret,
    server::{ServeError, Server},
};

/// What is answered to a text without a script's help: the pong of a ping.
pub(crate) fn answer(text: &str) -> Option<String> {
    match dialect::Incoming::parse(text) {
        dialect::Incoming::Ping(timestamp) => Some(dialect::pong(timestamp)),
        dialect::Incoming::Login(_) | dialect::Incoming::Other => None,
    }
}
