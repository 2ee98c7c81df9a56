//! Many connections, opened some at once, that then live in a task each and go from stage to stage together.
//!
//! What opens one is not part of its task: it would keep its size there as long as the connection lives.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use futures_util::TryFutureExt;
use tokio::sync::{Semaphore, mpsc};

use crate::exchange::{LEAST, Seen, Texts};
use crate::peers::{Socket, at_once};

/// How many are at work at once.
const AT_ONCE: u32 = 32;

/// A stage that is opened for a few at once, and counts those that are through.
pub(super) struct Stage {
    entry: Semaphore,
    through: Semaphore,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self { entry: Semaphore::new(0), through: Semaphore::new(0) }
    }

    /// Does the work when it is one's turn; until then the socket waits for what must not come: a message, or the end.
    pub(super) async fn pass<S: Socket>(
        &self,
        socket: &mut S,
        work: impl AsyncFnOnce(&mut S) -> Result<()>,
    ) -> Result<()> {
        let turn = tokio::select! {
            biased;
            turn = self.entry.acquire() => turn?,
            came = silent(socket) => return came,
        };
        work(socket).await?;
        drop(turn);
        self.through.add_permits(1);
        Ok(())
    }
}

/// Waits for what must not come.
pub(super) async fn silent<S: Socket>(socket: &mut S) -> Result<()> {
    socket.receive(&mut Seen::new(Texts::new(LEAST as u32))).await?;
    bail!("a message that was not asked for")
}

/// The connections that were opened.
pub(super) struct Crowd {
    size: u32,
    ends: mpsc::UnboundedReceiver<Error>,
}

impl Crowd {
    /// Opens them. Each is told its number, and comes back with its life, which only ends when it fails.
    ///
    /// # Errors
    /// The first that could not be opened.
    pub(super) async fn open<S, Opened, Life>(
        size: u32,
        open: impl Fn(u32) -> Opened + Clone + Send + 'static,
    ) -> Result<Self>
    where
        S: Socket,
        Opened: Future<Output = Result<Life>> + Send + 'static,
        Life: Future<Output = Result<()>> + Send + 'static,
    {
        let (told, ends) = mpsc::unbounded_channel();
        let begun = Arc::new(AtomicU32::new(0));
        at_once::<S, _, _>(AT_ONCE, move |_| {
            let (begun, told, open) = (Arc::clone(&begun), told.clone(), open.clone());
            async move {
                loop {
                    let turn = begun.fetch_add(1, Ordering::Relaxed);
                    if turn >= size {
                        return Ok(());
                    }
                    let life = open(turn).await?;
                    let told = told.clone();
                    // Not in an async block, which would hold it twice: before it is first polled, and from then on.
                    tokio::spawn(life.unwrap_or_else(move |end| {
                        let _ = told.send(end); // nobody listens when all is measured
                    }));
                }
            }
        })
        .await?;
        Ok(Self { size, ends })
    }

    /// Lets them through a stage, and waits until they are.
    ///
    /// # Errors
    /// One of them has ended, and why.
    pub(super) async fn through(&mut self, stage: &Stage) -> Result<()> {
        stage.entry.add_permits(AT_ONCE as usize);
        tokio::select! {
            all = stage.through.acquire_many(self.size) => all.map(drop).context("a stage was closed"),
            end = self.ends.recv() => Err(end.context("all have ended")?),
        }
    }

    /// Waits so long while they live on.
    ///
    /// # Errors
    /// One of them has ended, and why.
    pub(super) async fn rest(&mut self, time: Duration) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "what is measured is what happens in a time")]
        let over = tokio::time::sleep(time);
        tokio::select! {
            () = over => Ok(()),
            end = self.ends.recv() => Err(end.context("all have ended")?),
        }
    }
}
