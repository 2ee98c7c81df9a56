//! Shared test code of the core and the drivers.
//!
//! - [`Checker`] checks the invariants I1 to I12 of a connection from outside. [`Rig`] is a connection with a checker.
//! - [`Reference`] is a second implementation of the contract. It predicts every action of the core.
//! - [`history`] runs random histories, for property tests and the fuzzer.
//! - A [`Scenario`] is a script with expectations. [`suite!`] makes a test of each, for the core [`alone`]
//!   and for any driver. All must produce the same trace.
//! - [`Network`] connects a driver to the scripted peers by byte streams.

pub mod alone;
mod checker;
mod deed;
mod draws;
mod frame;
mod handover;
pub mod history;
mod network;
mod outbox;
mod peer;
pub mod reference;
mod rig;
mod run;
mod scenario;
mod scenarios;
pub mod script;
pub mod sees;
mod stage;
mod suite;
pub mod trace;
mod unlisted;
mod upgrade;
mod wire;
mod words;

pub use checker::{Checker, Invariant, Verdict, Violation};
pub use deed::{Deed, Heard};
pub use draws::Fixed;
pub use frame::Frame;
pub use network::{Network, Socket};
pub use reference::Reference;
pub use rig::{Rig, Twin, attempt, cause, delay, opened, pings};
pub use run::{Recorder, Run, Sighting};
pub use scenario::{Scenario, Script, Spoken, scenario};
pub use script::{Command, Provided};
pub use stage::{Diary, Stage, Wall};
pub use suite::{judge, scenarios};
pub use upgrade::answer_upgrade;
