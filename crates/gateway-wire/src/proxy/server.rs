//! A proxy's address, its user and its password.

use std::fmt;

use gateway_core::{OpenError, Secret};
use url::{Host, Url};

use crate::endpoint::bracketed;
use crate::open_failure::OpenFailure;
use crate::tls::of_proxy;

/// A proxy's address. `Display` and `Debug` show scheme, host and port: never user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyServer {
    protocol: Protocol,
    /// As the URL has it.
    scheme: &'static str,
    host: String,
    port: u16,
    login: Option<ProxyLogin>,
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// CONNECT over TCP.
    Http,
    /// CONNECT over TLS.
    Https,
    /// SOCKS5 over TCP.
    Socks5,
}

/// The user and the password of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProxyLogin {
    pub(super) user: Secret,
    pub(super) password: Secret,
}

const NOT_A_URL: &str = "must be a URL such as http://proxy.example:3128";
const SCHEMES: &str = "must begin with http://, https://, socks5:// or socks5h://";
const PORT: &str = "must have a port from 1 to 65535";

/// The most bytes of a user and of a password (RFC 1929 section 2). No proxy needs more with CONNECT.
const MAX_LOGIN: usize = 255;

impl ProxyServer {
    /// Reads a URL.
    ///
    /// # Errors
    /// The limit that it breaks. No error shows any part of it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        // `Url` would remove line ends and tabs silently.
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(NOT_A_URL);
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (protocol, scheme) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Protocol::Http, "http"),
            "https" => (Protocol::Https, "https"),
            "socks5" => (Protocol::Socks5, "socks5"),
            "socks5h" => (Protocol::Socks5, "socks5h"),
            _ => return Err(SCHEMES),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|error| match error {
            url::ParseError::InvalidPort => PORT,
            _ => NOT_A_URL,
        })?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("must have no path, query or fragment");
        }
        // `Url` leaves the host of an unknown scheme as it is.
        let host = match Host::parse(url.host_str().ok_or(NOT_A_URL)?).map_err(|_| NOT_A_URL)? {
            Host::Domain(name) if !name.is_empty() => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
            Host::Domain(_) => return Err("must name a host"),
        };
        let port = url.port().unwrap_or(match protocol {
            Protocol::Http => 80,
            Protocol::Https => 443,
            Protocol::Socks5 => 1080,
        });
        if port == 0 {
            return Err(PORT);
        }
        let login = ProxyLogin::of(&url, protocol)?;
        Ok(Self { protocol, scheme, host, port, login })
    }

    /// Returns the host: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    pub(super) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn is_https(&self) -> bool {
        self.protocol == Protocol::Https
    }

    pub(super) const fn login(&self) -> Option<&ProxyLogin> {
        self.login.as_ref()
    }

    /// The proxy in an error's text.
    pub(super) fn named(&self) -> String {
        format!("the proxy {}:{}", bracketed(&self.host), self.port)
    }

    /// A failure of the proxy.
    pub(super) fn failure(&self, error: OpenError, what: &str) -> OpenFailure {
        OpenFailure::new(error, format!("{} {what}", self.named()))
    }

    /// The same failure, with the proxy in its text.
    pub(crate) fn in_failure(&self, failure: &OpenFailure) -> OpenFailure {
        OpenFailure::new(failure.error(), format!("{}: {}", self.named(), failure.detail()))
    }

    /// The same for a failure of TLS to the proxy.
    pub(crate) fn in_tls(&self, failure: &OpenFailure) -> OpenFailure {
        let why = of_proxy(failure.detail());
        let detail = format!("TLS to {} failed: {why}", self.named());
        OpenFailure::new(failure.error(), detail)
    }

    /// Says how to give a user and a password.
    pub(super) fn how_to_log_in(&self) -> String {
        let place = format!("{}:{}", bracketed(&self.host), self.port);
        format!("give them in its URL, as in {}://USER:PASSWORD@{place}", self.scheme)
    }
}

impl ProxyLogin {
    fn of(url: &Url, protocol: Protocol) -> Result<Option<Self>, &'static str> {
        if url.username().is_empty() && url.password().is_none() {
            return Ok(None);
        }
        let decoded = |text| {
            let text = percent_encoding::percent_decode_str(text).decode_utf8();
            text.map_err(|_| "must have a user and a password in UTF-8")
        };
        let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or(""))?);
        if user.len() > MAX_LOGIN || password.len() > MAX_LOGIN {
            return Err("must have a user and a password of at most 255 bytes each");
        }
        match protocol {
            Protocol::Http | Protocol::Https if user.contains(':') => {
                return Err("must have no colon in its user");
            }
            Protocol::Http | Protocol::Https
                if user.chars().chain(password.chars()).any(char::is_control) =>
            {
                return Err("must have no control characters in its user and password");
            }
            Protocol::Socks5 if user.is_empty() => {
                return Err("must have a user if it has a password");
            }
            Protocol::Http | Protocol::Https | Protocol::Socks5 => {}
        }
        Ok(Some(Self { user: user.as_ref().into(), password: password.as_ref().into() }))
    }
}

impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, bracketed(&self.host), self.port)
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyServer({self})")
    }
}
