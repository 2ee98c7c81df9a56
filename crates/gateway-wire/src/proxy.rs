//! Proxies: which one a client uses for a server, and the handshake with it. No IO.
//!
//! The crates for HTTP CONNECT and for SOCKS5 that are in wide use do their own IO, and are for one
//! runtime each. Both drivers must do the same, so the handshakes are here: bytes in, bytes out.

mod bypass;
mod connect;
mod server;
mod socks5;
mod tunnel;
mod variables;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use gateway_core::ConfigError;

use self::bypass::Bypass;
pub use self::server::ProxyServer;
pub use self::tunnel::Tunnel;
use self::variables::Variable;
use crate::endpoint::Endpoint;
use crate::tls::Tls;

/// The proxy that a client uses, not yet validated: the client's builder does that.
///
/// | URL | protocol |
/// |---|---|
/// | `http://proxy.example:3128` | HTTP CONNECT ([RFC 9110 section 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)) |
/// | `https://proxy.example` | the same, over TLS to the proxy |
/// | `socks5://proxy.example`, `socks5h://proxy.example` | SOCKS5 ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928)) |
///
/// A URL without a scheme is `http://`. The default ports are 80, 443 and 1080. The URL may have a
/// user and a password: `http://user:password@proxy.example`. Percent-encode other characters than
/// letters, digits and `-._~` in them. They become Basic authorization
/// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)), or SOCKS5's user and password
/// ([RFC 1929](https://www.rfc-editor.org/rfc/rfc1929)). With `http://` and `socks5://` everyone on
/// the path to the proxy can read them.
///
/// The proxy gets the server's host and port, and nothing else of the client's settings. It always
/// resolves the host's name. A `wss://` connection is encrypted from the client to the server. A
/// `ws://` connection also goes through a tunnel, as [RFC 6455 section
/// 4.1](https://www.rfc-editor.org/rfc/rfc6455#section-4.1) says, but the proxy can read it.
///
/// `Debug` shows no URL.
///
/// ```
/// use gateway_wire::Proxy;
///
/// let one = Proxy::new("http://user:secret@proxy.example:3128").no_proxy("localhost, .internal");
/// let of_the_environment = Proxy::from_env();
/// # let _ = (one, of_the_environment);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Proxy {
    given: Given,
    /// The servers that are reached without a proxy; a list, and where it was given.
    no_proxy: Option<Variable>,
    tls: Option<Tls>,
}

/// The URLs of proxies.
#[derive(Clone)]
enum Given {
    /// One for all servers.
    One(String),
    /// Those of the environment: for `wss://` servers, and for `ws://` servers.
    Environment { secure: Option<Variable>, plain: Option<Variable> },
}

impl Proxy {
    /// Uses the proxy with this URL for all servers.
    pub fn new(url: impl Into<String>) -> Self {
        Self { given: Given::One(url.into()), no_proxy: None, tls: None }
    }

    /// Uses the proxies that the environment names now: for `wss://` servers that of
    /// `https_proxy`, `HTTPS_PROXY`, `all_proxy` or `ALL_PROXY`, for `ws://` servers that of
    /// `http_proxy`, `HTTP_PROXY`, `all_proxy` or `ALL_PROXY`. The first variable that is set and
    /// not empty counts. `no_proxy` or `NO_PROXY` lists servers that are reached without a proxy.
    ///
    /// If `REQUEST_METHOD` is set, `http_proxy` and `HTTP_PROXY` are ignored: in a CGI program, a
    /// header of the request could set them ([CVE-2016-5385](https://httpoxy.org)).
    ///
    /// If no variable is set, the client uses no proxy. A value that is not UTF-8 is an error of the
    /// client's builder.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The same with variables that `read` returns, in place of those of the environment.
    pub fn from_variables(read: impl Fn(&str) -> Option<OsString>) -> Self {
        let (secure, plain) = (Variable::of_proxy(true, &read), Variable::of_proxy(false, &read));
        let given = Given::Environment { secure, plain };
        Self { given, no_proxy: Variable::of_no_proxy(&read), tls: None }
    }

    /// Returns the variable that names the proxy for `wss://` servers, or for `ws://` servers if
    /// `is_secure` is false, and its value. For programs that show where a setting comes from. The
    /// value may contain a password.
    #[must_use]
    pub fn variable(
        is_secure: bool,
        read: impl Fn(&str) -> Option<OsString>,
    ) -> Option<(&'static str, OsString)> {
        Variable::of_proxy(is_secure, &read).map(Variable::into_parts)
    }

    /// Returns the variable that lists the servers without a proxy, and its value.
    #[must_use]
    pub fn no_proxy_variable(
        read: impl Fn(&str) -> Option<OsString>,
    ) -> Option<(&'static str, OsString)> {
        Variable::of_no_proxy(&read).map(Variable::into_parts)
    }

    /// Reaches these servers without the proxy. The list replaces an earlier one, and that of the
    /// environment. Commas or spaces separate its entries:
    ///
    /// | entry | which servers |
    /// |---|---|
    /// | `example.org`, `.example.org`, `*.example.org` | this host, and all below it |
    /// | `192.0.2.7`, `2001:db8::7` | this address |
    /// | `192.0.2.0/24`, `2001:db8::/32` | the addresses in this range |
    /// | `example.org:8080`, `[2001:db8::7]:8080` | the same, but only on this port |
    /// | `*` | all |
    ///
    /// An entry is compared with the host as the server's URL has it. Names are not resolved.
    pub fn no_proxy(self, list: impl Into<String>) -> Self {
        Self { no_proxy: Some(Variable::given(list.into())), ..self }
    }

    /// The same for a list that other programs share, such as that of a variable `NO_PROXY`. Entries
    /// that cannot be read are ignored, as those of the environment are.
    pub fn shared_no_proxy(self, list: impl Into<String>) -> Self {
        Self { no_proxy: Some(Variable::shared(list.into())), ..self }
    }

    /// Sets which certificates an `https://` proxy may present, and which one the client presents to
    /// it. The default is the trust of the client's [`tls`](Tls) settings, without their client
    /// certificate. If those are [`Tls::insecure`], the default is [`Tls::platform`]: the proxy may
    /// get a password.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Validates everything. `servers` are the TLS settings for servers.
    pub(crate) fn check(self, servers: Option<&Tls>, errors: &mut Vec<ConfigError>) -> Proxies {
        let mut read = |url: Result<&str, &'static str>, source: &str| match url
            .and_then(ProxyServer::parse)
        {
            Ok(server) => Some(Arc::new(server)),
            Err(limit) => {
                let error = ConfigError::new("proxy", "", format!("{limit}{source}"));
                // One variable may be for both kinds of servers.
                if !errors.contains(&error) {
                    errors.push(error);
                }
                None
            }
        };
        let (secure, plain) = match self.given {
            Given::One(url) => {
                let server = read(Ok(&url), "");
                (server.clone(), server)
            }
            Given::Environment { secure, plain } => {
                let mut of = |variable: Option<Variable>| {
                    let variable = variable?;
                    read(variable.value(), &variable.source())
                };
                (of(secure), of(plain))
            }
        };
        let bypass = self.no_proxy.map_or_else(Bypass::default, |list| {
            let text = list.value().unwrap_or_else(|limit| {
                let limit = format!("{limit}{}", list.source());
                errors.push(ConfigError::new("no_proxy", "", limit));
                ""
            });
            let (bypass, wrong) = Bypass::parse(text);
            // Other programs know other entries: the environment's are for all of them.
            for entry in wrong.iter().filter(|_| list.is_given()) {
                // A URL may have a password, and the password a comma.
                let shown = if text.contains('@') { "" } else { entry };
                let shown: String = shown.escape_debug().take(64).collect();
                errors.push(ConfigError::new("no_proxy", shown, bypass::LIMIT));
            }
            bypass
        });
        let is_https = [&secure, &plain].into_iter().flatten().any(|server| server.is_https());
        let tls = match self.tls {
            _ if !is_https => None,
            Some(own) => Some(own.of_proxy_setting()),
            None => match servers.filter(|tls| !tls.is_insecure()) {
                Some(tls) => Some(tls.for_proxy()),
                None => Tls::platform()
                    .map(Tls::of_proxy_setting)
                    .map_err(|wrong| errors.push(wrong))
                    .ok(),
            },
        };
        Proxies { secure, plain, bypass, tls }
    }
}

impl From<&str> for Proxy {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Proxy {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

/// The valid proxies of a client.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    secure: Option<Arc<ProxyServer>>,
    plain: Option<Arc<ProxyServer>>,
    bypass: Bypass,
    /// For `https://` proxies.
    tls: Option<Tls>,
}

impl Proxies {
    /// The proxy for this endpoint, if it is not reached directly.
    pub(crate) fn of(&self, endpoint: &Endpoint) -> Option<&Arc<ProxyServer>> {
        let server = if endpoint.is_secure() { &self.secure } else { &self.plain };
        server.as_ref().filter(|_| !self.bypass.covers(endpoint.host(), endpoint.port()))
    }

    pub(crate) const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }
}

#[cfg(test)]
mod tests;
