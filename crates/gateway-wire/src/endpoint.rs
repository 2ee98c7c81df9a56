//! Where to connect to, and what the upgrade request carries.

use std::fmt;

use data_encoding::BASE64;
use gateway_core::{ConfigError, ConfigErrors};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::uri::PathAndQuery;
use url::{Host, Url};

/// A server's address with the headers and subprotocols of the upgrade. One that exists is valid.
///
/// `Display` and `Debug` show scheme, host, port and path alone: userinfo, query and headers may be secret.
///
/// ```
/// use gateway_wire::Endpoint;
///
/// let endpoint = Endpoint::builder("wss://user:secret@gateway.example/v1?token=secret")
///     .header("X-Device", "7")
///     .subprotocol("graphql-transport-ws")
///     .build()?;
/// assert_eq!(endpoint.to_string(), "wss://gateway.example/v1");
/// assert_eq!((endpoint.host(), endpoint.port(), endpoint.is_secure()), ("gateway.example", 443, true));
///
/// let errors = Endpoint::builder("http://gateway.example").header("no good", "x").build().unwrap_err();
/// assert_eq!(errors.iter().count(), 2);
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    target: PathAndQuery,
    /// The `Host` header. Apart from the others: most endpoints have none, and a map of one takes half a kilobyte.
    authority: HeaderValue,
    headers: HeaderMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Plain,
    Secure,
}

impl Endpoint {
    /// Begins with a `ws://` or `wss://` URL. Its userinfo becomes Basic authorization.
    pub fn builder(url: impl Into<String>) -> EndpointBuilder {
        EndpointBuilder { url: url.into(), headers: Vec::new(), subprotocols: Vec::new() }
    }

    /// The host: a name, an IPv4 address, or an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: the URL's, or 80 or 443.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is made over TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        matches!(self.scheme, Scheme::Secure)
    }

    pub(crate) const fn target(&self) -> &PathAndQuery {
        &self.target
    }

    /// The `Host` header of the handshake.
    pub(crate) const fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The headers beside those of the handshake itself.
    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = match self.scheme {
            Scheme::Plain => ("ws", 80),
            Scheme::Secure => ("wss", 443),
        };
        let host = bracketed(&self.host);
        write!(f, "{scheme}://{host}")?;
        if self.port != default {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(self.target.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Collects the parts of an [`Endpoint`]; [`build`](Self::build) validates them all at once.
#[derive(Clone)]
#[must_use]
pub struct EndpointBuilder {
    url: String,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
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
    /// Adds a header to the upgrade request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol (RFC 6455 section 1.9), after those offered before.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Validates everything.
    ///
    /// # Errors
    /// Each part that is wrong: `url`, `headers` or `subprotocols`. Values that may be secret are not shown.
    pub fn build(self) -> Result<Endpoint, ConfigErrors> {
        let mut errors = Vec::new();
        let mut headers = HeaderMap::new();
        let place = place(&self.url).map_err(|limit| errors.push(error("url", "", limit))).ok();
        for (name, value) in &self.headers {
            match header(name, value) {
                Ok((name, value)) => {
                    headers.append(name, value);
                }
                Err(limit) => errors.push(error("headers", name, limit)),
            }
        }
        match offer(&self.subprotocols) {
            Ok(Some(offer)) => {
                headers.insert(SEC_WEBSOCKET_PROTOCOL, offer);
            }
            Ok(None) => {}
            // Some carry tokens in them: the value is not shown.
            Err(limit) => errors.push(error("subprotocols", "", limit)),
        }
        ConfigErrors::check(errors)?;
        // Local invariant: a place that is missing has left an error.
        let place = place.expect("an invalid URL is an error");
        if let Some(authorization) = place.authorization
            && !headers.contains_key(AUTHORIZATION)
        {
            headers.insert(AUTHORIZATION, authorization);
        }
        let Place { scheme, host, port, target, authority, .. } = place;
        Ok(Endpoint { scheme, host, port, target, authority, headers })
    }
}

/// What a URL says.
struct Place {
    scheme: Scheme,
    host: String,
    port: u16,
    target: PathAndQuery,
    authority: HeaderValue,
    authorization: Option<HeaderValue>,
}

fn error(field: &str, value: &str, limit: &str) -> ConfigError {
    ConfigError::new(field, value, limit)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn place(url: &str) -> Result<Place, &'static str> {
    let not_a_url = "must be a URL such as wss://gateway.example:443/path";
    // The URL standard would mend `ws:host`; a slip in an address is better told.
    let (_, rest) = url.split_once(':').ok_or(not_a_url)?;
    if !rest.starts_with("//") {
        return Err(not_a_url);
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

/// Userinfo as Basic authorization ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
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

/// Headers that the handshake writes itself (RFC 6455 section 4.1), or that have a setting of their own.
const RESERVED: [&str; 7] = [
    "host",
    "connection",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "must have a name that HTTP allows")?;
    if RESERVED.contains(&name.as_str()) {
        return Err("must not be set: the handshake writes it");
    }
    let mut value =
        HeaderValue::try_from(value).map_err(|_| "must have a value that HTTP allows")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The offer of subprotocols: tokens, each once (RFC 6455 section 4.1, item 10).
fn offer(names: &[String]) -> Result<Option<HeaderValue>, &'static str> {
    for (index, name) in names.iter().enumerate() {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err("must be tokens: letters, digits and !#$%&'*+-.^_`|~");
        }
        if names[..index].contains(name) {
            return Err("must be offered once each");
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    // Local invariant: tokens and commas are visible ASCII.
    Ok(HeaderValue::try_from(names.join(", ")).ok())
}

/// Headers of one attempt's credentials, in place of those of the same name.
///
/// # Errors
/// The first header that HTTP does not allow.
pub fn credential_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<HeaderMap, ConfigErrors> {
    let mut map = HeaderMap::new();
    let mut errors = Vec::new();
    for (name, value) in headers {
        match header(name, value) {
            Ok((name, value)) => {
                map.append(name, value);
            }
            Err(limit) => errors.push(error("headers", name, limit)),
        }
    }
    ConfigErrors::check(errors)?;
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(builder: EndpointBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn userinfo_becomes_basic_authorization_and_is_never_shown() {
        let endpoint = Endpoint::builder("ws://ann:p%40ss@[::1]:9000/a?b=c").build().unwrap();
        assert_eq!(endpoint.headers()[AUTHORIZATION], "Basic YW5uOnBAc3M=");
        assert_eq!(endpoint.authority(), "[::1]:9000");
        assert_eq!(endpoint.target().as_str(), "/a?b=c");
        assert_eq!(endpoint.to_string(), "ws://[::1]:9000/a");
        assert!(!format!("{endpoint:?}").contains("p@ss"));
    }

    #[test]
    fn an_explicit_authorization_wins_over_userinfo() {
        let builder = Endpoint::builder("ws://ann:pw@host/").header("Authorization", "Bearer x");
        let endpoint = builder.build().unwrap();
        assert_eq!(endpoint.headers()[AUTHORIZATION], "Bearer x");
        assert_eq!(endpoint.headers().get_all(AUTHORIZATION).iter().count(), 1);
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
}
