//! Every scenario on the core alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

gateway_testkit::suite!(run = gateway_testkit::alone::run);

#[test]
fn every_scenario_has_its_own_name_and_golden_trace_and_no_trace_is_left_over() {
    let names: BTreeSet<_> =
        gateway_testkit::scenarios().iter().map(|scenario| scenario.name.to_owned()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let traces: BTreeSet<_> =
        files.map(|name| name.into_string().unwrap().replace(".trace", "")).collect();

    assert_eq!(names.len(), gateway_testkit::scenarios().len());
    assert_eq!(names, traces);
}
