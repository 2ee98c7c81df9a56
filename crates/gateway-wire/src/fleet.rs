//! What the fleets of all drivers share: names, limits, the stream of events, and the account at the
//! end. A driver adds how a client runs: in a task, or on a thread.

mod account;
mod departure;
mod error;
mod inbox;
mod roster;
mod settings;

pub use self::account::{Account, FleetAccount};
pub use self::departure::Departure;
pub use self::error::FleetError;
pub use self::inbox::{Inbox, InboxReader, Source};
pub use self::roster::Roster;
pub use self::settings::FleetSettings;
