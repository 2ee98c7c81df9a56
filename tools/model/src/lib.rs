//! Model checking of the core: searches every history of a small world, the shortest first.
//!
//! The state has the real [`Connection`](gateway_core::Connection); only its environment is
//! abstract. Events of a socket are in flight until they are delivered: in any order, late, again,
//! or never. A server accepts, refuses, answers, closes, drops, or is silent. A user connects,
//! closes and sends. A socket accepts a ping at once, later or never, and the driver reports it.
//! Time goes from one deadline to the next. An event comes at once, just before the deadline, at it
//! (before the Tick or as the Tick), or late after a stall of the program.
//!
//! The space is finite. The search covers all of it unless the configuration or the caller limits
//! the depth:
//!
//! - Instants are relative to now. Anything longer ago than every span of the configuration counts as
//!   exactly that long ago.
//! - Sockets are relative to the last one. The network knows the last two; events of older ones are
//!   lost.
//! - At most one of each event of a socket is in flight. It may come again and again, so a second one
//!   adds nothing.
//! - A configuration limits the events in flight, the retries, and the unanswered pings.
//! - The driver reports at once how a ping is written: held, accepted after many bytes, or no report.
//! - The generator always draws the same number.
//! - A history with wall-clock times never returns to an earlier state, so it is cut off.
//!
//! The search distinguishes states by a 64-bit hash.
//!
//! - [`World`] is the model: the possible steps, and the state after each.
//! - [`Law`] lists what must hold, each law a property. The testkit's checker also checks each step.
//! - [`search`](search()) runs the search, and its [`Findings`] are the result.

mod configurations;
mod drills;
mod environment;
mod findings;
mod law;
mod message;
mod sights;
mod speech;
mod state;
mod step;
mod world;

pub use configurations::{Configuration, configurations};
pub use findings::{Findings, search};
pub use law::Law;
pub use state::State;
pub use step::{Step, What, When};
pub use world::World;
