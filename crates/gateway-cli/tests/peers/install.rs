//! The peers' servers and clients.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::clients::Library;
use crate::fault::Peer;
use crate::python::{once, python_with, run};

/// The command line of a peer, without the arguments of its run.
pub(crate) type PeerCommand = Vec<OsString>;

pub(crate) fn install(peer: Peer) -> Result<PeerCommand, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    match peer {
        Peer::Websockets => {
            let python = python_with(&sources.join("requirements.txt"))?;
            let server = sources.join("server_websockets.py");
            Ok(vec![python.into(), "-B".into(), server.into()])
        }
        Peer::Ws => npm_server(&sources, "server_ws.mjs"),
        Peer::GraphqlWs => npm_server(&sources, "server_graphql_ws.mjs"),
        Peer::SocketIo => npm_server(&sources, "server_socket_io.mjs"),
    }
}

pub(crate) fn install_client(library: Library) -> Result<PeerCommand, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    npm_program(&sources, library.program(), "report.mjs")
}

/// Whether a package of Debian's is installed, by its program.
pub(crate) fn installed(program: &str, package: &str) -> Result<(), String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    Err(format!("{program} is not installed (apt-get install {package})"))
}

fn npm_server(sources: &Path, server: &str) -> Result<PeerCommand, String> {
    npm_program(sources, server, "steer.mjs")
}

/// A module finds packages only in its own directory, so the programs are copied there.
fn npm_program(sources: &Path, program: &str, shared: &str) -> Result<PeerCommand, String> {
    let installed = once("npm", &sources.join("package.json"), npm)?;
    for file in [shared, program] {
        fs::copy(sources.join(file), installed.join(file))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(vec!["node".into(), installed.join(program).into()])
}

fn npm(into: &Path, manifest: &Path) -> Result<(), String> {
    run(Command::new("node").arg("--version"))?;
    fs::copy(manifest, into.join("package.json")).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]);
    run(npm.args(["--loglevel=error", "--fetch-retries=1"]).current_dir(into))
}
