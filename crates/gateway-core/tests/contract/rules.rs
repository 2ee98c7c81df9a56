//! The policy's table from outside: which rule decides, how it is named, and what is said of a code.

use gateway_core::{
    Action, Because, Config, Event, Notice, OpenError, Policy, RetryAfter, Rule, Verdict,
};
use gateway_testkit::Rig;

use super::words::seconds;

fn rule(first: u16, last: u16, verdict: Verdict) -> Rule {
    Rule::new(first, last, verdict).unwrap()
}

#[test]
fn the_narrower_rule_decides_in_whatever_order_the_two_stand() {
    let wide = rule(4000, 4099, Verdict::Fatal);
    let narrow = rule(4050, 4051, Verdict::Retry);
    for rules in [[wide, narrow], [narrow, wide]] {
        let policy = Policy::new(rules).unwrap();

        assert_eq!(policy.judge(4050).verdict(), Verdict::Retry);
        assert_eq!(policy.judge(4051).verdict(), Verdict::Retry);
        assert_eq!(policy.judge(4049).verdict(), Verdict::Fatal);
        assert_eq!(policy.judge(4052).verdict(), Verdict::Fatal);
    }
}

#[test]
fn a_rule_is_named_by_its_code_or_its_range() {
    let config = Config::builder()
        .rule(rule(4000, 4000, Verdict::Fatal))
        .rule(rule(4100, 4101, Verdict::Retry))
        .build()
        .unwrap();

    let written: serde_json::Value = serde_json::to_value(&config).unwrap();

    let expected = serde_json::json!({"4000": "fatal", "4100-4101": "retry"});
    assert_eq!(written["policy"], expected);
}

#[test]
fn the_longer_of_the_rules_and_the_servers_least_delay_decides_and_is_named() {
    for (asked, least, expected) in
        [(20, 30, Because::Policy), (30, 30, Because::Policy), (40, 40, Because::RetryAfter)]
    {
        let ruled = rule(503, 503, Verdict::RetryNoSoonerThan(seconds(30)));
        let mut rig = Rig::new(Config::builder().rule(ruled).build().unwrap());
        rig.on(Event::ConnectRequested);
        let retry_after = Some(RetryAfter::Seconds(asked));

        let busy = OpenError::Http { status: 503, retry_after };
        let done = rig.on(Event::OpenFailed(rig.socket(), busy));

        let scheduled = done.iter().find_map(|action| match action {
            Action::Notify(Notice::RetryScheduled { delay, because, .. }) => {
                Some((*delay, *because))
            }
            _ => None,
        });
        // With draws half-way, a random part of up to a fifth adds a tenth.
        assert_eq!(scheduled, Some((seconds(least) * 11 / 10, expected)), "{asked}");
    }
}
