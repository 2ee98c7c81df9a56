//! The checks of a run: its golden trace, its expectations, and the core alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use similar::{ChangeTag, TextDiff};

use crate::alone;
use crate::run::Run;
use crate::scenario::Scenario;

/// Set to record the golden traces again, with the core alone.
const BLESS: &str = "GATEWAY_BLESS";

/// Runs a scenario on a driver and checks the run.
///
/// # Panics
/// If an invariant is broken, an expectation is not met, the trace differs from the golden one, or the wire
/// or the application saw something else than with the core alone.
pub fn judge(name: &str, run: impl FnOnce(&Scenario) -> Run) {
    let entry = ALL.iter().find(|(own, _)| *own == name).expect("the list has the name");
    let scenario = named(entry);
    let seen = run(&scenario);
    let alone = alone::run(&scenario);
    let mut faults = String::new();
    let mut fault = |what: &str| {
        let _ = writeln!(faults, "- {what}"); // writing to a String cannot fail
    };
    if let Some(violation) = &seen.violation {
        fault(&format!("an invariant does not hold: {violation}"));
    }
    if scenario.sees.is_empty() {
        fault("nothing must be seen: a scenario that cannot fail is none");
    }
    for see in &scenario.sees {
        if let Err(what) = see.check(&scenario, &seen) {
            fault(&what);
        }
    }
    compare("the trace is not that of the core alone", &alone.trace, &seen.trace, &mut fault);
    compare("the peers saw something else", &alone.wire, &seen.wire, &mut fault);
    let (expected, diary) = (&alone.diary, &seen.diary);
    compare("the application saw something else", &expected.lines, &diary.lines, &mut fault);
    compare("other outcomes of messages", &expected.sends, &diary.sends, &mut fault);
    if alone.statistics != seen.statistics {
        fault(&format!("counted\n    {:?}\n    {:?}", alone.statistics, seen.statistics));
    }
    if let Err(what) = check_golden(name, &alone.trace) {
        fault(&what);
    }
    assert!(
        faults.is_empty(),
        "{name}: {}\n{faults}\nthe trace:\n{}",
        scenario.about,
        seen.trace.join("\n")
    );
}

/// Every scenario.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    ALL.iter().map(named).collect()
}

/// Makes a scenario. Its name is that of the function.
type Make = fn() -> Scenario;

fn named((name, make): &(&'static str, Make)) -> Scenario {
    Scenario { name, ..make() }
}

/// The golden trace of a scenario.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.trace"))
}

fn check_golden(name: &str, trace: &[String]) -> Result<(), String> {
    let path = golden(name);
    let seen = trace.join("\n") + "\n";
    if env::var_os(BLESS).is_some() {
        return fs::write(&path, seen).map_err(|error| format!("{}: {error}", path.display()));
    }
    let Ok(expected) = fs::read_to_string(&path) else {
        return Err(format!("there is no golden trace yet: record it with {BLESS}=1"));
    };
    if expected == seen {
        return Ok(());
    }
    let diff = difference(&expected, &seen);
    Err(format!("the golden trace is another; if this is meant, record it with {BLESS}=1\n{diff}"))
}

fn compare(what: &str, expected: &[String], seen: &[String], fault: &mut impl FnMut(&str)) {
    if expected != seen {
        fault(&format!("{what}\n{}", difference(&expected.join("\n"), &seen.join("\n"))));
    }
}

fn difference(expected: &str, seen: &str) -> String {
    let diff = TextDiff::from_lines(expected, seen);
    let mut shown = String::new();
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        let _ = writeln!(shown, "    {sign} {}", change.value().trim_end());
    }
    shown
}

// The macro `suite!`, which makes one test of each scenario, and the list `ALL`: see build.rs.
include!(concat!(env!("OUT_DIR"), "/suite.rs"));
