//! Every scenario on the core alone, and requirements on the scenarios themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gateway_core::{RetryCause, SocketId, every};
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

/// A new event, notice or cause needs a scenario, which both drivers then play.
#[test]
fn every_event_notice_and_cause_is_in_a_golden_trace() {
    let traces: Vec<_> = scenarios().iter().flat_map(|told| alone::run(told).trace).collect();
    let words: BTreeSet<_> =
        traces.iter().flat_map(|line| line.split([' ', ';', ':'])).map(str::to_owned).collect();
    let names = every::events(SocketId::new(1)).into_iter().map(|event| event.kind().name());
    let names = names
        .chain(every::disconnect_causes().into_iter().map(|cause| cause.name()))
        .chain(every::give_up_causes().into_iter().map(|cause| cause.name()))
        .chain(every::reasons().into_iter().map(|because| because.name()))
        .chain(every::retry_causes().into_iter().filter_map(|cause| match cause {
            RetryCause::Disconnected(_) => None, // `disconnect_causes` has it
            other => Some(other.name()),
        }));
    let missing: BTreeSet<_> = names.filter(|name| !words.contains(*name)).collect();
    assert!(missing.is_empty(), "add a scenario in tests/testkit/src/scenarios with {missing:?}");
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
