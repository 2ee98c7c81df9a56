//! The environment variables that name proxies.

use std::ffi::OsString;

/// A value, and where it is from.
#[derive(Clone)]
pub(super) struct Variable {
    value: OsString,
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Application,
    /// The environment; the application has read it.
    Shared,
    /// This variable.
    Named(&'static str),
}

impl Variable {
    /// A value that the application gave.
    pub(super) fn given(value: String) -> Self {
        Self { value: value.into(), source: Source::Application }
    }

    /// A value that is for other programs, too.
    pub(super) fn shared(value: String) -> Self {
        Self { value: value.into(), source: Source::Shared }
    }

    /// The proxy for `wss://` servers, or for `ws://` servers.
    pub(super) fn of_proxy(
        is_secure: bool,
        read: &dyn Fn(&str) -> Option<OsString>,
    ) -> Option<Self> {
        // In a CGI program the header `Proxy` of a request becomes `HTTP_PROXY`. On Windows that is
        // also `http_proxy`.
        let is_cgi = read("REQUEST_METHOD").is_some();
        let names: &[&str] = match (is_secure, is_cgi) {
            (true, _) => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            (false, false) => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
            (false, true) => &["all_proxy", "ALL_PROXY"],
        };
        Self::first(names, read)
    }

    /// The list of servers without a proxy.
    pub(super) fn of_no_proxy(read: &dyn Fn(&str) -> Option<OsString>) -> Option<Self> {
        Self::first(&["no_proxy", "NO_PROXY"], read)
    }

    /// The first that is set and not empty.
    fn first(names: &[&'static str], read: &dyn Fn(&str) -> Option<OsString>) -> Option<Self> {
        names.iter().find_map(|name| {
            let value = read(name).filter(|value| !value.to_string_lossy().trim().is_empty())?;
            Some(Self { value, source: Source::Named(name) })
        })
    }

    /// The value, or the limit that it breaks.
    pub(super) fn value(&self) -> Result<&str, &'static str> {
        self.value.to_str().ok_or("must be UTF-8")
    }

    pub(super) fn is_given(&self) -> bool {
        self.source == Source::Application
    }

    /// Where the value is from, at the end of an error.
    pub(super) fn source(&self) -> String {
        match self.source {
            Source::Named(name) => format!(" (from the environment's {name})"),
            Source::Application | Source::Shared => String::new(),
        }
    }

    pub(super) fn into_parts(self) -> (&'static str, OsString) {
        match self.source {
            Source::Named(name) => (name, self.value),
            Source::Application | Source::Shared => ("", self.value),
        }
    }
}
