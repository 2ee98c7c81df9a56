//! Notices that the computer was suspended. No other file of this crate starts a thread.

mod clock;
mod detector;
mod watch;

pub use detector::{Suspend, SuspendDetector};
pub use watch::SuspendWatch;
#[cfg(test)]
pub(crate) use watch::Watch;
