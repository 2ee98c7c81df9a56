//! Resolves a host's name on a thread outside the runtime.

use std::net::SocketAddr;
use std::sync::Arc;

use gateway_core::OpenError;
use gateway_wire::{Hop, OpenFailure, Resolver};

use crate::off_thread::OffThread;

/// A client's name lookups.
pub(crate) struct Lookups {
    resolver: Resolver,
    thread: OffThread<Answer>,
}

/// What a lookup found, and for which host.
struct Answer {
    hop: Hop,
    addresses: Result<Vec<SocketAddr>, OpenFailure>,
}

impl Lookups {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self { resolver, thread: OffThread::new("gateway-resolver", OpenError::Dns) }
    }

    /// Starts a lookup, or waits for the one that runs. If that one was for another host, starts one
    /// after it.
    pub(crate) async fn resolve(&self, hop: &Hop) -> Result<Vec<SocketAddr>, OpenFailure> {
        loop {
            let (asked, resolver) = (hop.clone(), Arc::clone(&self.resolver));
            let lookup = self.thread.begin(move || {
                let addresses = asked.resolve(&resolver);
                Ok(Answer { hop: asked, addresses })
            });
            let Answer { hop: asked, addresses } = lookup.await?;
            if asked == *hop {
                return addresses;
            }
        }
    }
}
