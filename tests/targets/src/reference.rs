//! A history of the core, beside the model of its contract: catches an action, a delay or a deadline that the contract does
//! not ask for, though no invariant speaks of it.

use gateway_testkit::history::{Plan, compare};

use crate::{Sights, events};

pub(crate) fn run(bytes: &[u8]) -> Sights {
    match compare(&Plan::decode(bytes)) {
        Ok(world) => events::sights(&world),
        Err(difference) => panic!("{difference}"),
    }
}
