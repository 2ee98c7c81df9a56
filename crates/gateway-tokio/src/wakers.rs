//! One waker for the inner IO. It wakes all tasks that poll the client: its stream half, its sink
//! half, or both.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::sync::AtomicWaker;

/// With a single waker, a client that is split into two tasks would wake only the task that polled
/// last.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    stream: AtomicWaker,
    sink: AtomicWaker,
}

/// The half of the client that polls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Stream,
    Sink,
}

impl Wakers {
    pub(crate) fn register(&self, half: Half, waker: &Waker) {
        match half {
            Half::Stream => self.stream.register(waker),
            Half::Sink => self.sink.register(waker),
        }
    }

    /// The other half may be waiting for what this half has changed: a new deadline, an event, or
    /// space.
    pub(crate) fn wake_other(&self, half: Half, made_progress: bool) {
        match (made_progress, half) {
            (true, Half::Stream) => self.sink.wake(),
            (true, Half::Sink) => self.stream.wake(),
            (false, _) => {}
        }
    }

    pub(crate) fn wake_all(&self) {
        self.stream.wake();
        self.sink.wake();
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
