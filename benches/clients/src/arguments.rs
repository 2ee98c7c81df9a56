//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::measures::flood::Flood;
use crate::measures::pipelined::Pipelined;
use crate::peers::{Peer, Target};

/// Measures one WebSocket client against the benchmarks' server, and prints one JSON object.
#[derive(Debug, clap::Parser)]
#[command(version, subcommand_required = false, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Prints the peers, their versions and measures.
    #[arg(long)]
    pub(crate) list: bool,
    #[command(subcommand)]
    pub(crate) measure: Option<Measure>,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Measure {
    /// Texts out, echoes back, many under way.
    Pipelined(Pipelined),
    /// Texts that the server pushes.
    Flood(Flood),
}

impl Measure {
    /// What every measure is told.
    pub(crate) const fn common(&self) -> &Common {
        match self {
            Self::Pipelined(measure) => &measure.common,
            Self::Flood(measure) => &measure.common,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The client that is measured.
    pub(crate) peer: Peer,
    /// Where bench-server listens.
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// After so many seconds it has failed: something is missing.
    #[arg(long, default_value_t = 300)]
    pub(crate) timeout: u64,
}

/// The server listens on all addresses: these are dialled in turn, for each has ephemeral ports of its own.
const ADDRESSES: u8 = 8;

impl Common {
    /// The server, for a client with its default settings.
    pub(crate) const fn target(&self) -> Target {
        Target { address: self.server, heartbeat: None }
    }

    /// The server by the address that is this one's turn.
    pub(crate) fn target_in_turn(&self, turn: u32, heartbeat: Option<Duration>) -> Target {
        let mut address = self.server;
        if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let last = (turn % u32::from(ADDRESSES)) as u8 + 1;
            address.set_ip(Ipv4Addr::new(127, 0, 0, last).into());
        }
        Target { address, heartbeat }
    }
}
