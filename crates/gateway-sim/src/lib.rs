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
//! let seconds = outcome.recovery.t99_ms.map(|millis| millis / 1_000);
//! assert!(seconds < Some(30));
//! # Ok::<(), gateway_core::ConfigErrors>(())
//! ```

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
    Order, Scenario, ScenarioBuilder, Server, Stage, Start, WhenFull,
};
pub use search::{
    Edge, OnProgress, Search, SearchError, edge, edge_with, smallest_spread, smallest_spread_with,
    smallest_timeout_growth, smallest_timeout_growth_with,
};
pub use witness::Witness;
