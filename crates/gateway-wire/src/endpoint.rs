//! The server's address, and the headers of the upgrade request.

mod changes;

use std::fmt;

use data_encoding::BASE64;
use gateway_core::{ConfigError, ConfigErrors};
use http::header::HeaderValue;
use http::uri::PathAndQuery;
use url::{Host, Url};

pub(crate) use self::changes::Changes;
use crate::headers::Headers;

/// A server's address with the headers and subprotocols of the upgrade. An `Endpoint` that exists
/// is valid.
///
/// `Display` and `Debug` show only scheme, host, port and path: userinfo, query and headers may be
/// secret. If the URL is from a provider's [`Request`](crate::Request), they do not show the path
/// either.
///
/// ```
/// use gateway_wire::Endpoint;
///
/// let endpoint = Endpoint::builder("wss://user:secret@gateway.example/v1?token=secret")
///     .header("X-Device", "7")
///     .subprotocol("graphql-transport-ws")
///     .build()?;
/// assert_eq!(endpoint.to_string(), "wss://gateway.example/v1");
/// assert_eq!((endpoint.host(), endpoint.port()), ("gateway.example", 443));
/// assert!(endpoint.is_secure());
///
/// let wrong = Endpoint::builder("http://gateway.example").header("no good", "x");
/// assert_eq!(wrong.build().unwrap_err().iter().count(), 2);
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    target: PathAndQuery,
    /// The `Host` header.
    authority: HeaderValue,
    /// The URL's userinfo.
    authorization: Option<HeaderValue>,
    headers: Headers,
    subprotocols: Vec<String>,
    requires_subprotocol: bool,
    /// The name in the server's certificate, if it is not the host.
    tls_name: Option<Box<str>>,
    /// Whether a provider gave the URL: then its path may be secret.
    is_path_hidden: bool,
    /// Whether a server has named the URL, and its scheme, host or port is not that of the client's
    /// own endpoint: then that server gets no credentials.
    is_foreign: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Plain,
    Secure,
}

impl Endpoint {
    /// Starts a builder with a `ws://` or `wss://` URL. The URL's userinfo becomes Basic
    /// authorization.
    pub fn builder(url: impl Into<String>) -> EndpointBuilder {
        EndpointBuilder {
            url: url.into(),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            requires_subprotocol: false,
        }
    }

    /// Returns the host: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port: the URL's, otherwise 80 for `ws://` and 443 for `wss://`.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection uses TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Secure)
    }

    /// The host and the port, without anything that may be secret.
    pub(crate) fn server(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    /// Scheme, host, port and path: what makes it another endpoint.
    pub(crate) fn place(&self) -> String {
        let scheme = if self.is_secure() { "wss" } else { "ws" };
        format!("{scheme}://{}{}", self.server(), self.target.path())
    }

    pub(crate) const fn target(&self) -> &PathAndQuery {
        &self.target
    }

    /// The `Host` header of the handshake.
    pub(crate) const fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Returns the name that the server's certificate must have: the host, unless a provider's
    /// [`Request::tls_name`](crate::Request::tls_name) set another one.
    #[must_use]
    pub fn tls_name(&self) -> &str {
        self.tls_name.as_deref().unwrap_or(&self.host)
    }

    /// The headers that are sent in addition to those of the handshake itself.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        let userinfo = self.authorization.iter().filter(|_| !self.headers.contains(AUTHORIZATION));
        self.headers.iter().chain(userinfo.map(|value| (AUTHORIZATION, value)))
    }

    pub(crate) const fn is_path_hidden(&self) -> bool {
        self.is_path_hidden
    }

    /// Whether a server has named the URL, and its scheme, host or port is not that of the client's
    /// own endpoint. That server gets no credentials.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    pub(crate) fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    pub(crate) const fn requires_subprotocol(&self) -> bool {
        self.requires_subprotocol
    }
}

/// The header that the URL's userinfo becomes.
const AUTHORIZATION: &str = "Authorization";

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.is_path_hidden { "" } else { self.target.path() };
        f.write_str(&shown(self.scheme, &self.host, self.port, path))
    }
}

/// The address without its secret parts.
fn shown(scheme: Scheme, host: &str, port: u16, path: &str) -> String {
    let (scheme, default) = match scheme {
        Scheme::Plain => ("ws", 80),
        Scheme::Secure => ("wss", 443),
    };
    let host = bracketed(host);
    match port {
        port if port == default => format!("{scheme}://{host}{path}"),
        port => format!("{scheme}://{host}:{port}{path}"),
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Collects the parts of an [`Endpoint`]. [`build`](Self::build) validates them and returns all
/// errors at once.
#[derive(Clone)]
#[must_use]
pub struct EndpointBuilder {
    url: String,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    requires_subprotocol: bool,
}

impl fmt::Debug for EndpointBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointBuilder")
            .field("headers", &self.headers.len())
            .field("subprotocols", &self.subprotocols.len())
            .finish_non_exhaustive()
    }
}

impl EndpointBuilder {
    /// Adds a header to the upgrade request. The client sends the name as you write it. By default
    /// the client sends `User-Agent: gateway/VERSION`; set your own to replace it.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol (RFC 6455 section 1.9), after those offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Refuses a server that chooses none of the offered subprotocols. By default such a connection
    /// opens, as RFC 6455 section 4.1 allows. Browsers refuse it.
    pub const fn require_subprotocol(mut self, require: bool) -> Self {
        self.requires_subprotocol = require;
        self
    }

    /// Validates everything and returns the endpoint.
    ///
    /// # Errors
    /// Each invalid part, by its name: `url`, `headers` or `subprotocols`. Values that may be
    /// secret are not shown.
    pub fn build(self) -> Result<Endpoint, ConfigErrors> {
        let mut errors = Vec::new();
        let place = place(&self.url).map_err(|limit| errors.push(error("url", limit))).ok();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers = Headers::new(headers).map_err(|wrong| errors.extend(wrong.into_vec())).ok();
        if let Err(limit) = check_offer(&self.subprotocols) {
            // Some subprotocols carry tokens, so the value is not shown.
            errors.push(error("subprotocols", limit));
        } else if self.requires_subprotocol && self.subprotocols.is_empty() {
            errors
                .push(error("require_subprotocol", "must not be set if no subprotocol is offered"));
        }
        ConfigErrors::check(errors)?;
        // Local invariant: each missing part has left an error.
        let (place, headers) = place.zip(headers).expect("each missing part has left an error");
        let Place { scheme, host, port, target, authority, authorization } = place;
        let Self { subprotocols, requires_subprotocol, .. } = self;
        Ok(Endpoint {
            scheme,
            host,
            port,
            target,
            authority,
            authorization,
            headers,
            subprotocols,
            requires_subprotocol,
            tls_name: None,
            is_path_hidden: false,
            is_foreign: false,
        })
    }
}

/// The parts of a URL.
struct Place {
    scheme: Scheme,
    host: String,
    port: u16,
    target: PathAndQuery,
    authority: HeaderValue,
    authorization: Option<HeaderValue>,
}

fn error(field: &str, limit: impl Into<String>) -> ConfigError {
    ConfigError::new(field, "", limit)
}

pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// The longest URL, in bytes.
const MAX_URL: usize = 64 << 10;

fn place(url: &str) -> Result<Place, String> {
    if url.len() > MAX_URL {
        return Err(format!("must be at most {MAX_URL} bytes"));
    }
    // `Url` would remove line ends and tabs silently.
    if url.chars().any(char::is_control) {
        return Err("must have no control characters, such as a line end".to_owned());
    }
    parsed(url).map_err(|limit| match meant(url) {
        Some(meant) => format!("{limit}; did you mean {meant}?"),
        None => limit.to_owned(),
    })
}

/// For a URL without a scheme, or with an HTTP scheme: the address that was probably meant, without
/// userinfo and query.
fn meant(url: &str) -> Option<String> {
    let (scheme, rest) = match url.split_once("://") {
        Some((http, rest)) if http.eq_ignore_ascii_case("http") => ("ws", rest),
        Some((https, rest)) if https.eq_ignore_ascii_case("https") => ("wss", rest),
        Some(_) => return None,
        None => {
            let is_local =
                ["localhost", "127.", "[::1]"].iter().any(|local| url.starts_with(local));
            (if is_local { "ws" } else { "wss" }, url)
        }
    };
    let place = parsed(&format!("{scheme}://{rest}")).ok()?;
    // A single word is no address. Neither is a token that contains dots, and a token must not be
    // shown.
    let is_address = is_address(&place.host) || rest != url;
    let Place { scheme, host, port, target, .. } = place;
    is_address.then(|| shown(scheme, &host, port, target.path()))
}

fn is_address(host: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63;
    let is_name = host.rsplit_once('.').is_some_and(|(labels, top)| {
        let is_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_top && labels.split('.').all(is_label)
    });
    is_name || host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

fn parsed(url: &str) -> Result<Place, &'static str> {
    let not_a_url = "must be a URL such as wss://gateway.example:443/path";
    // `Url` would accept `ws:host`.
    let Some((scheme, rest)) = url.split_once(':') else { return Err(not_a_url) };
    if !rest.starts_with("//") {
        let has_scheme = matches!(scheme.to_ascii_lowercase().as_str(), "ws" | "wss");
        return Err(if has_scheme { not_a_url } else { "must begin with ws:// or wss://" });
    }
    let url = Url::parse(url).map_err(|error| match error {
        url::ParseError::InvalidPort => "must have a port from 1 to 65535",
        _ => not_a_url,
    })?;
    let scheme = match url.scheme() {
        "ws" => Scheme::Plain,
        "wss" => Scheme::Secure,
        _ => return Err("must begin with ws:// or wss://"),
    };
    if url.fragment().is_some() {
        return Err("must have no fragment (RFC 6455 section 3)");
    }
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(Host::Domain(_)) | None => return Err("must name a host"),
    };
    let port = match url.port_or_known_default() {
        Some(port) if port > 0 => port,
        Some(_) | None => return Err("must have a port from 1 to 65535"),
    };
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let target = target.parse().map_err(|_| "must have a path and query that HTTP can carry")?;
    let authority = match url.port() {
        Some(port) => format!("{}:{port}", bracketed(&host)),
        None => bracketed(&host),
    };
    let authority = HeaderValue::try_from(authority).map_err(|_| "must name a host")?;
    let authorization = basic(&url)?;
    Ok(Place { scheme, host, port, target, authority, authorization })
}

/// Returns userinfo as Basic authorization ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
fn basic(url: &Url) -> Result<Option<HeaderValue>, &'static str> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut pair = percent_decoded(url.username());
    if pair.contains(&b':') {
        return Err("must have no colon in its user name");
    }
    pair.push(b':');
    pair.extend(percent_decoded(url.password().unwrap_or("")));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(&pair)))
        .map_err(|_| "must have a userinfo that HTTP can carry")?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// The most subprotocols that are offered.
const MAX_SUBPROTOCOLS: usize = 32;

/// Subprotocols are tokens, each offered once (RFC 6455 section 4.1, item 10).
fn check_offer(names: &[String]) -> Result<(), &'static str> {
    if names.len() > MAX_SUBPROTOCOLS {
        return Err("must be at most 32");
    }
    if names.iter().map(String::len).sum::<usize>() > Headers::MAX_BYTES {
        return Err("must be at most 65536 bytes together");
    }
    for (index, name) in names.iter().enumerate() {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err("must be tokens: letters, digits and !#$%&'*+-.^_`|~");
        }
        if names[..index].contains(name) {
            return Err("must each be offered only once");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(builder: EndpointBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    fn authorizations(endpoint: &Endpoint) -> Vec<&str> {
        let named = endpoint.headers().filter(|(name, _)| *name == "Authorization");
        named.map(|(_, value)| value.to_str().unwrap()).collect()
    }

    #[test]
    fn userinfo_becomes_basic_authorization_and_is_never_shown() {
        let endpoint = Endpoint::builder("ws://ann:p%40ss@[::1]:9000/a?b=c").build().unwrap();
        assert_eq!(authorizations(&endpoint), ["Basic YW5uOnBAc3M="]);
        assert_eq!(endpoint.authority(), "[::1]:9000");
        assert_eq!(endpoint.target().as_str(), "/a?b=c");
        assert_eq!(endpoint.to_string(), "ws://[::1]:9000/a");
        assert!(!format!("{endpoint:?}").contains("p@ss"));
    }

    #[test]
    fn an_explicit_authorization_wins_over_userinfo() {
        let builder = Endpoint::builder("ws://ann:pw@host/").header("Authorization", "Bearer x");
        assert_eq!(authorizations(&builder.build().unwrap()), ["Bearer x"]);
    }

    #[test]
    fn what_is_no_websocket_url_is_refused_without_showing_it() {
        for url in ["", "gateway", "http://host/", "ws://", "ws://host:0/", "ws://host/#part"] {
            let text = limits(Endpoint::builder(url));
            assert!(text.starts_with("url: must "), "{url}: {text}");
        }
        assert!(
            !limits(Endpoint::builder("http://ann:secret@host/?key=secret")).contains("secret")
        );
    }

    #[test]
    fn every_error_is_told_at_once() {
        let builder = Endpoint::builder("ftp://host")
            .header("Upgrade", "x")
            .header("X", "line\nbreak")
            .subprotocol("a b");
        assert_eq!(builder.build().unwrap_err().iter().count(), 4);
        assert!(
            limits(Endpoint::builder("ws://h").subprotocol("a").subprotocol("a")).contains("once")
        );
    }

    #[test]
    fn control_characters_are_refused_in_a_url_and_in_headers() {
        for control in ["\n", "\r", "\t", "\0", "\u{1b}", "\u{7f}", "\u{85}"] {
            for url in [format!("ws://host/{control}a"), format!("ws://host/{control}")] {
                let text = limits(Endpoint::builder(url));
                assert_eq!(text, "url: must have no control characters, such as a line end");
            }
            for (name, value) in [("X", format!("a{control}b")), ("X", format!("a{control}"))] {
                let text = limits(Endpoint::builder("ws://host").header(name, value));
                assert!(text.contains("without control characters"), "{control:?}: {text}");
            }
            limits(Endpoint::builder("ws://host").header(format!("X{control}"), "a"));
        }
    }

    #[test]
    fn an_address_without_a_scheme_or_with_one_of_http_gets_a_hint() {
        for (url, meant) in [
            ("gateway.example", "wss://gateway.example/"),
            ("gateway.example:9001/feed?key=secret", "wss://gateway.example:9001/feed"),
            ("localhost:9001", "ws://localhost:9001/"),
            ("localhost", "ws://localhost/"),
            ("127.0.0.1:9001", "ws://127.0.0.1:9001/"),
            ("[::1]:9001", "ws://[::1]:9001/"),
            ("//gateway.example", "wss://gateway.example/"),
            ("ann:secret@gateway.example", "wss://gateway.example/"),
            ("http://ann:secret@host/?key=secret", "ws://host/"),
            ("HTTPS://host:8443", "wss://host:8443/"),
        ] {
            let text = limits(Endpoint::builder(url));
            assert!(text.ends_with(&format!("; did you mean {meant}?")), "{url}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
        for url in [
            "",
            "gateway",
            "ftp://host",
            "ws:host",
            "wss://",
            "file:///a.b",
            "a b.c",
            "eyJhbGci.eyJzdWIi.c2lnbmF0dXJl0",
        ] {
            let text = limits(Endpoint::builder(url));
            assert!(!text.contains("did you mean"), "{url}: {text}");
        }
    }

    #[test]
    fn a_subprotocol_can_be_required_only_where_one_is_offered() {
        let required = || Endpoint::builder("ws://host").require_subprotocol(true);
        assert!(limits(required()).starts_with("require_subprotocol: "));
        assert!(required().subprotocol("a").build().is_ok());
    }
}
