//! Shows the facts and actions of some connections to an observer, such as a checker of invariants.

use std::sync::Arc;

use gateway_core::{Config, Observed};

/// Sees every event of some clients, and what the connection made of it.
pub trait Witness {
    /// A new connection: at the start, and each time that a fresh client takes the place of one
    /// that left.
    fn on_new(&mut self, client: u32, config: &Arc<Config>);

    /// An event was passed to the client's connection.
    ///
    /// The instant in `observed` counts from the start of the connections, which is before the
    /// start of the simulation if the fleet starts ready.
    fn on_event(&mut self, client: u32, observed: &Observed<'_>);
}
