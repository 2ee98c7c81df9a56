//! Simulates reconnect storms: fleets of real [`gateway_core::Connection`]s against a model of a
//! server.
//!
//! Each simulated client runs the code that production runs: its timers, its generator and its
//! policy. The server is a model: nodes behind a balancer, an accept stage and a login stage with
//! queues, and faults. The same scenario and seed give the same bytes on every platform.
//!
//! ```
//! use gateway_sim::{NamedScenario, ScenarioBuilder, Simulation, rule};
//!
//! let mut builder = ScenarioBuilder::named(NamedScenario::Drop);
//! builder.set("clients", 1_000).set("server.accept.capacity", 100).set("horizon", "2m");
//! let scenario = builder.build()?;
//!
//! let outcome = Simulation::new(&scenario).run();
//! // 1,000 clients at 100 a second: 10 s are far below the edge.
//! assert_eq!(rule::apply(&scenario).is_stuck, Some(false));
//! assert!(outcome.recovery.t99_ms.is_some_and(|millis| millis < 30_000));
//! # Ok::<(), gateway_core::ConfigErrors>(())
//! ```
//!
//! # What does a scenario look like?
//!
//! Spans are texts such as `"500ms"` or `"10s"`, or numbers of milliseconds. All fields but `clients`
//! and the rate of the accept stage have defaults. An unknown field is an error.
//!
//! ```
//! # let text = r#"
//! name = "two versions"
//! clients = 20000          # or a `count` in each group
//! seed = 1
//! horizon = "10m"
//! step = "1s"              # between two rows of the curve
//! start = "ready"          # or "cold": all clients request their first connection at 0
//! measure_from = "0s"      # default: the end of the last fault
//!
//! [server]
//! nodes = 4
//! balance = "least"        # or "round-robin", "random"
//! health = "1s"            # how late the balancer sees that a node is down or up
//! dead_work = 1.0          # the cost of an entry whose client has left; 0: free
//!
//! [server.accept]          # TCP, TLS and the upgrade, on each node
//! capacity = 250           # a second; or `service = "4ms"` and `workers = 1`
//! queue = "20s"            # of work, or a number of entries
//! order = "fifo"           # or "lifo"
//! full = "refuse"          # or "drop-syn": sent again after 1, 3, 7, 15, 31 s
//!
//! [server.login]           # leave it out if there is no login
//! service = "3ms"
//! workers = 2
//!
//! [server.crash]           # a node that drops all if too much waits
//! queue = 30000            # entries; `open` limits connections
//! down = "30s"
//!
//! [server.admission]       # a rate limit of each node
//! per_second = 400
//! burst = 100
//! status = 429
//! retry_after = "10s"
//!
//! [network]
//! latency = "20ms"         # in one direction
//! jitter = "10ms"
//! distribution = "uniform" # or "exponential", with `jitter` as its mean
//! loss = 0.001             # of connection requests
//! detection = "2s"         # clients notice a loss within this span
//!
//! [[groups]]
//! name = "old version"
//! share = 0.2
//! churn = 5                # clients a second that leave; as many fresh ones come
//! resets = "stable"        # when a client forgets its attempts; "open": when a socket opens
//! [groups.config]          # the settings of `gateway_core::Config`
//! connect_timeout_max = "10s"
//! reconnect.jitter = "decorrelated"
//! heartbeat.kind = "off"   # without heartbeats, a long simulation takes less time
//!
//! [[groups]]
//! name = "new version"
//! share = 0.8
//!
//! [[faults]]
//! kind = "drop"            # a share of all connections is lost
//! at = "1s"
//! share = 0.9
//!
//! [[faults]]
//! kind = "outage"
//! from = "60s"
//! to = "120s"
//! how = "refusing"         # or "blackholed"
//!
//! [[faults]]
//! kind = "rolling-restart" # one node after the other, with Close 1012
//! at = "200s"
//! every = "20s"
//! down = "5s"
//! # "#;
//! # let scenario = gateway_sim::ScenarioBuilder::from_toml(text)?.build()?;
//! # assert_eq!((scenario.groups().len(), scenario.faults().len()), (2, 3));
//! # Ok::<(), gateway_core::ConfigErrors>(())
//! ```
//!
//! The other faults are `half-open` (`from`, `to`), `accept-then-drop` (`from`, `to`, `after`),
//! `flapping` (`from`, `to`, `up`, `down`) and `reject` (`from`, `to`, `status`, `retry_after`).
//!
//! # What is not modelled?
//!
//! Bandwidth, the processor of the clients, TLS session resumption, DNS, and messages of the
//! application. A worker's service time is constant. A provider, a shared budget and a dialect are
//! errors of a scenario.

mod engine;
mod outcome;
pub mod rule;
mod scenario;
mod search;
mod witness;

pub use engine::Simulation;
pub use outcome::{
    Curve, GroupOutcome, Outcome, Peak, Progress, Recovery, ServerWork, Totals, Wave,
};
pub use scenario::{
    Admission, Away, Balance, Crash, Distribution, Fault, FaultKind, Group, NamedScenario, Network,
    Order, Resets, Scenario, ScenarioBuilder, Server, Stage, Start, WhenFull,
};
pub use search::{
    Edge, OnProgress, Search, SearchError, edge, edge_with, smallest_spread, smallest_spread_with,
    smallest_timeout_growth, smallest_timeout_growth_with,
};
pub use witness::Witness;
