//! Observes a session or a client: the checker checks each event as it happens.

use std::sync::Arc;

use gateway_core::{Config, Observed, Observer};
use gateway_testkit::Checker;

/// Panics at the first event that does not keep an invariant.
#[derive(Debug, Default)]
pub(crate) struct Watch(Option<Checker>);

impl Observer for Watch {
    fn begin(&mut self, config: &Config, _: u64) {
        self.0 = Some(Checker::new(Arc::new(config.clone())));
    }

    fn observe(&mut self, observed: &Observed<'_>) {
        let Some(checker) = &mut self.0 else { panic!("an event before the beginning") };
        if let Err(violation) = checker.observe(observed) {
            panic!("{violation}");
        }
    }
}
