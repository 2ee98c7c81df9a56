//! The peers with their versions and measures, as `--list` prints them.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::peers::Peer;

/// What this very program was built with.
const LOCK: &str = include_str!("../../Cargo.lock");

pub(crate) fn peers() -> Value {
    let peers = Peer::value_variants().iter().map(|peer| {
        json!({ "name": peer.name(), "version": version(peer.package()), "measures": peer.measures() })
    });
    json!({ "peers": peers.collect::<Vec<_>>() })
}

/// The version of one of our own dependencies. Where there are several of a package, ours is told with its version.
fn version(package: &str) -> Option<&'static str> {
    let ours = described("bench-clients")?;
    let dependency = ours
        .lines()
        .map(|line| line.trim_matches([' ', '"', ',']))
        .find(|line| line.split(' ').next() == Some(package))?;
    dependency.split(' ').nth(1).or_else(|| {
        let line = described(package)?.lines().find(|line| line.starts_with("version = "))?;
        line.split('"').nth(1)
    })
}

/// What the lock file says of a package.
fn described(package: &str) -> Option<&'static str> {
    LOCK.split("[[package]]\n").find(|described| described.split('"').nth(1) == Some(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_the_version_that_is_compared() {
        let told = |package| version(package).unwrap_or("none");
        assert_eq!(told("tungstenite"), "0.30.0");
        assert_eq!(told("tokio-tungstenite"), "0.30.0");
        assert_eq!(told("fastwebsockets"), "0.10.0");
        assert_eq!(told("tokio-websockets"), "0.13.3");
        assert_eq!(told("yawc"), "0.5.0");
        assert_eq!(told("sockudo-ws"), "3.1.0");
        assert_eq!(told("ezsockets"), "0.7.2");
        assert_eq!(told("stream-tungstenite"), "0.6.1");
        assert_eq!(told("nautilus-network"), "0.57.0");
        assert!(Peer::value_variants().iter().all(|peer| version(peer.package()).is_some()));
    }
}
