//! Futures that are dropped half-way, at a point that the test chooses.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Counts the polls that left a future pending, and cuts one of these futures there, or each.
#[derive(Debug)]
pub struct Cuts {
    at: Option<usize>,
    seen: usize,
}

impl Cuts {
    /// Cuts at the pending poll number `at`, and nowhere else.
    #[must_use]
    pub const fn at(at: usize) -> Self {
        Self { at: Some(at), seen: 0 }
    }

    /// Cuts at every pending poll.
    #[must_use]
    pub const fn everywhere() -> Self {
        Self { at: None, seen: 0 }
    }

    /// How many pending polls there were.
    #[must_use]
    pub const fn seen(&self) -> usize {
        self.seen
    }

    /// Awaits the future; `None` where it was dropped half-way.
    pub async fn once<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let outcome = {
            let mut future = pin!(future);
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => {
                    let cut = self.at.is_none_or(|at| at == self.seen);
                    self.seen += 1;
                    if cut { Poll::Ready(None) } else { Poll::Pending }
                }
            })
            .await
        };
        if outcome.is_none() {
            tokio::task::yield_now().await; // the other side goes on
        }
        outcome
    }
}
