//! Resolves a host's name off the runtime's threads.

use std::net::SocketAddr;
use std::sync::Arc;

use gateway_core::OpenError;
use gateway_wire::{Endpoint, Resolver, resolve};

use crate::off_thread::{OffThread, Waiting};

/// A client's lookups.
pub(crate) struct Lookups {
    resolver: Resolver,
    thread: OffThread<Vec<SocketAddr>>,
}

impl Lookups {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, thread: OffThread::new("gateway-resolver", OpenError::Dns) }
    }

    /// Begins a lookup, or waits for the one that runs.
    pub(crate) fn resolve(&self, endpoint: &Endpoint) -> Waiting<Vec<SocketAddr>> {
        let (endpoint, resolver) = (endpoint.clone(), Arc::clone(&self.resolver));
        self.thread.begin(move || resolve(&endpoint, &resolver))
    }
}
