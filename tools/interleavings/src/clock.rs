//! In place of `crates/gateway-tokio/src/clock.rs`: time stands still, so no deadline is ever due.

use std::task::{Context, Waker};

use gateway_core::Instant;

#[derive(Clone)]
pub(crate) struct Clock;

pub(crate) struct Timer;

impl Timer {
    pub(crate) const fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self)]
    pub(crate) fn arm(&mut self, _: &Waker, _: &Clock, _: Option<Instant>) {}
}

pub(crate) fn yield_to_others(cx: &Context<'_>) {
    cx.waker().wake_by_ref();
}
