//! The test server: it echoes, answers pings, requires a login, and misbehaves as a script or a [`Control`]
//! orders.
//!
//! [`judging`] compares what a client did with the rules of the script.
//!
//! [`script`] lists what the server can do to a client, [`server`] has the listener, and [`connection`]
//! runs one connection.

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

/// The default answer to a text: the pong for a ping.
pub(crate) fn answer(text: &str) -> Option<String> {
    match dialect::Incoming::parse(text) {
        dialect::Incoming::Ping(timestamp) => Some(dialect::pong(timestamp)),
        dialect::Incoming::Login(_) | dialect::Incoming::Other => None,
    }
}
