//! The benchmarks' server: it echoes, floods and answers heartbeats, faster than any client can ask.
//!
//! It trusts its clients: a frame or a request that it does not understand ends the connection.
#![forbid(unsafe_code)]

mod clock;
mod connection;
mod flood;
mod frames;
mod probe;
mod server;

use std::error::Error;

use rustix::process::{Resource, getrlimit, setrlimit};

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        None => {
            raise_descriptors();
            Ok(server::run()?)
        }
        Some("--probe") => Ok(probe::run()?),
        Some(_) => Err("usage: bench-server [--probe]".into()),
    }
}

/// Thousands of connections want as many descriptors as the system grants.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        eprintln!("bench-server: the limit of open files stays as it is: {error}");
    }
}
