//! The settings of a server.

use std::time::Duration;

use crate::{script::Script, secret::Secret};

#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The token that the first message must have. Without one there is no login.
    pub(crate) login: Option<Secret>,
    /// The script for the connections.
    pub(crate) script: &'static Script,
    /// How many connections get the script. Later ones get `echo`. `None` means all.
    pub(crate) faults: Option<u64>,
    /// The largest message from a client in bytes. The server answers a larger one with close 1009.
    pub(crate) max_message_size: usize,
    /// The unit of time of the scripts, "a second" in their descriptions.
    pub(crate) beat: Duration,
}

impl Default for Options {
    /// No login, `echo`, no limit of faults, 1 MiB, and beats of a second.
    fn default() -> Self {
        Self {
            login: None,
            script: Script::ECHO,
            faults: None,
            max_message_size: 1 << 20,
            beat: Duration::from_secs(1),
        }
    }
}
