//! Each rule against records made by hand: kept, broken, and not seen.

use std::time::Duration;

use super::{
    observed::{Attempt, End, Observed},
    report::Report,
    verdict::{Judgement, Verdict, judge},
};
use crate::{rule::Rule, script::Script};

/// The bound of all these judgements.
const WITHIN: Duration = ms(10_000);
const SPAN: Duration = ms(60_000);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seen(attempts: &[Attempt]) -> Observed {
    Observed { span: SPAN, attempts: attempts.to_vec(), unrecorded: 0 }
}

fn verdict(rule: Rule, attempts: &[Attempt]) -> Verdict {
    judge(rule, &seen(attempts), WITHIN).verdict
}

fn judged(rule: Rule, attempts: &[Attempt]) -> Judgement {
    judge(rule, &seen(attempts), WITHIN)
}

/// An attempt that is open at once, and on which the server says nothing more.
fn open(started: u64) -> Attempt {
    Attempt {
        started: ms(started),
        opened: Some(ms(started)),
        last_sent: Some(ms(started)),
        ..Attempt::default()
    }
}

fn unanswered(started: u64) -> Attempt {
    Attempt { started: ms(started), ..Attempt::default() }
}

fn ended(attempt: Attempt, at: u64, end: End) -> Attempt {
    Attempt { end: Some((ms(at), end)), ..attempt }
}

fn closed(attempt: Attempt, at: u64, code: u16) -> Attempt {
    Attempt { client_close: Some((ms(at), Some(code))), ..attempt }
}

fn told_to_close(attempt: Attempt, at: u64) -> Attempt {
    Attempt { server_close: Some((ms(at), 1001)), ..attempt }
}

fn broke(attempt: Attempt, at: u64) -> Attempt {
    Attempt { fault: Some(ms(at)), ..attempt }
}

fn flooded(attempt: Attempt, at: u64, answered: Option<u64>) -> Attempt {
    Attempt { flood: Some(ms(at)), flood_answered: answered.map(ms), ..attempt }
}

/// Attempts that the server drops at once, with these waits between them.
fn dropped(waits: &[u64]) -> Vec<Attempt> {
    let mut at = 100;
    let mut attempts = vec![ended(open(at), at, End::ServerFinished)];
    for wait in waits {
        at += wait;
        attempts.push(ended(open(at), at, End::ServerFinished));
    }
    attempts
}

/// As [`dropped`], and the span ends with the last.
fn dropped_to_the_end(waits: &[u64]) -> Observed {
    let attempts = dropped(waits);
    Observed { span: attempts.last().expect("one at least").started, attempts, unrecorded: 0 }
}

#[test]
fn a_client_that_stays_is_connected_in_the_end_and_never_left() {
    assert_eq!(verdict(Rule::Stays, &[open(100)]), Verdict::Kept);

    let left = closed(open(100), 7_000, 1011);
    let judgement = judged(Rule::Stays, &[left.clone(), open(8_000)]);
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(judgement.seen, "attempt 1: it left after 6.9 s, with Close 1011");
    let vanished = ended(open(100), 7_000, End::ClientReset);
    assert_eq!(verdict(Rule::Stays, &[vanished]), Verdict::Broken);
    let left_as_if_done = closed(open(100), 7_000, 1000);
    assert_eq!(verdict(Rule::Stays, &[left_as_if_done, open(8_000)]), Verdict::Broken);

    let done = closed(open(100), 7_000, 1000);
    assert_eq!(verdict(Rule::Stays, &[done]), Verdict::NotSeen);
    assert_eq!(verdict(Rule::Stays, &[unanswered(100)]), Verdict::NotSeen);
}

#[test]
fn a_client_that_is_still_there_stays_or_comes_back() {
    assert_eq!(verdict(Rule::StillThere, &[open(100)]), Verdict::Kept);
    let left = ended(open(100), 5_000, End::ClientFinished);
    assert_eq!(verdict(Rule::StillThere, &[left.clone(), open(9_000)]), Verdict::Kept);

    assert_eq!(verdict(Rule::StillThere, &[left]), Verdict::Broken);

    let just_left = ended(open(100), 59_000, End::ClientFinished);
    assert_eq!(verdict(Rule::StillThere, &[just_left]), Verdict::NotSeen);
}

#[test]
fn a_client_that_comes_back_does_so_within_the_bound() {
    let lost = ended(open(100), 1_000, End::ServerReset);
    assert_eq!(verdict(Rule::ComesBack, &[lost.clone(), open(11_000)]), Verdict::Kept);

    let judgement = judged(Rule::ComesBack, &[lost.clone(), open(11_001)]);
    assert_eq!(judgement.verdict, Verdict::Broken);
    let judgement = judged(Rule::ComesBack, &[lost]);
    assert_eq!(judgement.seen, "no attempt in the last 59.0 s, after attempt 1");
    assert_eq!(judgement.verdict, Verdict::Broken);

    assert_eq!(verdict(Rule::ComesBack, &[open(100)]), Verdict::NotSeen);
    let just_lost = ended(open(100), 55_000, End::ServerReset);
    assert_eq!(verdict(Rule::ComesBack, &[just_lost]), Verdict::NotSeen);
}

#[test]
fn a_loss_is_counted_from_the_first_sign_of_it() {
    let told = ended(told_to_close(open(100), 1_000), 2_000, End::ServerFinished);
    let judgement = judged(Rule::ComesBack, &[told, open(2_500)]);
    assert_eq!(judgement.seen, "once, after 1.5 s at most");
}

#[test]
fn one_attempt_at_once_is_forgiven_and_two_in_a_row_are_not() {
    let rule = Rule::Waits { at_once: 1 };
    assert_eq!(verdict(rule, &dropped(&[0, 100, 0, 500])), Verdict::Kept);
    assert_eq!(verdict(rule, &dropped(&[])), Verdict::Kept, "it gave up");

    let judgement = judged(rule, &dropped(&[500, 3, 99, 500]));
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert!(judgement.seen.starts_with("2 of 5 attempts came within 100 ms"), "{judgement:?}");
    assert_eq!(verdict(Rule::Waits { at_once: 2 }, &dropped(&[500, 3, 99, 500])), Verdict::Kept);

    assert_eq!(verdict(rule, &[open(100)]), Verdict::NotSeen);
}

#[test]
fn an_attempt_beside_one_that_lasts_waits_since_that_began() {
    let judgement = judged(Rule::Waits { at_once: 1 }, &[open(100), open(300)]);
    assert_eq!(judgement.seen, "2 attempts, the shortest wait 200 ms");
}

#[test]
fn waits_that_grow_or_end_are_backing_off_and_equal_ones_are_not() {
    for waits in [
        &[1_000, 2_000, 4_000, 8_000][..],
        &[1_000, 1_300, 1_700, 2_200],
        // Random ones, that have reached their longest.
        &[300, 900, 400, 5_000, 4_800, 5_000, 3_000],
    ] {
        let judgement = judge(Rule::BacksOff, &dropped_to_the_end(waits), WITHIN);
        assert_eq!(judgement.verdict, Verdict::Kept, "{waits:?}");
    }
    // Quiet from here to the end of the span.
    assert_eq!(verdict(Rule::BacksOff, &dropped(&[])), Verdict::Kept);
    assert_eq!(verdict(Rule::BacksOff, &dropped(&[0, 0, 0, 0])), Verdict::Kept);

    for waits in [
        &[5_000; 6][..],
        &[0; 100],
        &[0, 1, 0, 900, 1, 0],
        &[1, 1, 1, 40, 40],
        &[900, 1_100, 1_000, 1_050],
    ] {
        let judgement = judge(Rule::BacksOff, &dropped_to_the_end(waits), WITHIN);
        assert_eq!(judgement.verdict, Verdict::Broken, "{waits:?}");
    }

    let judgement = judge(Rule::BacksOff, &dropped_to_the_end(&[1_000, 2_000, 4_000]), WITHIN);
    assert_eq!(judgement.verdict, Verdict::NotSeen);
}

#[test]
fn nobody_comes_before_retry_after_is_over() {
    let rule = Rule::HeedsRetryAfter { least: ms(2_000) };
    assert_eq!(verdict(rule, &dropped(&[2_000, 3_000])), Verdict::Kept);
    assert_eq!(verdict(rule, &dropped(&[])), Verdict::Kept, "it gave up");

    let judgement = judged(rule, &dropped(&[2_000, 1_999]));
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(judgement.seen, "it came 2.0 s after attempt 2");

    assert_eq!(judge(rule, &dropped_to_the_end(&[]), WITHIN).verdict, Verdict::NotSeen);
}

#[test]
fn an_attempt_without_an_answer_is_given_up_within_the_bound() {
    let given_up = ended(unanswered(100), 10_100, End::ClientFinished);
    assert_eq!(verdict(Rule::GivesUpOpening, &[given_up]), Verdict::Kept);

    assert_eq!(verdict(Rule::GivesUpOpening, &[unanswered(100)]), Verdict::Broken);
    let late = ended(unanswered(100), 10_101, End::ClientReset);
    assert_eq!(verdict(Rule::GivesUpOpening, &[late]), Verdict::Broken);
    let patient = Attempt { started: ms(100), ..open(20_000) };
    assert_eq!(verdict(Rule::GivesUpOpening, &[patient]), Verdict::Broken);

    assert_eq!(verdict(Rule::GivesUpOpening, &[unanswered(55_000)]), Verdict::NotSeen);
    assert_eq!(verdict(Rule::GivesUpOpening, &[open(100)]), Verdict::NotSeen);
    let refused = ended(unanswered(100), 100, End::ServerFinished);
    assert_eq!(verdict(Rule::GivesUpOpening, &[refused]), Verdict::NotSeen);
}

#[test]
fn silence_is_counted_from_the_last_that_the_server_sent() {
    let heard = Attempt { last_sent: Some(ms(30_000)), ..open(100) };
    let left = ended(heard.clone(), 40_000, End::ClientReset);
    assert_eq!(verdict(Rule::NoticesSilence, &[left]), Verdict::Kept);
    assert_eq!(
        verdict(Rule::NoticesSilence, &[closed(open(100), 2_000, 1000)]),
        Verdict::Kept,
        "a Close frame is a way to leave, answered or not"
    );

    let judgement = judged(Rule::NoticesSilence, std::slice::from_ref(&heard));
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(judgement.seen, "attempt 1: it received nothing, and stayed, for 30.0 s");
    let late = ended(heard, 40_001, End::ClientReset);
    assert_eq!(verdict(Rule::NoticesSilence, &[late]), Verdict::Broken);

    let flowing = Attempt { last_sent: Some(ms(59_000)), ..open(100) };
    assert_eq!(verdict(Rule::NoticesSilence, &[flowing]), Verdict::NotSeen);
    assert_eq!(verdict(Rule::NoticesSilence, &[unanswered(100)]), Verdict::NotSeen);
}

#[test]
fn a_breach_of_the_protocol_fails_the_connection() {
    let rule = Rule::FailsConnection { codes: &[1007, 1002] };
    let broken = broke(open(100), 1_000);
    assert_eq!(verdict(rule, &[closed(broken.clone(), 1_001, 1002)]), Verdict::Kept);
    let hung_up = ended(broken.clone(), 1_001, End::ClientFinished);
    assert_eq!(verdict(rule, &[hung_up]), Verdict::Kept);

    let judgement = judged(rule, &[closed(broken.clone(), 1_001, 1000)]);
    assert_eq!(judgement.seen, "attempt 1: it closed with 1000");
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(verdict(rule, std::slice::from_ref(&broken)), Verdict::Broken);
    let outwaited = ended(broken, 2_000, End::ServerFinished);
    assert_eq!(verdict(rule, &[outwaited]), Verdict::Broken);
    let for_another_reason = ended(broke(open(100), 1_000), 6_001, End::ClientFinished);
    assert_eq!(verdict(rule, &[for_another_reason]), Verdict::Broken);

    assert_eq!(verdict(rule, &[open(100)]), Verdict::NotSeen);
    assert_eq!(verdict(rule, &[broke(open(100), 55_000)]), Verdict::NotSeen);
}

#[test]
fn the_latest_ping_is_answered() {
    let rule = Rule::AnswersPings;
    assert_eq!(verdict(rule, &[flooded(open(100), 100, Some(10_100))]), Verdict::Kept);

    assert_eq!(verdict(rule, &[flooded(open(100), 100, None)]), Verdict::Broken);
    assert_eq!(verdict(rule, &[flooded(open(100), 100, Some(10_101))]), Verdict::Broken);
    let left = closed(flooded(open(100), 100, None), 200, 1008);
    assert_eq!(verdict(rule, &[left]), Verdict::Broken);

    assert_eq!(verdict(rule, &[flooded(open(100), 55_000, None)]), Verdict::NotSeen);
    let ended_by_server = ended(flooded(open(100), 100, None), 200, End::ServerReset);
    assert_eq!(verdict(rule, &[ended_by_server]), Verdict::NotSeen);
    assert_eq!(verdict(rule, &[open(100)]), Verdict::NotSeen);
}

#[test]
fn a_close_frame_is_answered() {
    let rule = Rule::AnswersClose;
    let told = told_to_close(open(100), 1_000);
    assert_eq!(verdict(rule, &[closed(told.clone(), 1_002, 1001)]), Verdict::Kept);

    let judgement = judged(rule, &[ended(told.clone(), 1_002, End::ClientFinished)]);
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(judgement.seen, "attempt 1: it ended TCP 2 ms after Close 1001, without an answer");
    let outwaited = ended(told.clone(), 2_000, End::ServerFinished);
    assert_eq!(verdict(rule, &[outwaited]), Verdict::Broken);

    assert_eq!(verdict(rule, &[told]), Verdict::NotSeen);
    assert_eq!(verdict(rule, &[open(100)]), Verdict::NotSeen);
}

#[test]
fn a_close_that_finds_no_end_is_hung_up_on() {
    let rule = Rule::HangsUpAfterClose;
    let closing = closed(open(100), 1_000, 1000);
    let hung_up = ended(closing.clone(), 11_000, End::ClientFinished);
    assert_eq!(verdict(rule, &[hung_up]), Verdict::Kept);

    assert_eq!(verdict(rule, std::slice::from_ref(&closing)), Verdict::Broken);
    let late = ended(closing.clone(), 11_001, End::ClientReset);
    assert_eq!(verdict(rule, &[late]), Verdict::Broken);

    assert_eq!(verdict(rule, &[open(100)]), Verdict::NotSeen);
    let ended_by_server = ended(closing, 1_001, End::ServerFinished);
    assert_eq!(verdict(rule, &[ended_by_server]), Verdict::NotSeen);
}

#[test]
fn a_code_that_must_not_be_on_the_wire_is_not() {
    let rule = Rule::ClosesLegally;
    assert_eq!(verdict(rule, &[closed(open(100), 1_000, 1011)]), Verdict::Kept);
    let without_code = Attempt { client_close: Some((ms(1_000), None)), ..open(100) };
    assert_eq!(verdict(rule, &[without_code]), Verdict::Kept);

    let judgement = judged(rule, &[closed(open(100), 1_000, 1006)]);
    assert_eq!(judgement.verdict, Verdict::Broken);
    assert_eq!(judgement.seen, "attempt 1: it left with Close 1006");

    let hung_up = ended(open(100), 1_000, End::ClientFinished);
    assert_eq!(verdict(rule, &[hung_up]), Verdict::NotSeen);
}

#[test]
fn who_comes_too_often_to_be_recorded_has_not_given_up() {
    let hammered = Observed { unrecorded: 1, ..seen(&dropped(&[1; 9])) };

    assert_eq!(judge(Rule::BacksOff, &hammered, WITHIN).verdict, Verdict::Broken);
}

#[test]
fn of_several_verdicts_the_worst_counts_and_not_seen_least() {
    use Verdict::{Broken, Kept, NotSeen};

    assert_eq!(Verdict::of_all([Kept, NotSeen, Broken]), Broken);
    assert_eq!(Verdict::of_all([NotSeen, Kept]), Kept);
    assert_eq!(Verdict::of_all([NotSeen, NotSeen]), NotSeen);
}

#[test]
fn the_kept_and_slowest_of_several_attempts_is_shown() {
    let attempts: Vec<_> = [(100, 1_000), (2_000, 5_000), (6_000, 6_500)]
        .map(|(start, end)| ended(unanswered(start), end, End::ClientFinished))
        .into();
    let judgement = judged(Rule::GivesUpOpening, &attempts);
    assert_eq!(
        judgement.seen,
        "3 times, the slowest in attempt 2: it gave up the attempt after 3.0 s"
    );
}

#[test]
fn a_report_shows_the_beginning_and_the_end_of_many_attempts() {
    let script = Script::named("accept-then-drop").expect("it is in the table");
    let mut seen = dropped_to_the_end(&[1; 99]);
    seen.unrecorded = 7;

    let report = Report::new(script, &seen, WITHIN);
    let text = report.to_string();

    assert!(!report.is_kept());
    assert!(text.contains("107 attempts") && text.contains("… 86 more …"), "{text}");
    assert!(text.contains("\n   20 ") && text.contains("\n  100 ") && !text.contains("\n   21 "));
    assert!(text.contains("\nBROKEN: waits at least 100ms"), "{text}");
    assert!(text.ends_with("verdict, with a limit of 10s: BROKEN\n"), "{text}");
}

#[test]
fn where_no_client_came_nothing_is_kept() {
    let report = Report::new(Script::ECHO, &Observed::default(), WITHIN);

    assert!(!report.is_kept() && !report.has_client());
    assert!(report.to_string().contains("no client connected"));
}

#[test]
fn fields_without_a_value_are_absent_from_the_json() {
    let attempts = [closed(told_to_close(open(100), 1_000), 1_002, 1001)];
    let script = Script::named("close-1001").expect("any code will do");
    let report = Report::new(script, &seen(&attempts), WITHIN);

    let json = serde_json::to_value(&report).expect("it is plain");

    let row = json["attempts"][0].as_object().expect("an object");
    assert_eq!(json["verdict"], "BROKEN");
    assert_eq!(row["client_close_code"], 1001);
    assert!(row.values().all(|value| !value.is_null()));
    assert!(!row.contains_key("wait_ms") && !row.contains_key("ended_ms"));
}
