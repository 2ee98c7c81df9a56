//! Header fields of the upgrade, as the user wrote them.

use std::fmt;

use gateway_core::{ConfigError, ConfigErrors};
use http::header::{HeaderName, HeaderValue};

/// Header fields in their order, with their names as you wrote them. A `Headers` that exists is
/// valid.
///
/// `Debug` shows only the number of fields: values may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, HeaderValue)>);

/// Headers that the user may not set. The handshake writes them itself (RFC 6455 section 4.1), they
/// have their own setting, or they announce a body. After an announced body, a proxy would
/// read our frames as that body.
const RESERVED: [&str; 11] = [
    "host",
    "connection",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
    "content-length",
    "transfer-encoding",
    "trailer",
];

impl Headers {
    /// Creates headers with these names and values.
    ///
    /// # Errors
    /// Each header, by its name, that HTTP does not allow or that the handshake writes itself.
    pub fn new<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigErrors> {
        let (mut valid, mut errors) = (Self::default(), Vec::new());
        for (name, value) in headers {
            match header(name, value) {
                Ok(value) => valid.0.push((name.into(), value)),
                Err(limit) => errors.push(ConfigError::new("headers", name, limit)),
            }
        }
        ConfigErrors::check(errors)?;
        Ok(valid)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    pub(crate) fn push(&mut self, name: &str, value: HeaderValue) {
        self.0.push((name.into(), value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

fn header(name: &str, value: &str) -> Result<HeaderValue, &'static str> {
    HeaderName::try_from(name).map_err(|_| "must have a name that HTTP allows")?;
    if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        return Err("must not be set: the handshake sets it");
    }
    if value.chars().any(char::is_control) {
        return Err("must have a value without control characters, such as a line end");
    }
    let mut value =
        HeaderValue::try_from(value).map_err(|_| "must have a value that HTTP allows")?;
    value.set_sensitive(true);
    Ok(value)
}
