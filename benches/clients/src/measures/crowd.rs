//! Many connections at once, a task each, that go from stage to stage together.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::peers::Socket;

/// How many are at work at once, in a stage in which they work.
const AT_ONCE: usize = 32;

/// A stage that is opened for a few at once, and counts those that are through.
#[derive(Clone)]
pub(super) struct Stage {
    entry: Arc<Semaphore>,
    through: Arc<Semaphore>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self { entry: Arc::new(Semaphore::new(0)), through: Arc::new(Semaphore::new(0)) }
    }

    /// Lets them in.
    pub(super) fn open(&self) {
        self.entry.add_permits(AT_ONCE);
    }

    /// Does the work when it is one's turn.
    pub(super) async fn pass<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let turn = self.entry.acquire().await?;
        let done = work.await?;
        drop(turn);
        self.through.add_permits(1);
        Ok(done)
    }

    /// Waits at the stage's entry while `life` goes on, which only ends when it fails.
    pub(super) async fn wait(&self, life: impl Future<Output = Result<()>>) -> Result<()> {
        tokio::select! {
            biased;
            turn = self.entry.acquire() => {
                drop(turn?); // taken again by `pass`
                Ok(())
            }
            end = life => end.and_then(|()| bail!("a message that was not asked for")),
        }
    }
}

/// The tasks of all connections.
pub(super) struct Crowd {
    tasks: JoinSet<Result<()>>,
    size: u32,
}

impl Crowd {
    /// Starts them all; each is told its number.
    pub(super) fn start<F>(size: u32, connection: impl Fn(u32) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for turn in 0..size {
            tasks.spawn(connection(turn));
        }
        Self { tasks, size }
    }

    /// Waits until all are through a stage.
    ///
    /// # Errors
    /// One of them has ended, and why.
    pub(super) async fn through(&mut self, stage: &Stage) -> Result<()> {
        stage.open();
        tokio::select! {
            all = stage.through.acquire_many(self.size) => all.map(drop).context("a stage was closed"),
            end = self.tasks.join_next() => Self::ended(end),
        }
    }

    /// Waits so long while they live on.
    ///
    /// # Errors
    /// One of them has ended, and why.
    pub(super) async fn rest(&mut self, time: Duration) -> Result<()> {
        #[allow(clippy::disallowed_methods)] // what is measured is what happens in a time
        let over = tokio::time::sleep(time);
        tokio::select! {
            () = over => Ok(()),
            end = self.tasks.join_next() => Self::ended(end),
        }
    }

    fn ended(end: Option<Result<Result<()>, tokio::task::JoinError>>) -> Result<()> {
        end.context("no connection")???;
        bail!("a connection has ended");
    }
}

/// Waits for what must not come: the end of the connection, or a message.
pub(super) async fn silent<S: Socket>(socket: &mut S, bytes: u32) -> Result<()> {
    socket.receive(&mut crate::exchange::Seen::new(bytes)).await
}
