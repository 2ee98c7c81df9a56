//! The signals that ask the program to end: SIGINT and SIGTERM, or Ctrl-C where there is nothing else.
//!
//! They are received on a thread, so that the program ends in time whatever hangs: a second signal
//! ends it at once, and so does the end of the time that it was given.

use std::{
    future, io, process,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{runtime, sync::mpsc};

use crate::clock;

/// The status where the program hangs at the end of its time.
const HUNG: u8 = 1;
/// No status of a program.
const UNSETTLED: u8 = u8::MAX;
/// What is added to its time where it has no status by then: a machine that stood still for a while
/// is no program that hangs.
const GRACE: Duration = Duration::from_millis(200);

/// The first signal.
#[derive(Debug)]
pub(crate) struct Signals {
    first: mpsc::Receiver<()>,
    status: Arc<AtomicU8>,
}

impl Signals {
    /// Listens from now on: no signal ends the process by itself any more. Once the first has come
    /// the program has `longest` to end.
    ///
    /// # Errors
    /// Where the operating system lets nobody listen.
    pub(crate) fn listen(longest: Duration) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let mut system = {
            let _inside = runtime.enter();
            System::listen()?
        };
        let (report, first) = mpsc::channel(1);
        let status = Arc::new(AtomicU8::new(UNSETTLED));
        let settled = Arc::clone(&status);
        let settled = move || Some(settled.load(Ordering::Relaxed)).filter(|it| *it != UNSETTLED);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                system.next().await;
                // Where nobody waits for it, the program is ending already.
                let _ = report.send(()).await;
                let mut status = clock::within(longest, system.next()).await.or_else(&settled);
                if status.is_none() {
                    status = clock::within(GRACE, system.next()).await.or_else(&settled);
                }
                process::exit(i32::from(status.unwrap_or(HUNG)))
            })
        })?;
        Ok(Self { first, status })
    }

    /// Waits for the first signal; it comes once. Cancel-safe.
    pub(crate) async fn first(&mut self) {
        if self.first.recv().await.is_none() {
            future::pending().await
        }
    }

    /// The program is about to end with this status. What hangs now does not change it.
    pub(crate) fn settle(&self, status: u8) {
        self.status.store(status, Ordering::Relaxed);
    }
}

#[cfg(unix)]
struct System {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl System {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next signal: the exit status that shells give a process which it ended.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + 2,
            _ = self.terminate.recv() => 128 + 15,
        }
    }
}

/// Hears Ctrl-C alone.
#[cfg(not(unix))]
struct System;

#[cfg(not(unix))]
impl System {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> u8 {
        // Without a handler the system's own ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            future::pending().await
        }
        128 + 2
    }
}
