//! One attempt: the provider's request, then the transport.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::FutureExt as _;
use gateway_wire::{
    Asking, Attempt, Dialled, Endpoint, Handshake, OpenFailure, ProviderError, Request,
};

use crate::clock::current_runtime;
use crate::dial::{Addresses, Dial, Transport};

/// The future of a provider.
pub type Providing = Pin<Box<dyn Future<Output = Result<Request, ProviderError>> + Send>>;

/// A provider. The client asks it for the request of each attempt.
pub type Provider = Arc<dyn Fn(Attempt) -> Providing + Send + Sync>;

/// What all attempts of a client share.
pub(crate) struct Opener {
    pub(crate) endpoint: Endpoint,
    pub(crate) dial: Box<dyn Dial>,
    pub(crate) provider: Option<Provider>,
    pub(crate) addresses: Addresses,
}

/// A socket that is opening. Dropping it leaves nothing open.
pub(crate) type Opening =
    Pin<Box<dyn Future<Output = Result<Dialled<Box<dyn Transport>>, OpenFailure>> + Send>>;

impl Opener {
    /// Asks the provider, if there is one. `waker` drives the client.
    pub(crate) fn ask(&self, attempt: Attempt, waker: Waker) -> Asking {
        let Some(provider) = self.provider.clone() else { return Asking::nobody() };
        let (mut providing, mut runtime) = (None::<Providing>, None);
        Asking::new(self.endpoint.clone(), move || {
            // The timers and sockets of the provider's future belong to a runtime. On a runtime that
            // has ended they would panic, and on one that is idle they never fire. So on another one
            // the provider is asked again.
            let current = current_runtime();
            if runtime != Some(current) {
                (providing, runtime) = (None, Some(current));
            }
            let providing = providing.get_or_insert_with(|| provider(attempt));
            providing.as_mut().poll(&mut Context::from_waker(&waker))
        })
    }

    /// Asks the provider, if there is one, in a future that nothing of the client is in. It gives only
    /// texts and values of the client's own types, and does not panic.
    pub(crate) fn provide(&self, attempt: Attempt) -> Option<Providing> {
        let provider = self.provider.clone()?;
        let asked = AssertUnwindSafe(async move { provider(attempt).await });
        Some(Box::pin(asked.catch_unwind().map(|given| match given {
            Ok(given) => given.map_err(|error| error.flattened()),
            Err(panic) => Err(ProviderError::panicked(&*panic)),
        })))
    }

    /// Opens a socket. `endpoint` is the attempt's, if it is not the client's own.
    pub(crate) fn open(self: &Arc<Self>, endpoint: Option<Arc<Endpoint>>) -> Opening {
        self.addresses.lock().begin();
        let opener = Arc::clone(self);
        Box::pin(async move {
            let endpoint = endpoint.as_deref().unwrap_or(&opener.endpoint);
            let handshake = Handshake::start(endpoint);
            let stream = opener.dial.dial(endpoint).await?;
            Ok(Dialled { stream, handshake })
        })
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
