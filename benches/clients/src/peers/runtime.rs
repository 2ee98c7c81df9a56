//! The tokio runtime that a client runs on.

use std::future::Future;
use std::num::NonZeroUsize;

use anyhow::Result;
use tokio::runtime::Builder;

/// A runtime of tokio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runtime {
    /// The calling thread runs all tasks.
    CurrentThread,
    /// So many threads run the tasks. The measure's loop is one of them.
    MultiThread { workers: NonZeroUsize },
}

impl Runtime {
    /// Runs this until it is done.
    pub(super) fn run<T, F>(self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match self {
            Self::CurrentThread => {
                Builder::new_current_thread().enable_all().build()?.block_on(work)
            }
            Self::MultiThread { workers } => {
                let mut builder = Builder::new_multi_thread();
                let runtime = builder.worker_threads(workers.get()).enable_all().build()?;
                // In a task, because `block_on` polls on a further thread, which is none of the workers.
                runtime.block_on(runtime.spawn(work))?
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::runtime::{Handle, RuntimeFlavor};

    use super::*;

    #[test]
    fn a_multi_thread_runtime_has_its_workers_and_the_loop_is_on_one() {
        let runtime = Runtime::MultiThread { workers: NonZeroUsize::new(2).expect("2 is not 0") };
        let caller = thread::current().id();
        let (flavor, workers, thread) = runtime.run(async { Ok(seen()) }).expect("it runs");
        assert_eq!((flavor, workers), (RuntimeFlavor::MultiThread, 2));
        assert_ne!(thread, caller);
    }

    #[test]
    fn a_current_thread_runtime_has_the_calling_thread_alone() {
        let seen = Runtime::CurrentThread.run(async { Ok(seen()) }).expect("it runs");
        assert_eq!(seen, (RuntimeFlavor::CurrentThread, 1, thread::current().id()));
    }

    fn seen() -> (RuntimeFlavor, usize, thread::ThreadId) {
        let handle = Handle::current();
        (handle.runtime_flavor(), handle.metrics().num_workers(), thread::current().id())
    }
}
