//! One attempt to open a byte stream: credentials, then the transport.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gateway_core::{Credentials, OpenError};
use gateway_wire::{Dialled, Endpoint, Handshake, LoginCredentials, OpenFailure, ProviderError};

use crate::dial::{Addresses, Dial, Transport};

/// The future of a credentials provider.
pub type Providing = Pin<Box<dyn Future<Output = Result<LoginCredentials, ProviderError>> + Send>>;

/// A credentials provider. The client calls it before each attempt. [`Credentials::Refresh`] means
/// that the server has refused the last credentials.
pub type Provider = Arc<dyn Fn(Credentials) -> Providing + Send + Sync>;

/// What all attempts of a client share.
pub(crate) struct Opener {
    pub(crate) endpoint: Endpoint,
    pub(crate) dial: Box<dyn Dial>,
    pub(crate) provider: Option<Provider>,
    pub(crate) addresses: Addresses,
}

/// An attempt in progress. Dropping it leaves nothing open.
pub(crate) type Opening =
    Pin<Box<dyn Future<Output = Result<Dialled<Box<dyn Transport>>, OpenFailure>> + Send>>;

impl Opener {
    pub(crate) fn open(self: &Arc<Self>, credentials: Credentials) -> Opening {
        self.addresses.lock().begin();
        let opener = Arc::clone(self);
        Box::pin(async move {
            let (headers, login) = opener.ask(credentials).await?.into_parts()?;
            let handshake = Handshake::start(&opener.endpoint, &headers);
            let stream = opener.dial.dial(&opener.endpoint).await?;
            Ok(Dialled { stream, handshake, login })
        })
    }

    async fn ask(&self, credentials: Credentials) -> Result<LoginCredentials, OpenFailure> {
        let Some(provider) = &self.provider else { return Ok(LoginCredentials::new()) };
        provider(credentials).await.map_err(|error| {
            OpenFailure::new(OpenError::Io, format!("the credentials provider failed: {error}"))
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
