//! What the tests of the core and of every driver share.
//!
//! - [`Checker`] watches a connection from outside and holds the invariants I1 to I12; [`Rig`] is a connection under its watch.
//! - [`Reference`] is the contract once more: it predicts every action of the core, and is compared with it.
//! - [`history`] runs random histories, for properties and for the fuzzer.
//! - A [`Scenario`] is a script with what must be seen of it; [`suite!`] makes a test of each, for the core
//!   [`alone`] and for any driver, and all must leave the same trace.
//! - [`Network`] gives a driver the scripted peers as byte streams.

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
mod wire;
mod words;

pub use checker::{Checker, Invariant, Verdict, Violation};
pub use deed::{Deed, Heard};
pub use draws::Fixed;
pub use frame::Frame;
pub use network::{Network, Socket};
pub use reference::Reference;
pub use rig::{Rig, Twin, attempt, delay, opened, pings};
pub use run::{Recorder, Run, Sighting};
pub use scenario::{Scenario, Script, scenario};
pub use script::Command;
pub use stage::{Diary, Stage, Wall};
pub use suite::{judge, scenarios};
