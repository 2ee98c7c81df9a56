//! One waker for the inner IO that wakes whoever polls the client: its stream half, its sink half, or both.

use std::sync::Arc;
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// Without this, a client split into two halves in two tasks would wake only the one that polled last.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    stream: AtomicWaker,
    sink: AtomicWaker,
}

/// Which half polls.
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

    /// What one half has moved, the other may be waiting for: a deadline that is new, an event, room.
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
