//! Runs the lock and wake protocol of gateway-tokio's spawned client in every order in which its
//! threads can take turns, by [loom](https://docs.rs/loom).
//!
//! The files of `crates/gateway-tokio/src/spawn/` are compiled here once more. `sync` puts loom's
//! types in place of the standard library's, and `host` puts a peer in memory in place of tokio's
//! sockets. Everything else is the real code: handles, events, permits, the driver, the engine, the
//! session and the core. loom reports a lost wake-up as a deadlock.
#![cfg(test)]
#![allow(dead_code, unreachable_pub, reason = "these are parts of another crate")]

mod clock;
mod host;
mod open;
#[path = "../../../crates/gateway-tokio/src/outside.rs"]
mod outside;
mod sync;
#[path = "../../../crates/gateway-tokio/src/wakers.rs"]
mod wakers;

#[path = "../../../crates/gateway-tokio/src/spawn"]
mod spawn {
    mod driver;
    mod error;
    mod events;
    mod handle;
    mod member;
    mod permit;
    mod request;
    mod send;
    mod shared;
    mod standing;
    mod states;
    mod turns;
    mod users;
    mod wakes;

    pub(crate) use self::driver::{Driver, split};
    pub(crate) use self::error::HandleErrorKind;
    pub(crate) use self::events::Events;
    pub(crate) use self::handle::Handle;
    pub(crate) use self::member::MemberEvents;
}

mod scenarios;
