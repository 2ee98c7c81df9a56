//! Tests that count the threads or the descriptors of their process. They run one after the other.
#![cfg(unix)]

#[cfg(target_os = "linux")]
mod bounds;
#[cfg(target_os = "linux")]
mod leaks;
#[cfg(target_os = "linux")]
mod suspend_watch;
mod thousand;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test of this process runs.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
