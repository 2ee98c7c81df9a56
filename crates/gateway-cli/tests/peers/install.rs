//! The peers' servers.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fault::Peer;
use crate::python::{once, python_with, run};

/// The command line of a peer's server, but for its port.
pub(crate) type ServerCommand = Vec<OsString>;

pub(crate) fn install(peer: Peer) -> Result<ServerCommand, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    match peer {
        Peer::Websockets => {
            let python = python_with(&sources.join("requirements.txt"))?;
            let server = sources.join("server_websockets.py");
            Ok(vec![python.into(), "-B".into(), server.into()])
        }
        Peer::Ws => npm_server(&sources, "server_ws.mjs"),
        Peer::GraphqlWs => npm_server(&sources, "server_graphql_ws.mjs"),
    }
}

/// A module finds packages only in its own directory, so the servers are copied there.
fn npm_server(sources: &Path, server: &str) -> Result<ServerCommand, String> {
    let installed = once("npm", &sources.join("package.json"), npm)?;
    for file in ["steer.mjs", server] {
        fs::copy(sources.join(file), installed.join(file))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(vec!["node".into(), installed.join(server).into()])
}

fn npm(into: &Path, manifest: &Path) -> Result<(), String> {
    run(Command::new("node").arg("--version"))?;
    fs::copy(manifest, into.join("package.json")).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]);
    run(npm.args(["--loglevel=error", "--fetch-retries=1"]).current_dir(into))
}
