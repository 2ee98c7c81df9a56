//! In place of `crates/gateway-tokio/src/open.rs`: there is nothing to open.

use gateway_wire::Endpoint;

pub(crate) struct Opener {
    pub(crate) endpoint: Endpoint,
}
