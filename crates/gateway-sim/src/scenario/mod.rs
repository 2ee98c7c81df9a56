//! A scenario: the fleet, the server, the network and what goes wrong. A scenario that exists is
//! valid.

mod build;
mod faults;
mod named;
mod read;
mod reader;
mod scale;

use std::sync::Arc;
use std::time::Duration;

use gateway_core::Config;
use toml::Table;

pub use build::ScenarioBuilder;
pub use named::NamedScenario;
pub(crate) use read::RATE;
pub(crate) use reader::PPM;

/// A valid scenario.
///
/// Read one from a file with [`ScenarioBuilder::from_toml`], or take one of the
/// [`NamedScenario`]s. The [crate's documentation](crate) shows the format.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub(crate) source: Table,
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) clients: u32,
    pub(crate) horizon_ms: u64,
    pub(crate) step_ms: u64,
    pub(crate) start: Start,
    pub(crate) measure_from_ms: Option<u64>,
    pub(crate) server: Server,
    pub(crate) network: Network,
    pub(crate) groups: Vec<Group>,
    pub(crate) faults: Vec<Fault>,
}

impl Scenario {
    /// A builder with this scenario's settings, to change some of them.
    #[must_use]
    pub fn to_builder(&self) -> ScenarioBuilder {
        ScenarioBuilder::from_table(self.source.clone())
    }

    /// The scenario as TOML. Reading it again gives an equal scenario.
    #[must_use]
    pub fn to_toml(&self) -> String {
        self.source.to_string()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed of everything that is random.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of clients.
    #[must_use]
    pub const fn clients(&self) -> u32 {
        self.clients
    }

    /// When the simulation ends.
    #[must_use]
    pub const fn horizon(&self) -> Duration {
        Duration::from_millis(self.horizon_ms)
    }

    /// The time between two rows of the curve.
    #[must_use]
    pub const fn step(&self) -> Duration {
        Duration::from_millis(self.step_ms)
    }

    /// The state of the fleet before the first fault.
    #[must_use]
    pub const fn start(&self) -> Start {
        self.start
    }

    /// The instant from which the recovery counts: the setting `measure_from`, or the end of the
    /// last fault.
    #[must_use]
    pub fn measured_from(&self) -> Duration {
        let measured = self.measure_from_ms.map(Duration::from_millis);
        measured.unwrap_or_else(|| self.released()).min(self.horizon())
    }

    /// The end of the last fault.
    pub(crate) fn released(&self) -> Duration {
        let last = self.faults.iter().map(|fault| fault.kind.released_ms()).max();
        Duration::from_millis(last.unwrap_or(0).min(self.horizon_ms))
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The groups of clients. There is at least one.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What goes wrong, in the order of the file.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// The state of the fleet before the first fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// All clients are connected and stable.
    Ready,
    /// All clients request their first connection at zero.
    Cold,
}

/// The server: nodes behind a balancer, each with an accept stage and perhaps a login stage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Server {
    /// The number of nodes.
    pub nodes: u32,
    /// How the balancer chooses a node.
    pub balance: Balance,
    /// How long the balancer needs to see that a node is down or up.
    pub health: Duration,
    /// The accept stage of each node: TCP, TLS and the upgrade.
    pub accept: Stage,
    /// The login stage of each node.
    pub login: Option<Stage>,
    /// What an entry costs after its client has left, in millionths of the full service time. A
    /// server may pay more than for a client that stays.
    pub dead_work_ppm: u64,
    /// When a node crashes under load.
    pub crash: Option<Crash>,
    /// The rate limit of each node.
    pub admission: Option<Admission>,
}

/// How the balancer chooses a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// One after the other.
    RoundRobin,
    /// The node with the fewest connections, those in its queues included.
    Least,
    /// At random.
    Random,
}

/// A stage of a node: workers and a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stage {
    /// How many entries are served at the same time.
    pub workers: u32,
    /// How long a worker needs for an entry.
    pub service: Duration,
    /// How many entries wait at most.
    pub queue: u64,
    /// Which entry is next.
    pub order: Order,
    /// What happens to an entry if the queue is full.
    pub full: WhenFull,
}

impl Stage {
    /// How many entries the stage serves a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        f64::from(self.workers) / self.service.as_secs_f64()
    }

    /// How long the stage needs for a full queue.
    #[must_use]
    pub fn full_queue(&self) -> Duration {
        let nanos = self.service.as_nanos() * u128::from(self.queue) / u128::from(self.workers);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Which entry of a queue is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The oldest entry.
    Fifo,
    /// The newest entry.
    Lifo,
}

/// What happens to an entry if the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The server answers with a reset.
    Refuse,
    /// The server drops the SYN. The client's kernel sends it again after 1, 3, 7, 15, 31 s and
    /// so on. At the login stage, the message waits in the client's socket for the same times.
    DropSyn,
}

/// When a node crashes under load. It then drops all connections and both queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crash {
    /// It crashes if more entries than this are in its queues.
    pub queue: Option<u64>,
    /// It crashes if it has more open connections than this.
    pub open: Option<u64>,
    /// How long it is down.
    pub down: Duration,
}

/// A rate limit of a node, as a token bucket. What it refuses costs no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// How many attempts are let in a second.
    pub per_second: u64,
    /// How many attempts are let in at once after a pause.
    pub burst: u64,
    /// The HTTP status of a refusal.
    pub status: u16,
    /// The `Retry-After` header of a refusal.
    pub retry_after: Option<Duration>,
}

/// The network between clients and balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// The least time that a message needs, in one direction.
    pub latency: Duration,
    /// What comes on top, at random.
    pub jitter: Duration,
    /// How `jitter` is drawn.
    pub distribution: Distribution,
    /// The share of connection requests that are lost, in millionths. The kernel sends them again.
    pub loss_ppm: u64,
    /// Clients notice a loss within this span, evenly spread.
    pub detection: Duration,
}

/// How jitter is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distribution {
    /// Evenly from 0 to `jitter`.
    Uniform,
    /// Exponentially, with `jitter` as its mean.
    Exponential,
}

/// Clients with the same settings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The name.
    pub name: String,
    /// The number of clients.
    pub clients: u32,
    /// The clients that leave in a second. As many fresh ones come.
    pub churn_per_second: u64,
    /// When a client forgets its attempts.
    pub resets: Resets,
    /// The settings of each connection.
    pub config: Arc<Config>,
}

/// When a client forgets its attempts, and its delays start afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resets {
    /// When a connection has been stable, as the core does it.
    WhenStable,
    /// When a socket opens, as many clients do it. A fresh connection takes the place of the one that
    /// has opened.
    OnOpen,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
}

/// What goes wrong. Instants are counted from the start of the simulation, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// A share of the connections is lost. The server works.
    Drop {
        /// When.
        at_ms: u64,
        /// The share of the connections, in millionths.
        share_ppm: u64,
    },
    /// All nodes are away. Their connections are lost.
    Outage {
        /// From when.
        from_ms: u64,
        /// Until when.
        to_ms: u64,
        /// What clients see meanwhile.
        how: Away,
    },
    /// The server accepts connections, and then says nothing. Open connections become silent, too.
    HalfOpen {
        /// From when.
        from_ms: u64,
        /// Until when. What was silent stays so.
        to_ms: u64,
    },
    /// The server closes each connection after it has served it for a while.
    AcceptThenDrop {
        /// From when.
        from_ms: u64,
        /// Until when.
        to_ms: u64,
        /// How long a connection lasts.
        after_ms: u64,
    },
    /// All nodes go away and come back, again and again. It begins with a time away.
    Flapping {
        /// From when.
        from_ms: u64,
        /// Until when.
        to_ms: u64,
        /// How long the nodes are up each time.
        up_ms: u64,
        /// How long the nodes are away each time.
        down_ms: u64,
    },
    /// One node after the other closes its connections with 1012, and is away for a while.
    RollingRestart {
        /// When the first node restarts.
        at_ms: u64,
        /// The time from one node's restart to the next one's.
        every_ms: u64,
        /// How long a node is away.
        down_ms: u64,
        /// How many nodes there are.
        nodes: u32,
    },
    /// The server answers each attempt with an HTTP status.
    Reject {
        /// From when.
        from_ms: u64,
        /// Until when.
        to_ms: u64,
        /// The HTTP status.
        status: u16,
        /// The `Retry-After` header.
        retry_after_ms: Option<u64>,
    },
}

/// What clients see of a server that is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Away {
    /// Connections are refused at once.
    Refusing,
    /// Nothing answers.
    Blackholed,
}

impl FaultKind {
    /// When the fault is over, and the fleet can recover.
    pub(crate) const fn released_ms(&self) -> u64 {
        match *self {
            Self::Drop { at_ms, .. } => at_ms,
            Self::Outage { to_ms, .. }
            | Self::HalfOpen { to_ms, .. }
            | Self::AcceptThenDrop { to_ms, .. }
            | Self::Flapping { to_ms, .. }
            | Self::Reject { to_ms, .. } => to_ms,
            Self::RollingRestart { at_ms, every_ms, down_ms, nodes } => at_ms
                .saturating_add(every_ms.saturating_mul(nodes.saturating_sub(1) as u64))
                .saturating_add(down_ms),
        }
    }
}
