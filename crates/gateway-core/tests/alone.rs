//! Every scenario on the core alone, and requirements on the scenarios themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gateway_testkit::{Run, Scenario, alone, scenarios};

gateway_testkit::suite!(run = gateway_testkit::alone::run);

#[test]
fn every_scenario_has_its_own_name_and_golden_trace_and_no_trace_is_left_over() {
    let names: BTreeSet<_> = scenarios().iter().map(|scenario| scenario.name.to_owned()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/testkit/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let traces: BTreeSet<_> =
        files.map(|name| name.into_string().unwrap().replace(".trace", "")).collect();

    assert_eq!(names.len(), scenarios().len());
    assert_eq!(names, traces);
}

#[test]
fn every_scenario_can_fail() {
    let runs: Vec<_> = scenarios().into_iter().map(|told| (alone::run(&told), told)).collect();
    let holds =
        |told: &Scenario, run: &Run| told.sees.iter().all(|see| see.check(told, run).is_ok());

    let mut weak = Vec::new();
    for (own, told) in &runs {
        let others = runs.iter().filter(|(run, _)| run.trace != own.trace);
        let alike: Vec<_> =
            others.filter(|(run, _)| holds(told, run)).map(|(_, other)| other.name).collect();
        if alike.len() * 10 >= runs.len() {
            weak.push((told.name, alike));
        }
    }
    assert!(
        weak.is_empty(),
        "what must be seen is seen in many other scenarios as well: {weak:#?}"
    );
}

#[test]
fn every_link_is_a_thread() {
    let scenarios = scenarios();
    for link in scenarios.iter().flat_map(|scenario| &scenario.links) {
        let parts: Vec<_> = link.split('/').collect();
        let ["https:", "", "github.com", _, _, "issues" | "pull", number] = parts.as_slice() else {
            panic!("{link}");
        };
        assert!(number.parse::<u32>().is_ok(), "{link}");
    }
}
