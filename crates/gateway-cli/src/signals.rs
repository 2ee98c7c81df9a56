//! The signals that end the program: SIGINT, SIGTERM and SIGHUP, or only Ctrl-C if there are no others.
//!
//! A thread receives them, so that the program ends in time whatever hangs. A second signal ends it at
//! once, and so does a deadline.

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

/// The exit status if the program hangs at its deadline.
const HUNG: u8 = 1;
/// No status of a program.
const UNSETTLED: u8 = u8::MAX;
/// Added to the deadline if the program has no status by then, because the machine may have been paused.
const GRACE: Duration = Duration::from_millis(200);

/// The first signal.
#[derive(Debug)]
pub(crate) struct Signals {
    first: mpsc::Receiver<()>,
    status: Arc<AtomicU8>,
}

impl Signals {
    /// Starts to listen, which disables the default action of the signals. After the first one the
    /// program has `longest` to end.
    ///
    /// # Errors
    /// If the operating system does not allow to listen.
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
                // If the receiver is gone, the program is already ending.
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

    /// Waits for the first signal, and returns only once. Cancel-safe.
    pub(crate) async fn first(&mut self) {
        if self.first.recv().await.is_none() {
            future::pending().await
        }
    }

    /// Waits for the first signal, and returns only once. It blocks its thread.
    pub(crate) fn wait_for_first(&mut self) {
        // The listening thread holds the sender until the program ends.
        let _ = self.first.blocking_recv();
    }

    /// Sets the exit status for a program that hangs from now on.
    pub(crate) fn settle(&self, status: u8) {
        self.status.store(status, Ordering::Relaxed);
    }
}

#[cfg(unix)]
struct System {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// The terminal is closed.
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl System {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: may_hang_up().then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    /// Returns the exit status that shells report for the next signal.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 128 + 2,
            _ = self.terminate.recv() => 128 + 15,
            () = hung_up(&mut self.hangup) => 128 + 1,
        }
    }
}

#[cfg(unix)]
async fn hung_up(hangup: &mut Option<tokio::signal::unix::Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => future::pending().await,
    }
}

/// Whether SIGHUP ends the program. With `nohup` it is ignored, and a handler would change that. Only
/// Linux reports this without `unsafe`; elsewhere the signal keeps its default action.
#[cfg(unix)]
fn may_hang_up() -> bool {
    let ignored = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    ignored.is_some_and(|signals| signals & 1 == 0) // signal 1 is SIGHUP
}

/// Listens only for Ctrl-C.
#[cfg(not(unix))]
struct System;

#[cfg(not(unix))]
impl System {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> u8 {
        // If no handler can be set, the system's default ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            future::pending().await
        }
        128 + 2
    }
}
