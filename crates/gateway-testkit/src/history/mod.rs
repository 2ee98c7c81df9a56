//! Random histories: what a fuzzer's bytes and a property's draws become, and how they are run under the checker.

mod plan;
mod run;

pub use plan::{
    Advance, Content, Echo, Fact, LoginKind, Plan, Ruling, Settings, Step, Trouble, Wall, Whose,
};
pub use run::{World, compare, run, run_observed};
