//! Histories: made from a text, a fuzzer's bytes or a property's draws, and run under the checker.

mod listed;
mod plan;
mod run;
mod speech;

pub use listed::Listed;
pub use plan::{
    Advance, Content, Echo, Fact, LoginKind, Plan, Ruling, Settings, Step, Trouble, Wall, Whose,
};
pub use run::{World, compare, run, run_observed};
pub use speech::{Ask, Call, Drawn, Span, Speech, Wants};
