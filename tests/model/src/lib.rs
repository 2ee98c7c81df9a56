//! Model checking of the core: every history of a small world is walked through, shortest first.
//!
//! The state holds the real [`Connection`](gateway_core::Connection); only what is around it is abstract. Events of a
//! socket are in flight until they are delivered: in any order, late, again, or never. A server accepts, refuses,
//! answers, closes, drops, or says nothing. A user connects, closes and sends. A socket takes a ping at once, later or never, and the driver
//! reports it. Time goes from one deadline to the next: an
//! event comes at once, just before the deadline, at it (before the Tick or as the Tick), or late past it by a stall of ours.
//!
//! The space is finite, and is searched to its end unless the configuration or the caller gives a depth:
//!
//! - instants count from now, and what is longer ago than every span of the configuration counts as just so long ago;
//! - sockets count from the last one, and the network knows the last two: what an older one still says is lost;
//! - of each event of a socket there is one in flight, or none: one can come again and again, so a second adds nothing;
//! - a configuration bounds how many events are in flight at once, the retries, and the pings that no pong answers;
//! - how a ping is written is reported at once: as held, as taken with much before it, or not at all;
//! - the generator always draws the same;
//! - where the wall clock is told it never comes back, so such histories are cut off.
//!
//! The search tells states apart by a hash of 64 bits.
//!
//! - [`World`] is the model: what may happen next, and what then is.
//! - [`Law`] is what must hold, each law a property; the testkit's checker watches each step as well.
//! - [`search`](search()) walks through, and its [`Findings`] say how it went.

mod configurations;
mod drills;
mod environment;
mod findings;
mod law;
mod message;
mod sights;
mod state;
mod step;
mod world;

pub use configurations::{Configuration, configurations};
pub use findings::{Findings, search};
pub use law::Law;
pub use state::State;
pub use step::{Step, What, When};
pub use world::World;
