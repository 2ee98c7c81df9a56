//! One attempt to open a WebSocket: credentials, then the transport, then the upgrade.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gateway_core::{Credentials, OpenError, Secret};
use gateway_wire::{Endpoint, Handshake, OpenFailure, OpenStep, Opened, credential_headers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::dial::{Dial, Transport};

/// What one attempt is made with beside the endpoint.
///
/// ```
/// use gateway_tokio::LoginCredentials;
/// let credentials = LoginCredentials::new().header("Authorization", "Bearer abc").login("hello");
/// assert!(!format!("{credentials:?}").contains("abc"));
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct LoginCredentials {
    headers: Vec<(String, Secret)>,
    login: Option<Secret>,
}

impl LoginCredentials {
    /// No headers, and the configuration's login.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header to the upgrade, in place of the endpoint's of that name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends this in place of the configuration's `login.send`; a login must be configured.
    pub fn login(mut self, text: impl Into<Secret>) -> Self {
        self.login = Some(text.into());
        self
    }
}

impl fmt::Debug for LoginCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginCredentials")
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// An error of a provider's; the attempt fails with its text, and is retried with backoff.
pub type ProviderError = Box<dyn std::error::Error + Send + Sync>;

/// Credentials on their way.
pub type Providing = Pin<Box<dyn Future<Output = Result<LoginCredentials, ProviderError>> + Send>>;

/// Asked before each attempt; [`Credentials::Refresh`] says that the last ones were refused.
pub type Provider = Arc<dyn Fn(Credentials) -> Providing + Send + Sync>;

/// What every attempt of a client is made with.
pub(crate) struct Opener {
    pub(crate) endpoint: Endpoint,
    pub(crate) dial: Box<dyn Dial>,
    pub(crate) provider: Option<Provider>,
}

/// A WebSocket that is open.
pub(crate) struct Socket {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) opened: Opened,
    pub(crate) login: Option<Secret>,
}

/// An attempt under way. Dropping it leaves nothing open.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Socket, OpenFailure>> + Send>>;

impl Opener {
    pub(crate) fn open(self: &Arc<Self>, credentials: Credentials) -> Opening {
        let opener = Arc::clone(self);
        Box::pin(async move {
            let given = opener.ask(credentials).await?;
            let headers = given.headers.iter().map(|(name, value)| (name.as_str(), value.reveal()));
            let headers = credential_headers(headers)
                .map_err(|errors| OpenFailure::new(OpenError::Configuration, errors.to_string()))?;
            let mut handshake = Handshake::start(&opener.endpoint, &headers)?;
            let mut transport = opener.dial.dial(&opener.endpoint).await?;
            let opened = upgrade(&mut transport, &mut handshake).await?;
            Ok(Socket { transport, opened, login: given.login })
        })
    }

    async fn ask(&self, credentials: Credentials) -> Result<LoginCredentials, OpenFailure> {
        let Some(provider) = &self.provider else { return Ok(LoginCredentials::new()) };
        provider(credentials)
            .await
            .map_err(|error| OpenFailure::new(OpenError::Io, format!("no credentials: {error}")))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

async fn upgrade(
    transport: &mut Box<dyn Transport>,
    handshake: &mut Handshake,
) -> Result<Opened, OpenFailure> {
    let failed = |error: std::io::Error| OpenFailure::classify(OpenStep::Upgrade, &error, false);
    transport.write_all(handshake.request()).await.map_err(failed)?;
    transport.flush().await.map_err(failed)?;
    let mut answer = [0_u8; 2 << 10];
    loop {
        let read = transport.read(&mut answer).await.map_err(failed)?;
        if read == 0 {
            return Err(OpenFailure::new(OpenError::NotHttp, "the server hung up in the upgrade"));
        }
        if let Some(opened) = handshake.received(&answer[..read])? {
            return Ok(opened);
        }
    }
}
