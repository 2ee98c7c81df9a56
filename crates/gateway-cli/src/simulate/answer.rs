//! The first line: does the fleet recover, how long does it take, where is the edge, and what helps.

use std::time::Duration;

use gateway_sim::{Edge, Outcome, Search, rule::Rule};
use gateway_tokio::core::format_duration;

use super::{
    plan::Plan,
    study::{Finding, Study},
    words::{percent, seconds, seconds_of},
};

/// The answer in one line.
pub(super) fn answer(plan: &Plan, study: &Study) -> String {
    let row = &study.rows[plan.lead];
    let scenario = &plan.lead().scenario;
    let is_alone = study.rows.len() == 1;
    let horizon = format_duration(scenario.horizon());
    let subject = |alone: &str, among: &str| match is_alone {
        true => alone.to_owned(),
        false => format!("With {}, the fleet {among}", row.name),
    };
    let has_end = scenario.measured_from() < scenario.horizon();
    let ended = row.outcome.as_ref().filter(|run| has_end && !run.is_partial);
    let doubt = doubt(&row.rule, study.edge.found(), ended);
    let rule = by_rule(&row.rule, study.edge.found(), edge_horizon(scenario.horizon()), doubt);
    let line = match &row.outcome {
        None => format!("{}: {rule}", subject("Not simulated", "was not simulated")),
        Some(run) if run.is_partial => format!(
            "{} {} of {horizon}, with {} served: {rule}",
            subject("Stopped after", "was simulated for"),
            seconds_of(run.ended_ms),
            percent(served(run))
        ),
        Some(run) => match run.recovery.t99_ms {
            Some(t99) if has_end => format!(
                "{} in {} (99 % of the clients): {rule}{}",
                subject("Recovers", "recovers"),
                seconds_of(t99),
                helps(study)
            ),
            Some(_) => format!("{}: {rule}", subject("Stays connected", "stays connected")),
            None if has_end => format!(
                "{} within {horizon}: {rule}{}",
                subject("Does not recover", "does not recover"),
                helps(study)
            ),
            None => format!(
                "{} within {horizon}, because the last fault does not end before: {rule}",
                subject("Cannot recover", "cannot recover")
            ),
        },
    };
    let partial = if study.is_partial { "Partial results. " } else { "" };
    format!("{partial}{line}.")
}

/// The share of the clients that were served at the end.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn served(run: &Outcome) -> f64 {
    let served: u64 = run.groups.iter().map(|group| group.served).sum();
    served as f64 / run.clients.max(1) as f64
}

/// How long a run of the search for the edge lasts: close to the edge, a recovery takes long.
pub(super) fn edge_horizon(horizon: Duration) -> Duration {
    horizon.max(Duration::from_secs(60 * 60))
}

/// What the rule expects, if the simulation ended otherwise.
fn doubt(rule: &Rule, edge: Option<&Edge>, ended: Option<&Outcome>) -> &'static str {
    // Below the simulated edge, the fleet recovers after the end of this simulation.
    let is_late = edge
        .and_then(|edge| edge.recovers_ms)
        .is_some_and(|recovers| rule.load <= Duration::from_millis(recovers));
    match (rule.is_stuck, ended.map(|run| run.is_recovered)) {
        (Some(true), Some(true)) => " (which expects it to get stuck)",
        (Some(false), Some(false)) if !is_late => " (which expects it to recover)",
        _ => "",
    }
}

fn by_rule(rule: &Rule, edge: Option<&Edge>, horizon: Duration, doubt: &str) -> String {
    let load = seconds(rule.load);
    let horizon = format_duration(horizon);
    let simulated = edge.map(|edge| format!("{} simulated over {horizon}", simulated(edge)));
    if rule.silent.is_empty() {
        let edge = seconds(rule.edge);
        return match simulated {
            Some(simulated) => {
                format!("N/C is {load}, the edge is {edge} by rule{doubt} and {simulated}")
            }
            None => format!("N/C is {load}, the edge is {edge} by rule{doubt}"),
        };
    }
    let reasons: Vec<_> = rule.silent.iter().map(|reason| reason.text()).collect();
    let silent =
        format!("N/C is {load}; the rule does not apply, because {}", reasons.join(" and "));
    match simulated {
        Some(simulated) => format!("{silent}, and the edge is {simulated}"),
        None => silent,
    }
}

fn simulated(edge: &Edge) -> String {
    match (edge.recovers_ms, edge.stuck_ms) {
        (Some(recovers), Some(_)) => seconds_of(recovers),
        (Some(recovers), None) => format!("above {}", seconds_of(recovers)),
        (None, stuck) => format!("below {}", seconds_of(stuck.unwrap_or_default())),
    }
}

/// A setting that was searched for a value with which the fleet recovers.
struct Lever {
    /// The setting with its smallest value that helps, and without one.
    words: (&'static str, &'static str),
    /// The smallest value that helps, and the largest that was tried, in seconds.
    value_s: Option<u64>,
    most_s: u64,
    t99_ms: Option<u64>,
}

const SPREAD: (&str, &str) = ("a spread of", "spread");
const GROWTH: (&str, &str) = ("a connect timeout growing to", "connect timeout");

impl Lever {
    fn new(words: (&'static str, &'static str), search: &Finding<Search>) -> Option<Self> {
        let Search { seconds, most_s, t99_ms, .. } = *search.found()?;
        Some(Self { words, value_s: seconds, most_s, t99_ms })
    }
}

fn helps(study: &Study) -> String {
    let found = [Lever::new(SPREAD, &study.spread), Lever::new(GROWTH, &study.growth)];
    levers(study.within, found.into_iter().flatten())
}

/// What makes the fleet recover in good time, and what does not. Empty if nothing was searched.
fn levers(within: Duration, levers: impl IntoIterator<Item = Lever>) -> String {
    let span = |seconds| format_duration(Duration::from_secs(seconds));
    let (mut helps, mut times, mut vain) = (Vec::new(), Vec::new(), Vec::new());
    for Lever { words: (with, without), value_s, most_s, t99_ms } in levers {
        match value_s {
            Some(value) => {
                helps.push(format!("{with} {}", span(value)));
                times.extend(t99_ms.map(seconds_of));
            }
            None => vain.push(format!("no {without} up to {}", span(most_s))),
        }
    }
    let mut text = String::new();
    if !helps.is_empty() {
        text += &format!(
            "; {} recovers it within {} ({})",
            helps.join(" or "),
            seconds(within),
            times.join(", ")
        );
    }
    if !helps.is_empty() && !vain.is_empty() {
        text += &format!(", {} does", vain.join(" and "));
    } else if !vain.is_empty() {
        text += &format!("; {} recovers it within {}", vain.join(" and "), seconds(within));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(260);

    const fn lever(words: (&'static str, &'static str), value_s: Option<u64>) -> Lever {
        Lever { words, value_s, most_s: 300, t99_ms: Some(82_400) }
    }

    #[test]
    fn the_levers_that_help_come_with_their_times() {
        let both = levers(WITHIN, [lever(SPREAD, Some(80)), lever(GROWTH, Some(60))]);
        let expected = "; a spread of 80s or a connect timeout growing to 1m recovers it within 260 s (82.4 s, 82.4 s)";
        assert_eq!(both, expected);
    }

    #[test]
    fn the_levers_that_do_not_help_come_with_what_was_tried() {
        let one = levers(WITHIN, [lever(SPREAD, Some(80)), lever(GROWTH, None)]);
        let expected =
            "; a spread of 80s recovers it within 260 s (82.4 s), no connect timeout up to 5m does";
        assert_eq!(one, expected);

        let none = levers(WITHIN, [lever(SPREAD, None), lever(GROWTH, None)]);
        assert_eq!(
            none,
            "; no spread up to 5m and no connect timeout up to 5m recovers it within 260 s"
        );
        assert_eq!(levers(WITHIN, []), "");
    }
}
