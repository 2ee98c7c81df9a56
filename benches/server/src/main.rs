//! The benchmarks' server: it echoes, floods and answers heartbeats, faster than any client can ask.
#![forbid(unsafe_code)]

mod clock;
mod connection;
mod flood;
mod frames;
mod probe;
mod request;
mod server;
mod session;
mod socket;
mod statistics;

use std::process::ExitCode;

use rustix::process::{Resource, getrlimit, setrlimit};

const USAGE: &str = "usage: bench-server [--port P] | bench-server --probe";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => serve(0),
        ["--probe"] => probe::run(),
        ["--port", port] => match port.parse() {
            Ok(port) => serve(port),
            Err(_) => return usage(&format!("--port {port}: not a port")),
        },
        _ => return usage(&format!("not understood: {}", arguments.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16) -> std::io::Result<()> {
    raise_descriptors();
    server::run(port)
}

/// Thousands of connections want as many descriptors as the system grants.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        eprintln!("bench-server: the limit of open files stays as it is: {error}");
    }
}

fn usage(what: &str) -> ExitCode {
    eprintln!("bench-server: {what}\n{USAGE}");
    ExitCode::from(2)
}
