//! A connection that stays up on a microcontroller: `gateway-core` alone, without `std`, in a cooperative loop.
//!
//! The [`Board`] supplies time and a network that speaks WebSocket: a modem with a stack of its own, or a frame codec over TCP.
//! The [`Device`] is the whole driver: it waits for the network or the deadline, whichever is first, hands over what
//! happened, and carries out what the core answers. Nothing here knows an executor. On embassy the one wait is
//!
//! ```text
//! match select(network.next(payload), Timer::at(deadline)).await {
//!     Either::First((socket, news)) => Wakeup::Network(socket, news),
//!     Either::Second(()) => Wakeup::Due,
//! }
//! ```
//!
//! and the main loop is `select(device.step(&mut application), sensor.next())`. The buffers are of fixed size. What remains
//! on the heap is the configuration, and one short text for heartbeats.
#![no_std]

extern crate alloc;

mod board;
mod device;

pub use board::{Board, News, PAYLOAD, Payload, Wakeup};
pub use device::{Application, Device, NoRoom, OUTBOX, READING};
