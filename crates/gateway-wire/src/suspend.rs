//! Notices that the machine was suspended. With its clock file, this is the only place of the crate that has a thread
//! and reads clocks.

mod clock;
mod detector;
mod watch;

pub use detector::{Suspend, SuspendDetector};
pub use watch::SuspendWatch;
#[cfg(test)]
pub(crate) use watch::Watch;
