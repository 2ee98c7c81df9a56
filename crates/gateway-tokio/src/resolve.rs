//! Resolves a host's name on a thread outside the runtime.

use std::net::SocketAddr;
use std::sync::Arc;

use gateway_core::OpenError;
use gateway_wire::{Hop, OpenFailure, Resolver};

use crate::off_thread::{Found, OffThread};

/// A client's name lookups.
pub(crate) struct Lookups {
    resolver: Resolver,
    thread: OffThread<Found<Hop, Vec<SocketAddr>>>,
}

impl Lookups {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, thread: OffThread::new("gateway-resolver", OpenError::Dns) }
    }

    pub(crate) async fn resolve(&self, hop: &Hop) -> Result<Vec<SocketAddr>, OpenFailure> {
        let (asked, resolver) = (hop.clone(), Arc::clone(&self.resolver));
        self.thread.answer(hop.clone(), move || asked.resolve(&resolver)).await
    }
}
