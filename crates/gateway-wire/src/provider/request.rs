//! The request of one attempt, and what an attempt does with it.

use std::fmt;
use std::sync::Arc;

use gateway_core::{Config, ConfigError, ConfigErrors, Login, Secret, Secrets};

use crate::endpoint::{Changes, Endpoint};

/// How one attempt differs from the client's settings. A provider gives one for each attempt. What
/// it does not set stays as the builder has set it.
///
/// `Debug` shows no secret, and nothing of the URL.
///
/// ```
/// use gateway_wire::Request;
/// let request = Request::new()
///     .url("wss://gateway.example/feed?ticket=abc")
///     .header("Authorization", "Bearer abc")
///     .login(r#"{"token":"abc"}"#);
/// assert!(!format!("{request:?}").contains("abc"));
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Request {
    changes: Changes,
    login: Option<Secret>,
    secrets: Vec<(String, Secret)>,
}

impl Request {
    /// Creates a request that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the URL of this attempt, `ws://` or `wss://`. The builder's headers go to this server,
    /// too, but the userinfo of the builder's URL does not. Without this call, the attempt uses the
    /// builder's URL. Logs show only the host and the port, if they are not the builder's: some
    /// services put a key into the path.
    pub fn url(mut self, url: impl Into<Secret>) -> Self {
        self.changes.url = Some(url.into());
        self
    }

    /// Adds a header. It replaces the builder's headers of that name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.changes.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol, after those that this request offers already. The first one replaces all
    /// that the builder offers.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.changes.subprotocols.get_or_insert_default().push(name.into());
        self
    }

    /// Sets the name that the server's certificate must have, and that the TLS handshake sends as SNI.
    /// The default is the URL's host.
    pub fn tls_name(mut self, name: impl Into<String>) -> Self {
        self.changes.tls_name = Some(name.into());
        self
    }

    /// Sends this text instead of the configuration's `login.send`, which must be set.
    pub fn login(mut self, text: impl Into<Secret>) -> Self {
        self.login = Some(text.into());
        self
    }

    /// Sets a named secret of this attempt, for its dialect.
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.secrets.push((name.into(), value.into()));
        self
    }

    /// Applies the request to the client's endpoint.
    ///
    /// # Errors
    /// Each part that is outside its limits, by its name.
    pub(crate) fn plan(
        self,
        endpoint: &Endpoint,
        login: &Login,
    ) -> Result<AttemptPlan, ConfigErrors> {
        let (mut errors, usual) = (Vec::new(), endpoint.server());
        let is_changed = !self.changes.is_empty();
        let has_url = self.changes.url.is_some();
        let changed = is_changed.then(|| endpoint.changed(self.changes)).transpose();
        let endpoint = changed.map_err(|wrong| errors.extend(wrong.into_vec())).ok().flatten();
        if let Some(Err(limit)) = self.login.as_ref().map(|text| check_login(text, login)) {
            errors.push(ConfigError::new("login", "", limit));
        }
        let secrets = Secrets::new(self.secrets).map_err(|wrong| errors.extend(wrong)).ok();
        ConfigErrors::check(errors)?;
        let private = Private { login: self.login, secrets: secrets.unwrap_or_default() };
        let server = endpoint.as_ref().map(Endpoint::server).filter(|server| *server != usual);
        Ok(AttemptPlan { endpoint: endpoint.map(Arc::new), has_url, server, private })
    }
}

fn check_login(text: &Secret, login: &Login) -> Result<(), String> {
    if !matches!(login, Login::Message { .. }) {
        return Err("must not be set unless login.send is configured".to_owned());
    }
    if text.reveal().len() > Config::MAX_LOGIN {
        return Err(format!("must be at most {} bytes", Config::MAX_LOGIN));
    }
    Ok(())
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("has_url", &self.changes.url.is_some())
            .field("headers", &self.changes.headers.len())
            .field("has_login", &self.login.is_some())
            .field("secrets", &self.secrets.len())
            .finish_non_exhaustive()
    }
}

/// A validated request.
#[derive(Default)]
pub(crate) struct AttemptPlan {
    /// `None` if it is the client's own.
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    /// Whether the request sets the URL.
    pub(crate) has_url: bool,
    /// Host and port, if they are not the client's own.
    pub(crate) server: Option<String>,
    pub(crate) private: Private,
}

/// What a session needs of a request.
#[derive(Default)]
pub(crate) struct Private {
    /// `None` for the configuration's.
    pub(crate) login: Option<Secret>,
    pub(crate) secrets: Secrets,
}

/// Shows no secret.
impl fmt::Debug for AttemptPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptPlan").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
