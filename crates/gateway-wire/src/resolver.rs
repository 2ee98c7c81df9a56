//! Resolves a host's name to addresses.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use gateway_core::OpenError;

use crate::open_failure::{OpenFailure, OpenStep};
use crate::route::Hop;

/// Resolves a host's name and port. It may block: drivers call it on a separate thread.
pub type Resolver = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Returns the operating system's resolver (`getaddrinfo`).
#[must_use]
pub fn system_resolver() -> Resolver {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

impl Hop {
    /// Resolves the host's addresses. This may block.
    ///
    /// # Errors
    /// [`OpenError::Dns`] if the resolver failed, or returned no address.
    pub fn resolve(&self, resolver: &Resolver) -> Result<Vec<SocketAddr>, OpenFailure> {
        let resolved = resolver(self.host(), self.port());
        let resolved = resolved.map_err(|error| OpenFailure::classify(OpenStep::Resolve, &error));
        match resolved {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => {
                let why = "the host's name has no address";
                Err(self.failure(OpenFailure::new(OpenError::Dns, why)))
            }
            Err(failure) => Err(self.failure(failure)),
        }
    }

    /// Returns the address if the host is an IP address, which needs no resolver.
    #[must_use]
    pub fn literal_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host().parse().ok()?, self.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;

    fn hop(url: &str) -> Hop {
        Hop::to(&Endpoint::builder(url).build().unwrap())
    }

    #[test]
    fn a_resolver_that_fails_or_knows_no_address_is_a_dns_failure() {
        let resolvers: [Resolver; 2] = [
            Arc::new(|_, _| Err(io::ErrorKind::TimedOut.into())),
            Arc::new(|host, port| {
                assert_eq!((host, port), ("feed.example", 9));
                Ok(Vec::new())
            }),
        ];
        for resolver in &resolvers {
            let failure = hop("ws://feed.example:9").resolve(resolver).unwrap_err();
            assert_eq!(failure.error(), OpenError::Dns);
        }
    }

    #[test]
    fn a_host_that_is_an_address_needs_no_resolver() {
        for (url, expected) in [
            ("ws://127.0.0.1:9", Some("127.0.0.1:9")),
            ("ws://[::1]:9", Some("[::1]:9")),
            ("ws://localhost:9", None),
        ] {
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(hop(url).literal_address(), expected, "{url}");
        }
    }
}
