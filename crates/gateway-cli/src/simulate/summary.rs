//! summary.json and the curves as CSV.

use std::fmt::Write as _;

use gateway_sim::{Curve, Outcome};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    folder,
    plan::Plan,
    study::{Finding, Study},
};

/// The version of the format of summary.json.
const FORMAT: u32 = 1;

/// The summary as JSON. A field without a value is absent, never null.
pub(super) fn summary(plan: &Plan, study: &Study, answer: &str) -> String {
    let lead = plan.lead();
    let scenario = &lead.scenario;
    let rows = study.rows.iter().map(|row| {
        let mut value = match &row.outcome {
            Some(outcome) => without_curve(outcome),
            None => json!({ "is_partial": true }),
        };
        value["jitter"] = json!(row.name);
        value["rule"] = json!(row.rule);
        value["curve"] = json!(row.outcome.is_some().then(|| folder::curve(&row.name)));
        value
    });
    let mut value = json!({
        "format": FORMAT,
        "version": env!("CARGO_PKG_VERSION"),
        "command": plan.command,
        "is_partial": study.is_partial,
        "answer": answer,
        "answer_is_about": lead.name,
        "scenario": scenario.name(),
        "scenario_toml": scenario.to_toml(),
        "seed": scenario.seed(),
        "clients": scenario.clients(),
        "strategies": rows.collect::<Vec<_>>(),
        "search": {
            "edge": found(&study.edge),
            "spread": found(&study.spread),
            "connect_timeout_max": found(&study.growth),
            "within_ms": u64::try_from(study.within.as_millis()).unwrap_or(u64::MAX),
        },
    });
    remove_nulls(&mut value);
    format!("{value:#}\n")
}

fn found<T: Serialize>(finding: &Finding<T>) -> Value {
    json!(finding.found())
}

fn without_curve(outcome: &Outcome) -> Value {
    let mut outcome = outcome.clone();
    outcome.curve = Curve::default();
    let mut value = json!(outcome);
    if let Value::Object(fields) = &mut value {
        fields.remove("curve");
    }
    value
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A curve as CSV: a header, and a row for each step.
pub(super) fn csv(curve: &Curve) -> String {
    let mut text = Curve::COLUMNS.join(",");
    text.push('\n');
    let columns: Vec<_> = curve.columns().collect();
    for row in 0..curve.len() {
        for (place, column) in columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{}", column[row]);
        }
        text.push('\n');
    }
    text
}
