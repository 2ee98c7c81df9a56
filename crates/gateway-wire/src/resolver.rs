//! Resolves a host's name to addresses.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use gateway_core::OpenError;

use crate::endpoint::Endpoint;
use crate::open_failure::{OpenFailure, OpenStep};

/// Resolves a host's name and port. It may block: drivers call it on a separate thread.
pub type Resolver = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Returns the operating system's resolver (`getaddrinfo`).
#[must_use]
pub fn system_resolver() -> Resolver {
    Arc::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
}

/// Resolves the endpoint's addresses. This may block.
///
/// # Errors
/// [`OpenError::Dns`] if the resolver failed, or returned no address.
pub fn resolve(endpoint: &Endpoint, resolver: &Resolver) -> Result<Vec<SocketAddr>, OpenFailure> {
    let addresses = resolver(endpoint.host(), endpoint.port())
        .map_err(|error| OpenFailure::classify(OpenStep::Resolve, &error))?;
    if addresses.is_empty() {
        return Err(OpenFailure::new(OpenError::Dns, "the host's name has no address"));
    }
    Ok(addresses)
}

/// Returns the endpoint's address if its host is an IP address, which needs no resolver.
#[must_use]
pub fn literal_address(endpoint: &Endpoint) -> Option<SocketAddr> {
    let address = endpoint.host().parse().ok()?;
    Some(SocketAddr::new(address, endpoint.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_fails_or_knows_no_address_is_a_dns_failure() {
        let endpoint = Endpoint::builder("ws://feed.example:9").build().unwrap();
        let resolvers: [Resolver; 2] = [
            Arc::new(|_, _| Err(io::ErrorKind::TimedOut.into())),
            Arc::new(|host, port| {
                assert_eq!((host, port), ("feed.example", 9));
                Ok(Vec::new())
            }),
        ];
        for resolver in &resolvers {
            assert_eq!(resolve(&endpoint, resolver).unwrap_err().error(), OpenError::Dns);
        }
    }

    #[test]
    fn a_host_that_is_an_address_needs_no_resolver() {
        for (url, expected) in [
            ("ws://127.0.0.1:9", Some("127.0.0.1:9")),
            ("ws://[::1]:9", Some("[::1]:9")),
            ("ws://localhost:9", None),
        ] {
            let endpoint = Endpoint::builder(url).build().unwrap();
            let expected = expected.map(|address| address.parse().unwrap());
            assert_eq!(literal_address(&endpoint), expected, "{url}");
        }
    }
}
