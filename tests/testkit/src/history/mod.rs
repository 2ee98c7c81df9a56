//! Random histories: made from a fuzzer's bytes or a property's draws, and run under the checker.

mod plan;
mod run;

pub use plan::{
    Advance, Content, Echo, Fact, LoginKind, Plan, Ruling, Settings, Step, Trouble, Wall, Whose,
};
pub use run::{World, compare, run, run_observed};
