//! Notices that the machine was suspended. Only these files of the crate have a thread and read
//! clocks.

mod clock;
mod detector;
mod watch;

pub use detector::{Suspend, SuspendDetector};
pub use watch::SuspendWatch;
#[cfg(test)]
pub(crate) use watch::Watch;
