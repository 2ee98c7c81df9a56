//! Everything that scenarios use, for one glob import.

pub(crate) use gateway_core::ConnectionState::{
    Authenticated, Closed, Closing, Connected, Connecting, Disconnected,
};
pub(crate) use gateway_core::Credentials::{Cached, Refresh};
pub(crate) use gateway_core::{
    Failure, Network, OpenError, RetryAfter, RetryBudget, UnixMillis, Verdict,
};

pub(crate) use crate::deed::{Deed, Heard};
pub(crate) use crate::scenario::{Scenario, scenario};
pub(crate) use crate::script::*;
pub(crate) use crate::sees::*;

/// Lines of TOML.
macro_rules! toml {
    ($($line:literal),* $(,)?) => { concat!($($line, "\n"),*) };
}
pub(crate) use toml;
