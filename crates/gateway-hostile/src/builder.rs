//! Builds a server: its script and its limits, checked before it listens.

use std::{net::SocketAddr, time::Duration};

use crate::{
    options::Options,
    running::Running,
    script::Script,
    secret::Secret,
    server::{ServeError, Server},
};

/// The settings of a [`Server`]. [`bind`](Self::bind) and [`start`](Self::start) check them.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `bind` or `start`"]
pub struct Builder(Options);

impl Server {
    /// Returns a builder. The default server echoes, has no login and no fault.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Builder {
    /// Sets what the server does to its clients. The default is [`Script::ECHO`].
    pub const fn script(mut self, script: &'static Script) -> Self {
        self.0.script = script;
        self
    }

    /// Applies the script to the first `connections` connections, and echoes on later ones. The
    /// default is to apply it to all.
    pub const fn faults(mut self, connections: u64) -> Self {
        self.0.faults = Some(connections);
        self
    }

    /// Requires this token as the first message, plain or as `{"type":"login","token":TOKEN}`. The
    /// server answers `{"type":"login_ok"}`, or `{"type":"login_failed"}` and close 1008. The default
    /// is no login.
    pub fn login(mut self, token: Secret) -> Self {
        self.0.login = Some(token);
        self
    }

    /// Sets the largest message in bytes that the server accepts, at least 1. The server answers a
    /// larger one with close 1009. The default is 1 MiB.
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.0.max_message_size = bytes;
        self
    }

    /// Sets the unit of time in scripts, longer than 0: the "second" of their descriptions. The
    /// default is a second. With a shorter one, a test waits less for a fault.
    pub const fn beat(mut self, beat: Duration) -> Self {
        self.0.beat = beat;
        self
    }

    /// Listens on `address`; port 0 takes a free one. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// If a setting is out of its limits, or the address cannot be bound.
    pub fn bind(self, address: SocketAddr) -> Result<Server, ServeError> {
        let Self(options) = self;
        if options.max_message_size == 0 {
            return Err(ServeError::MaxMessageSize);
        }
        if options.beat.is_zero() {
            return Err(ServeError::Beat);
        }
        Server::bind(address, options)
    }

    /// Starts a server on a free port of this machine, on a thread of its own.
    ///
    /// # Errors
    /// If a setting is out of its limits, or there is no port or thread.
    pub fn start(self) -> Result<Running, ServeError> {
        Running::start(|address| self.bind(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_its_limits_is_refused_before_the_server_listens() {
        let refused = |builder: Builder| builder.start().map(|_| ()).expect_err("refused");

        let error = refused(Server::builder().max_message_size(0));
        assert!(matches!(error, ServeError::MaxMessageSize), "{error}");
        let error = refused(Server::builder().beat(Duration::ZERO));
        assert!(matches!(error, ServeError::Beat), "{error}");
    }
}
