//! The histories that the fuzzer starts from and has found, through the checker and the model.

use std::fs;
use std::path::Path;

use gateway_testkit::history::{Plan, compare, run};

#[test]
fn every_history_of_the_fuzzer_holds_the_invariants_and_does_what_the_model_predicts() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut histories = 0;
    for folder in ["seeds/events", "seeds/reference", "findings/events", "findings/reference"] {
        for file in fs::read_dir(fuzz.join(folder)).expect("a folder of the repository") {
            let path = file.unwrap().path();
            let plan: Plan = ron::from_str(&fs::read_to_string(&path).unwrap()).expect("a plan");
            run(&plan).unwrap_or_else(|violation| panic!("{}: {violation}", path.display()));
            compare(&plan).unwrap_or_else(|other| panic!("{}: {other}", path.display()));
            histories += 1;
        }
    }
    assert!(histories >= 40, "only {histories} histories");
}
