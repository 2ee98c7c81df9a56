//! Clients of both drivers on real sockets against a gateway with every fault, for any time. Storms
//! of faults alternate with calms, and the ledgers of both sides must agree on every message.
//!
//! A calm makes the measurements exact: it has no faults and no messages, and each client is ready
//! on a fresh connection. By then every earlier connection has ended and its ledger is closed. So
//! the process must use the same resources as in the previous calm.

mod clients;
mod clock;
mod draws;
mod gateway;
mod kit;
mod ledger;
mod payload;
mod plan;
mod report;
mod run;
mod serving;
mod shared;
mod stream;
mod teller;
mod vitals;

pub use plan::{Ending, FAULTS, Fault, Open, Opening};
pub use report::Report;
pub use run::{Settings, run};
