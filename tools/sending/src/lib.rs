//! Searches every short history of a session that has an outbox, a rate limit or requests, or that
//! drains.
//!
//! Each [`World`] has the settings of a session and a few possible steps. The search replays every
//! sequence of these steps on a real [`Session`](gateway_wire::Session), the shortest first. After
//! each step, the search compares the session with its own records:
//!
//! - each accepted message has one outcome, which agrees with the bytes that the transport took;
//! - messages leave in the order in which they were accepted, and only while the connection is ready;
//! - each request ends once, by its time, and with a reason that agrees with these bytes;
//! - the outbox, the requests and the write buffer keep their bounds;
//! - no span of the rate limit has more messages than the limit;
//! - a tick leaves no deadline that is due, and nothing waits without a reason.
//!
//! At the end of each history, the session is closed, and in a second run abandoned. Then nothing may
//! be without an outcome or an end.
//!
//! A session cannot be cloned or compared. So two histories that lead to the same state are both
//! searched, and the depth is small.

mod answers;
mod books;
mod history;
mod laws;
mod search;
mod socket;
mod worlds;

pub use history::{Fault, Step};
pub use search::{Findings, search};
pub use worlds::{World, worlds};
