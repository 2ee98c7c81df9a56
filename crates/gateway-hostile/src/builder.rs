//! Builds a server: its script and its limits, checked before it listens.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use crate::{
    accepting::AcceptLimit,
    dialect::ServedDialect,
    options::Options,
    running::Running,
    script::Script,
    secret::Secret,
    server::{ServeError, Server},
};

/// Engine.IO announces both spans in milliseconds.
const SHORTEST_PING: Duration = Duration::from_millis(1);

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

    /// Accepts only so many connections in a second. The default is no limit.
    /// [`Control::limit_accepts`](crate::Control::limit_accepts) changes it later.
    pub const fn accepts(mut self, limit: AcceptLimit) -> Self {
        self.0.accepts = Some(limit);
        self
    }

    /// Speaks the server's side of this dialect: its greeting, its login, its heartbeat and its answers.
    /// The default is none: the server echoes, and answers JSON pings.
    pub const fn dialect(mut self, dialect: ServedDialect) -> Self {
        self.0.dialect = Some(dialect);
        self
    }

    /// Accepts logins with this token. Call it again for further tokens.
    ///
    /// A [dialect](Self::dialect) with a login of its own says where the token is, and how the server
    /// refuses another one. Without such a dialect, the first message must be the token, plain or as
    /// `{"type":"login","token":TOKEN}`. The server answers `{"type":"login_ok"}`, or
    /// `{"type":"login_failed"}` and close 1008.
    ///
    /// Without a token, a dialect with a login accepts any token, and otherwise there is no login.
    pub fn login(mut self, token: Secret) -> Self {
        self.0.logins.tokens.push(token);
        self
    }

    /// Refuses each token as expired after this many logins. The default is no limit. Open connections
    /// stay.
    pub const fn login_uses(mut self, uses: NonZeroU32) -> Self {
        self.0.logins.uses = Some(uses);
        self
    }

    /// Refuses each token as expired once `span` has passed since its first login. The span must be
    /// longer than 0. The default is no limit. Open connections stay.
    pub const fn login_expires(mut self, span: Duration) -> Self {
        self.0.logins.expires = Some(span);
        self
    }

    /// Sets how often the server pings, in a dialect whose server does (socket.io), and how long a
    /// client may take to answer. Both must be at least 1 ms. The defaults are 25 s and 20 s.
    pub const fn pings(mut self, interval: Duration, timeout: Duration) -> Self {
        self.0.ping_interval = interval;
        self.0.ping_timeout = timeout;
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
        if options.logins.tokens.is_empty()
            && (options.logins.uses.is_some() || options.logins.expires.is_some())
        {
            return Err(ServeError::NoToken);
        }
        if options.logins.expires.is_some_and(|span| span.is_zero()) {
            return Err(ServeError::LoginExpires);
        }
        if options.ping_interval < SHORTEST_PING || options.ping_timeout < SHORTEST_PING {
            return Err(ServeError::Pings);
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
        let error = refused(Server::builder().login_uses(NonZeroU32::MIN));
        assert!(matches!(error, ServeError::NoToken), "{error}");
        let error = refused(Server::builder().login_expires(SHORTEST_PING));
        assert!(matches!(error, ServeError::NoToken), "{error}");
        let guarded = Server::builder().login("sesame".parse().expect("not empty"));
        let error = refused(guarded.login_expires(Duration::ZERO));
        assert!(matches!(error, ServeError::LoginExpires), "{error}");
        for (interval, timeout) in
            [(SHORTEST_PING, Duration::ZERO), (Duration::ZERO, SHORTEST_PING)]
        {
            let error = refused(Server::builder().pings(interval, timeout));
            assert!(matches!(error, ServeError::Pings), "{error}");
        }
    }
}
