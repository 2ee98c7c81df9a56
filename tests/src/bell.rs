//! Shared by the systems of a blocking client: waking it, and polls that never wait.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};

/// Whether the client was woken while it did not wait. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Rung>);

#[derive(Debug, Default)]
struct Rung(AtomicBool);

impl Bell {
    /// Whether it has rung since this was asked last.
    pub(crate) fn has_rung(&self) -> bool {
        self.0.0.swap(false, Ordering::SeqCst)
    }

    /// Rings it.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }
}

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What a stream that never waits says where it would.
pub(crate) fn now_or_never<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
