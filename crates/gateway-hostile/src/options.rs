//! The settings of a server.

use std::time::Duration;

use crate::{accepting::AcceptLimit, dialect::ServedDialect, logins::LoginRules, script::Script};

#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The dialect. `None` echoes, and answers JSON pings.
    pub(crate) dialect: Option<ServedDialect>,
    /// The tokens that a login must have.
    pub(crate) logins: LoginRules,
    /// How often the server pings, in a dialect whose server does.
    pub(crate) ping_interval: Duration,
    /// How long such a ping may stay unanswered.
    pub(crate) ping_timeout: Duration,
    /// The script for the connections.
    pub(crate) script: &'static Script,
    /// How many connections get the script. Later ones get `echo`. `None` means all.
    pub(crate) faults: Option<u64>,
    /// How many connections the server accepts in a second. `None` means no limit.
    pub(crate) accepts: Option<AcceptLimit>,
    /// The largest message from a client in bytes. The server answers a larger one with close 1009.
    pub(crate) max_message_size: usize,
    /// The unit of time of the scripts, "a second" in their descriptions.
    pub(crate) beat: Duration,
}

impl Default for Options {
    /// No dialect, no login, `echo`, no limit of faults or accepts, 1 MiB, beats of a second, and the
    /// pings of Engine.IO.
    fn default() -> Self {
        Self {
            dialect: None,
            logins: LoginRules::default(),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            script: Script::ECHO,
            faults: None,
            accepts: None,
            max_message_size: 1 << 20,
            beat: Duration::from_secs(1),
        }
    }
}
