//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

use crate::measures::allocations::Allocations;
use crate::measures::connects::Connects;
use crate::measures::flood::Flood;
use crate::measures::heartbeat::Heartbeat;
use crate::measures::idle::Idle;
use crate::measures::large::Large;
use crate::measures::memory::Memory;
use crate::measures::pipelined::Pipelined;
use crate::measures::tasks::Tasks;
use crate::peers::{Peer, Runtime, Target};

/// Measures one WebSocket client against the benchmarks' server, and prints one JSON object.
///
/// Ends with 1 where a message is lost, doubled or altered, with 3 where the peer does not do the measure.
#[derive(Debug, clap::Parser)]
#[command(name = "bench-clients", version, args_conflicts_with_subcommands = true)]
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
    /// The same, sent by many tasks.
    Tasks(Tasks),
    /// Texts that the server pushes.
    Flood(Flood),
    /// Large texts out, echoes back, a few under way.
    Large(Large),
    /// Connections opened, some at once.
    Connects(Connects),
    /// Memory of open connections.
    Memory(Memory),
    /// Processor time of idle connections with a heartbeat.
    Idle(Idle),
    /// How late heartbeats are in a flood without an end.
    Heartbeat(Heartbeat),
    /// Allocations a message.
    Allocations(Allocations),
}

impl Measure {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Pipelined(_) => "pipelined",
            Self::Tasks(_) => "tasks",
            Self::Flood(_) => "flood",
            Self::Large(_) => "large",
            Self::Connects(_) => "connects",
            Self::Memory(_) => "memory",
            Self::Idle(_) => "idle",
            Self::Heartbeat(_) => "heartbeat",
            Self::Allocations(_) => "allocations",
        }
    }

    /// What every measure is told.
    pub(crate) const fn common(&self) -> &Common {
        match self {
            Self::Pipelined(measure) => &measure.common,
            Self::Tasks(measure) => &measure.common,
            Self::Flood(measure) => &measure.common,
            Self::Large(measure) => &measure.common,
            Self::Connects(measure) => &measure.common,
            Self::Memory(measure) => &measure.common,
            Self::Idle(measure) => &measure.common,
            Self::Heartbeat(measure) => &measure.common,
            Self::Allocations(measure) => &measure.common,
        }
    }
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// The client that is measured.
    pub(crate) peer: Peer,
    /// Where bench-server listens.
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// Peers set TCP_NODELAY, where their default is not to. Ours always do; so does tungstenite.
    #[arg(long)]
    pub(crate) no_delay: bool,
    /// Runs a tokio client on a multi_thread runtime with so many workers, and not on a current_thread one.
    #[arg(long, value_name = "WORKERS")]
    pub(crate) multi_thread: Option<NonZeroUsize>,
    /// After so many seconds it has failed: something is missing.
    #[arg(long, default_value_t = 300)]
    pub(crate) timeout: u64,
}

/// The server listens on all addresses: these are dialled in turn, for each has ephemeral ports of its own.
const ADDRESSES: u32 = 8;

impl Common {
    /// What a tokio client runs on.
    pub(crate) const fn runtime(&self) -> Runtime {
        match self.multi_thread {
            Some(workers) => Runtime::MultiThread { workers },
            None => Runtime::CurrentThread,
        }
    }

    /// The server, for a client with its default settings.
    pub(crate) const fn target(&self) -> Target {
        Target { address: self.server, heartbeat: None, no_delay: self.no_delay }
    }

    /// The server, by the address whose turn it is.
    pub(crate) fn target_in_turn(&self, turn: u32) -> Target {
        let mut target = self.target();
        if target.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let last = (turn % ADDRESSES) as u8 + 1; // from 1 to 8
            target.address.set_ip(Ipv4Addr::new(127, 0, 0, last).into());
        }
        target
    }
}
