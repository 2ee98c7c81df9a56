//! Faults that overlap or follow each other: their order in the file does not matter.

use gateway_sim::{NamedScenario, Outcome, ScenarioBuilder};

use crate::{run, small};

/// A fault as settings: the kind first.
type Settings = [(&'static str, &'static str)];

fn with(faults: &[&Settings]) -> ScenarioBuilder {
    let text = small(NamedScenario::Outage, 300).build().unwrap().to_toml();
    let start = text.find("[[faults]]").unwrap();
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end);
    let mut builder =
        ScenarioBuilder::from_toml(&format!("{}{}", &text[..start], &text[end..])).unwrap();
    builder.configure("reconnect.max_delay", "5s").configure("reconnect.spread", "0ms");
    for (index, fault) in faults.iter().enumerate() {
        for (field, value) in *fault {
            builder.set(&format!("faults.{index}.{field}"), *value);
        }
    }
    builder
}

/// The outcome of two faults, which is the same in both orders.
fn both(first: &Settings, second: &Settings) -> Outcome {
    let outcome = run(&with(&[first, second]));
    let other = run(&with(&[second, first]));
    assert_eq!(outcome, other, "{first:?} {second:?}");
    outcome
}

#[test]
fn a_fault_that_begins_as_another_ends_is_not_ended_with_it() {
    let drop: &Settings = &[("kind", "drop"), ("at", "10s")];
    for kind in ["reject", "outage", "accept-then-drop"] {
        let early: &Settings = &[("kind", kind), ("from", "10s"), ("to", "20s")];
        let late: &Settings = &[("kind", kind), ("from", "20s"), ("to", "80s")];
        let outcome = run(&with(&[early, late, drop]));
        assert_eq!(outcome, run(&with(&[drop, late, early])), "{kind}");
        assert!(outcome.curve.served[75] < 30, "{kind}: {} served", outcome.curve.served[75]);
        assert!(outcome.is_recovered, "{kind}");
    }
}

#[test]
fn the_end_of_an_inner_fault_restores_the_outer_one() {
    let drop: &Settings = &[("kind", "drop"), ("at", "10s")];
    let outer: &Settings = &[("kind", "reject"), ("from", "10s"), ("to", "80s"), ("status", "503")];
    let inner: &Settings =
        &[("kind", "reject"), ("from", "10s"), ("to", "30s"), ("retry_after", "15s")];
    assert_eq!(run(&with(&[outer, inner, drop])), run(&with(&[inner, drop, outer])));
    let served = |outcome: &Outcome, at: usize| outcome.curve.served[at];
    let outcome = run(&with(&[outer, inner, drop]));
    assert_eq!((served(&outcome, 75), outcome.is_recovered), (0, true));

    let silent = |from, to| vec![("kind", "half-open"), ("from", from), ("to", to)];
    let outcome = both(&silent("10s", "150s"), &silent("20s", "50s"));
    assert_eq!(served(&outcome, 145), 0);

    let away = |from, to, how| vec![("kind", "outage"), ("from", from), ("to", to), ("how", how)];
    let outcome = both(&away("10s", "90s", "blackholed"), &away("20s", "40s", "refusing"));
    let refused = |range: std::ops::Range<usize>| outcome.curve.refused[range].iter().sum::<u64>();
    // After 40 s, nothing answers again.
    assert!(refused(20..41) > 0 && refused(45..90) == 0, "{} {}", refused(20..41), refused(45..90));
    assert_eq!(outcome.curve.nodes_up[85], 0);
}

#[test]
fn connections_that_are_lost_as_another_fault_begins_do_not_depend_on_the_order() {
    both(
        &[("kind", "drop"), ("at", "10s"), ("share", "0.5")],
        &[("kind", "outage"), ("from", "10s"), ("to", "20s"), ("how", "blackholed")],
    );
}
