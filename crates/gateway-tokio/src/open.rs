//! One attempt: the provider's request, then the transport.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use futures_util::FutureExt as _;
use gateway_wire::{
    Attempt, Dialled, Endpoint, Handshake, OpenFailure, ProviderError, Request, Router,
};

use crate::clock::current_runtime;
use crate::dial::{Addresses, Bottom, Transport};
use crate::layers::TlsFiles;

/// The future of a provider.
pub type Providing = Pin<Box<dyn Future<Output = Result<Request, ProviderError>> + Send>>;

/// A provider. The client asks it for the request of each attempt.
pub type Provider = Arc<dyn Fn(Attempt) -> Providing + Send + Sync>;

/// What all attempts of a client share.
pub(crate) struct Opener {
    pub(crate) endpoint: Endpoint,
    pub(crate) router: Router,
    pub(crate) bottom: Bottom,
    pub(crate) tls_files: TlsFiles,
    pub(crate) provider: Option<Provider>,
    pub(crate) addresses: Addresses,
}

/// A socket that is opening. Dropping it leaves nothing open.
pub(crate) type Opening =
    Pin<Box<dyn Future<Output = Result<Dialled<Box<dyn Transport>>, OpenFailure>> + Send>>;

impl Opener {
    /// Asks the provider, if there is one. A panic is an error. No code of the application's is in
    /// the result, so the client may look at it, and drop it, under its lock.
    pub(crate) fn ask(&self, attempt: Attempt) -> Option<Providing> {
        let provider = self.provider.clone()?;
        let (mut providing, mut runtime) = (None::<Providing>, None);
        let asking = poll_fn(move |cx| {
            // The timers and sockets of the provider's future belong to a runtime. On a runtime that
            // has ended they would panic, and on one that is idle they never fire. So on another one
            // the provider is asked again.
            let current = current_runtime();
            if runtime != Some(current) {
                (providing, runtime) = (None, Some(current));
            }
            let given =
                ready!(providing.get_or_insert_with(|| provider(attempt)).as_mut().poll(cx));
            Poll::Ready(given.map_err(ProviderError::into_text))
        });
        let asking = AssertUnwindSafe(asking).catch_unwind(); // it is not polled again
        Some(Box::pin(asking.map(|given| match given {
            Ok(given) => given,
            Err(panic) => Err(ProviderError::panicked(&*panic)),
        })))
    }

    /// Opens a socket. `endpoint` is the attempt's, if it is not the client's own. A panic of `dial`
    /// is a failure of this attempt.
    pub(crate) fn open(self: &Arc<Self>, endpoint: Option<Arc<Endpoint>>) -> Opening {
        self.addresses.lock().begin();
        let opener = Arc::clone(self);
        let opening = async move {
            let endpoint = endpoint.as_deref().unwrap_or(&opener.endpoint);
            let handshake = Handshake::start(endpoint);
            let stream = opener.stream(endpoint).await?;
            Ok(Dialled { stream, handshake })
        };
        let opening = AssertUnwindSafe(opening).catch_unwind(); // it is not polled again
        Box::pin(opening.map(|opened| match opened {
            Ok(opened) => opened,
            Err(panic) => Err(OpenFailure::panicked(&*panic)),
        }))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
