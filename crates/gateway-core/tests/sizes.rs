//! The size of one connection, and of what is passed by value. Raise a bound only on purpose.
//!
//! A connection has 688 bytes, of which 304 are ChaCha8. With a generator of 16 bytes it has 400.

use core::convert::Infallible;
use core::mem::size_of;

use gateway_core::{Action, Actions, Connection, Event, JsonDialect, Machine, Notice};
use rand_core::TryRng;

/// A small generator's room, as that of a xoshiro or PCG with 128 bits.
struct Small(#[expect(dead_code, reason = "it is there for its size")] [u64; 2]);

impl TryRng for Small {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.fill(0);
        Ok(())
    }
}

#[test]
fn a_connection_is_small() {
    assert!(size_of::<Connection>() <= 704, "{}", size_of::<Connection>());
    let small = size_of::<Connection<Small, JsonDialect>>();
    assert!(small <= 400, "{small}");
    assert!(size_of::<Machine>() <= 256, "{}", size_of::<Machine>());
}

#[test]
fn what_is_passed_by_value_is_small() {
    assert!(size_of::<Event<'_>>() <= 40, "{}", size_of::<Event<'_>>());
    assert!(size_of::<Notice>() <= 48, "{}", size_of::<Notice>());
    assert!(size_of::<Action>() <= 48, "{}", size_of::<Action>());
    let actions = Actions::CAPACITY * size_of::<Action>() + 8;
    assert!(size_of::<Actions>() <= actions, "{}", size_of::<Actions>());
}

#[test]
fn instants_ids_and_the_default_dialect_cost_no_more_than_they_hold() {
    assert_eq!(size_of::<gateway_core::Instant>(), 8);
    assert_eq!(size_of::<gateway_core::SocketId>(), 8);
    assert_eq!(size_of::<JsonDialect>(), 0);
}
