//! Resolves a host's name on a thread outside the runtime.

use std::net::SocketAddr;
use std::sync::Arc;

use gateway_core::OpenError;
use gateway_wire::{Endpoint, Resolver, resolve};

use crate::off_thread::{OffThread, Waiting};

/// A client's name lookups.
pub(crate) struct Lookups {
    resolver: Resolver,
    thread: OffThread<Vec<SocketAddr>>,
}

impl Lookups {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, thread: OffThread::new("gateway-resolver", OpenError::Dns) }
    }

    /// Starts a lookup, or waits for the one that runs.
    pub(crate) fn resolve(&self, endpoint: &Endpoint) -> Waiting<Vec<SocketAddr>> {
        let (endpoint, resolver) = (endpoint.clone(), Arc::clone(&self.resolver));
        self.thread.begin(move || resolve(&endpoint, &resolver))
    }
}
