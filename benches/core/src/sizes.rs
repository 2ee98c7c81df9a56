//! How large the core's values are.

use gateway_core::{Action, Actions, Connection, Event, Machine, Notice};
use gateway_wire::Session;

pub(crate) struct Size {
    pub(crate) name: &'static str,
    /// The most bytes that it ought to have, where there is a goal.
    pub(crate) goal: Option<u64>,
    pub(crate) bytes: usize,
}

impl Size {
    const fn of<T>(name: &'static str, goal: Option<u64>) -> Self {
        Self { name, goal, bytes: size_of::<T>() }
    }
}

/// As large as a small generator's state: a PCG's or an xoroshiro's.
type SixteenBytes = [u64; 2];

pub(crate) const SIZES: &[Size] = &[
    Size::of::<Connection>("Connection, ChaCha8", Some(704)),
    Size::of::<Connection<SixteenBytes>>("Connection, 16-byte generator", Some(416)),
    Size::of::<Machine>("Machine", Some(264)),
    Size::of::<Event<'_>>("Event", Some(40)),
    Size::of::<Notice>("Notice", Some(48)),
    Size::of::<Action>("Action", Some(48)),
    Size::of::<Actions>("Actions", Some(392)),
    Size::of::<Session>("Session, without its buffers", None),
];
