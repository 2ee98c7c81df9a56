//! What the tests of the core and of every driver share.
//!
//! - [`Checker`] watches a connection from outside and holds the invariants I1 to I12; [`Rig`] is a connection under its watch.
//! - [`history`] runs random histories, for properties and for the fuzzer.

mod checker;
mod draws;
pub mod history;
mod rig;

pub use checker::{Checker, Invariant, Verdict, Violation};
pub use draws::Fixed;
pub use rig::{Rig, Twin, attempt, delay, opened, pings};
