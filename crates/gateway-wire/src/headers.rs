//! Header fields of the upgrade, as the user wrote them.

use std::fmt;

use gateway_core::{ConfigError, ConfigErrors};
use http::header::{HeaderName, HeaderValue};

/// Header fields in their order, with their names as you wrote them. A `Headers` that exists is
/// valid.
///
/// `Debug` shows only the number of fields: values may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(Box<str>, HeaderValue)>);

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

/// The longest name of a header that is shown in an error, in characters.
const SHOWN: usize = 64;

impl Headers {
    /// The most headers of one request.
    pub(crate) const MAX_COUNT: usize = 128;

    /// The most bytes of their names and values together.
    pub(crate) const MAX_BYTES: usize = 64 << 10;

    /// Creates headers with these names and values.
    ///
    /// # Errors
    /// Each header, by its name, that HTTP does not allow or that the handshake writes itself. Or
    /// the number of headers or their size, if that is over the limit.
    pub(crate) fn new<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str), IntoIter: ExactSizeIterator>,
    ) -> Result<Self, ConfigErrors> {
        let headers = headers.into_iter();
        check_count(headers.len())?;
        let (mut valid, mut errors) = (Self::default(), Vec::new());
        for (name, value) in headers {
            match header(name, value) {
                Ok(value) => valid.0.push((name.into(), value)),
                Err(limit) => errors.push(ConfigError::new("headers", shown(name), limit)),
            }
        }
        ConfigErrors::check(errors)?;
        valid.within_limits()
    }

    /// Returns these headers, then `own`, which replace those of the same name.
    ///
    /// # Errors
    /// Together they are over the limits.
    pub(crate) fn replaced_by(&self, own: Self) -> Result<Self, ConfigErrors> {
        let kept = self.0.iter().filter(|(name, _)| !own.contains(name)).cloned();
        let all: Vec<_> = kept.chain(own.0.iter().cloned()).collect();
        Self(all).within_limits()
    }

    /// Returns only the headers of these names.
    pub(crate) fn only(&self, names: &[&str]) -> Self {
        let is_kept = |name: &str| names.iter().any(|kept| kept.eq_ignore_ascii_case(name));
        Self(self.0.iter().filter(|(name, _)| is_kept(name)).cloned().collect())
    }

    fn within_limits(self) -> Result<Self, ConfigErrors> {
        check_count(self.0.len())?;
        let bytes: usize = self.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > Self::MAX_BYTES {
            let limit = format!("must be at most {} bytes together", Self::MAX_BYTES);
            return Err(ConfigError::new("headers", format!("{bytes} bytes"), limit).into());
        }
        Ok(self)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
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

fn check_count(count: usize) -> Result<(), ConfigErrors> {
    let most = Headers::MAX_COUNT;
    if count > most {
        let limit = format!("must be at most {most}");
        return Err(ConfigError::new("headers", format!("{count} headers"), limit).into());
    }
    Ok(())
}

/// A header's name in an error: it may have any length, and line ends.
fn shown(name: &str) -> String {
    name.escape_debug().take(SHOWN).collect()
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
