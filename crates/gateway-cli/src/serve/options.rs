//! What a server is told before it starts.

use std::time::Duration;

use super::{Script, Secret};
use crate::byte_size::ByteSize;

/// The settings of a server.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The token wanted as the first message; without one everybody is let in.
    pub(crate) login: Option<Secret>,
    /// What is done to the connections.
    pub(crate) script: &'static Script,
    /// How many connections the script is played on before the server turns to `echo`; without a
    /// number, on all of them.
    pub(crate) faults: Option<u64>,
    /// The largest message taken from a client; a larger one is answered with close 1009.
    pub(crate) max_message_size: ByteSize,
    /// The unit of time of the scripts: "one second" of their descriptions.
    pub(crate) beat: Duration,
}

impl Default for Options {
    /// No login, `echo`, no limit of faults, 1 MiB, and beats of a second.
    fn default() -> Self {
        Self {
            login: None,
            script: Script::ECHO,
            faults: None,
            max_message_size: ByteSize::ONE_MEBIBYTE,
            beat: Duration::from_secs(1),
        }
    }
}
