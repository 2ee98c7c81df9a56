//! A history of the core, compared with the model of its contract. Catches an action, a delay or a
//! deadline that the contract does not require, even if no invariant covers it.

use gateway_testkit::history::{Plan, compare};
use serde::{Deserialize, Serialize};

use crate::{Sights, events};

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Input(Plan);

impl crate::Input for Input {
    fn run(self) -> Sights {
        match compare(&self.0) {
            Ok(world) => events::sights(&world),
            Err(difference) => panic!("{difference}"),
        }
    }
}
