//! The core against the model of its contract, over random histories: every action, in order, and every deadline.

use gateway_testkit::history::{Plan, Step, compare};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{cases, strategies};

/// So many histories; one that differs is made as short as can be.
fn patient(count: u32) -> ProptestConfig {
    ProptestConfig { max_shrink_iters: 20_000, ..cases(count) }
}

fn agree(plan: &Plan) -> Result<(), TestCaseError> {
    compare(plan).map(drop).map_err(|violation| TestCaseError::fail(violation.to_string()))
}

proptest! {
    #![proptest_config(patient(256))]

    #[test]
    fn the_core_does_what_the_model_of_the_contract_predicts(plan in strategies::plan()) {
        agree(&plan)?;
    }

    #[test]
    fn the_core_does_what_the_model_predicts_where_ticks_come_on_time(
        plan in strategies::punctual_plan(),
    ) {
        agree(&plan)?;
    }

    #[test]
    fn the_core_does_what_the_model_predicts_at_any_instant(
        plan in strategies::plan(),
        leaps in vec((strategies::leap(), strategies::fact()), 1..60),
    ) {
        let leaps = leaps.into_iter().map(|(advance, fact)| Step { advance, fact });
        let steps = plan.steps.iter().cloned().chain(leaps).collect();
        agree(&Plan { steps, ..plan })?;
    }
}

proptest! {
    #![proptest_config(patient(1_024))]

    #[test]
    fn the_core_does_what_the_model_predicts_where_logins_are_refused(
        plan in strategies::refused_plan(),
    ) {
        agree(&plan)?;
    }

    #[test]
    fn the_core_does_what_the_model_predicts_where_a_provider_is_asked(
        plan in strategies::asking_plan(),
    ) {
        agree(&plan)?;
    }

    #[test]
    fn the_core_does_what_the_model_predicts_where_deadlines_meet(
        plan in strategies::coarse_plan(),
    ) {
        agree(&plan)?;
    }

    #[test]
    fn the_core_does_what_the_model_predicts_whatever_a_dialect_asks_for(
        plan in strategies::spoken_plan(),
    ) {
        agree(&plan)?;
    }
}
