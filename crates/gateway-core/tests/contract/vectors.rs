//! The backoff against recorded cases, to the millisecond.

use core::time::Duration;

use gateway_core::{Backoff, Multiplier, Strategy};
use serde_json::Value;

struct Case {
    initial: Duration,
    max: Duration,
    multiplier: Multiplier,
    attempt: u32,
    draw: u64,
    delay: Duration,
}

fn cases() -> Vec<Case> {
    let file: Value = serde_json::from_str(include_str!("vectors/backoff.json")).unwrap();
    file["cases"].as_array().unwrap().iter().map(case).collect()
}

fn case(case: &Value) -> Case {
    let millis = |name: &str| Duration::from_millis(case[name].as_u64().unwrap());
    Case {
        initial: millis("initial_ms"),
        max: millis("max_ms"),
        multiplier: Multiplier::parse(&case["multiplier"].to_string()).unwrap(),
        attempt: case["attempt"].as_u64().and_then(|attempt| attempt.try_into().ok()).unwrap(),
        draw: case["draw"].as_str().unwrap().parse().unwrap(),
        delay: millis("delay_ms"),
    }
}

#[test]
fn every_recorded_delay_is_matched_exactly() {
    let cases = cases();

    assert!(cases.len() >= 360, "only {} cases", cases.len());
    for case in cases {
        let Case { initial, max, multiplier, attempt, draw, delay } = case;
        let backoff = Backoff::new(initial, max, multiplier, Strategy::Decorrelated).unwrap();
        let drawn = backoff.delay(attempt, draw);
        assert_eq!(drawn, delay, "{backoff:?}, attempt {attempt}, draw {draw}");
    }
}

#[test]
fn every_recorded_delay_lies_within_the_bounds() {
    for case in cases() {
        let Case { initial, max, multiplier, attempt, delay, .. } = case;
        let backoff = Backoff::new(initial, max, multiplier, Strategy::Decorrelated).unwrap();
        let (low, high) = backoff.bounds(attempt);
        assert!(low <= delay && delay <= high, "{delay:?} is not within {low:?} and {high:?}");
    }
}
