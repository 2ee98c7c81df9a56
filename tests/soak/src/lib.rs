//! Clients of both drivers on real sockets against a gateway that does everything wrong, for as long as one likes: storms of
//! faults with calms between them, and books on both sides that must agree on every message.
//!
//! A calm is what makes the measuring exact: no faults, no messages, each client ready on a fresh connection. Then every
//! earlier connection has ended and its books are closed, and what the process holds must be what it held in the calm
//! before.

mod clients;
mod clock;
mod draws;
mod gateway;
mod ledger;
mod payload;
mod plan;
mod report;
mod run;
mod serving;
mod shared;
mod teller;
mod vitals;

pub use plan::{FAULTS, Fault};
pub use report::Report;
pub use run::{Settings, run};
