//! A history of the core, compared with the model of its contract. Catches an action, a delay or a
//! deadline that the contract does not require, even if no invariant covers it.

use gateway_testkit::history::{Plan, compare};

use crate::{Sights, events};

pub(crate) fn run(bytes: &[u8]) -> Sights {
    match compare(&Plan::decode(bytes)) {
        Ok(world) => events::sights(&world),
        Err(difference) => panic!("{difference}"),
    }
}
