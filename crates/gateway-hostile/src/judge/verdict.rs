//! A pure function from a record and a rule to a verdict with its evidence in words.

use std::time::Duration;

use gateway_core::CloseCode;
use serde::Serialize;

use super::observed::{Attempt, Observed, Wait};
use crate::rule::{AT_ONCE, Rule};

/// With fewer waits, growth could be chance.
const LEAST_WAITS: usize = 4;
/// The sum of the longest two waits in percent of the first two: from here on, waits have grown.
const LEAST_GROWTH: u32 = 150;
/// Waits below this have not grown.
const LEAST_LONGEST: Duration = Duration::from_millis(500);
/// A client that is quiet for this long, and for twice its longest wait, has given up.
const QUIET: Duration = Duration::from_secs(5);
/// The code of a client that is done.
const NORMAL: u16 = 1000;

/// Whether a client kept a rule. There is no fourth case, so the enum is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// It kept the rule.
    #[serde(rename = "kept")]
    Kept,
    /// It broke the rule.
    #[serde(rename = "BROKEN")]
    Broken,
    /// The client never came to where the rule applies.
    #[serde(rename = "not seen")]
    NotSeen,
}

/// A verdict, and the evidence in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) seen: String,
}

impl Verdict {
    /// The verdict as the report shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "BROKEN",
            Self::NotSeen => "not seen",
        }
    }

    /// The verdict of several: broken if one is, kept if one is and none is broken.
    pub(crate) fn of_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().fold(Self::NotSeen, |all, one| match (all, one) {
            (Self::Broken, _) | (_, Self::Broken) => Self::Broken,
            (Self::Kept, _) | (_, Self::Kept) => Self::Kept,
            (Self::NotSeen, Self::NotSeen) => Self::NotSeen,
        })
    }
}

impl Judgement {
    fn kept(seen: impl Into<String>) -> Self {
        Self { verdict: Verdict::Kept, seen: seen.into() }
    }

    fn broken(seen: impl Into<String>) -> Self {
        Self { verdict: Verdict::Broken, seen: seen.into() }
    }

    fn not_seen(seen: impl Into<String>) -> Self {
        Self { verdict: Verdict::NotSeen, seen: seen.into() }
    }
}

/// Judges what was seen by a rule, with the limit `within`.
pub(crate) fn judge(rule: Rule, seen: &Observed, within: Duration) -> Judgement {
    let within = rule.bound(within);
    match rule {
        Rule::Stays => stays(seen),
        Rule::StillThere => is_back(seen, within, true),
        Rule::ComesBack => is_back(seen, within, false),
        Rule::Waits { at_once } => waits(seen, at_once),
        Rule::BacksOff => backs_off(seen),
        Rule::HeedsRetryAfter { least } => heeds(seen, least),
        Rule::GivesUpOpening => each(seen, |attempt| gives_up(attempt, seen.span, within)),
        Rule::NoticesSilence => each(seen, |attempt| notices(attempt, seen.span, within)),
        Rule::FailsConnection { codes } => {
            each(seen, |attempt| fails(attempt, seen.span, within, codes))
        }
        Rule::AnswersPings => each(seen, |attempt| answers_pings(attempt, seen.span, within)),
        Rule::AnswersClose => each(seen, answers_close),
        Rule::HangsUpAfterClose => each(seen, |attempt| hangs_up(attempt, seen.span, within)),
        Rule::ClosesLegally => each(seen, closes_legally),
    }
}

/// The judgement of each attempt that has one: the first that is broken, else the slowest that is kept.
fn each(seen: &Observed, judge: impl Fn(&Attempt) -> Option<Finding>) -> Judgement {
    let mut slowest: Option<(Duration, usize, String)> = None;
    let mut kept = 0_usize;
    for (index, attempt) in seen.attempts.iter().enumerate() {
        match judge(attempt) {
            Some(Finding::Broken(words)) => {
                return Judgement::broken(format!("attempt {}: {words}", index + 1));
            }
            Some(Finding::Kept(after, words)) => {
                kept = kept.saturating_add(1);
                if slowest.as_ref().is_none_or(|(longest, ..)| after > *longest) {
                    slowest = Some((after, index + 1, words));
                }
            }
            None => {}
        }
    }
    match slowest {
        Some((after, number, words)) if kept > 1 => Judgement::kept(format!(
            "{kept} times, the slowest in attempt {number}: {words} after {}",
            seconds(after)
        )),
        Some((after, _, words)) => Judgement::kept(format!("{words} after {}", seconds(after))),
        None => Judgement::not_seen("this did not happen while the client was watched"),
    }
}

/// What one attempt shows about a rule.
enum Finding {
    /// How long it took, and what it was.
    Kept(Duration, String),
    Broken(String),
}

/// Judges something that was due `within` after `since`. It came `at`, or not before `until`.
fn in_time(
    (what, missed): (&str, &str),
    since: Duration,
    at: Option<Duration>,
    until: Duration,
    within: Duration,
) -> Option<Finding> {
    let after = at.unwrap_or(until).saturating_sub(since);
    match at {
        Some(_) if after <= within => Some(Finding::Kept(after, what.to_owned())),
        Some(_) => Some(Finding::Broken(format!("{what} only after {}", seconds(after)))),
        None if after > within => Some(Finding::Broken(format!("{missed} {}", seconds(after)))),
        None => None,
    }
}

fn stays(seen: &Observed) -> Judgement {
    for (index, attempt) in seen.attempts.iter().enumerate() {
        let Some(left) = attempt.left_at() else { continue };
        if attempt.server_close.is_some_and(|(at, _)| at <= left) {
            continue;
        }
        let is_last = index + 1 == seen.attempts.len();
        let how = how_it_left(attempt);
        if is_last && attempt.client_close.is_some_and(|(_, code)| code == Some(NORMAL)) {
            return Judgement::not_seen(format!(
                "it left on its own, {how}, and did not come back"
            ));
        }
        let after = seconds(left.saturating_sub(attempt.started));
        return Judgement::broken(format!("attempt {}: it left after {after}, {how}", index + 1));
    }
    let opened = seen.attempts.iter().filter(|attempt| attempt.opened.is_some()).count();
    match seen.attempts.last().and_then(|attempt| attempt.opened) {
        Some(at) if seen.attempts.last().is_some_and(|last| last.lost_at().is_none()) => {
            Judgement::kept(format!("connected for {}", seconds(seen.span.saturating_sub(at))))
        }
        Some(_) | None => Judgement::not_seen(format!("{opened} attempts opened a connection")),
    }
}

fn how_it_left(attempt: &Attempt) -> String {
    match (attempt.client_close, attempt.client_hung_up_at()) {
        (Some((_, Some(code))), _) => format!("with Close {code}"),
        (Some((_, None)), _) => "with a Close without a code".to_owned(),
        (None, _) => "without a Close frame".to_owned(),
    }
}

fn is_back(seen: &Observed, within: Duration, unlost_is_kept: bool) -> Judgement {
    let mut all = seen.waits();
    if let Some(late) = all.iter().find(|wait| wait.length > within) {
        return Judgement::broken(format!(
            "it came back {} after attempt {}",
            seconds(late.length),
            late.after
        ));
    }
    let open = seen.open_wait();
    if let Some(open) = open.filter(|wait| wait.length > within) {
        return Judgement::broken(format!(
            "no attempt in the last {}, after attempt {}",
            seconds(open.length),
            open.after
        ));
    }
    all.sort_by_key(|wait| wait.length);
    match (all.last(), open) {
        (Some(longest), _) => Judgement::kept(format!(
            "{}, after {} at most",
            times(all.len()),
            seconds(longest.length)
        )),
        (None, None) if unlost_is_kept && !seen.attempts.is_empty() => {
            Judgement::kept("it stayed connected")
        }
        (None, None) => Judgement::not_seen("it was never without a connection"),
        (None, Some(open)) => {
            Judgement::not_seen(format!("no attempt yet, {} after the loss", seconds(open.length)))
        }
    }
}

fn waits(seen: &Observed, at_once: usize) -> Judgement {
    let all = seen.waits();
    let mut hasty: Vec<Wait> = Vec::new();
    let mut longest_run = 0;
    let mut run = 0;
    for wait in &all {
        if wait.length >= AT_ONCE {
            run = 0;
            continue;
        }
        run += 1;
        longest_run = longest_run.max(run);
        hasty.push(*wait);
    }
    if longest_run > at_once {
        let more = match seen.unrecorded {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shortest = hasty.iter().map(|wait| wait.length).min().unwrap_or_default();
        return Judgement::broken(format!(
            "{} of {} attempts{more} came within {} after the loss before, {longest_run} in a row, the \
             fastest after {}",
            hasty.len(),
            seen.attempts.len(),
            seconds(AT_ONCE),
            seconds(shortest)
        ));
    }
    match (all.iter().map(|wait| wait.length).min(), seen.open_wait()) {
        (Some(shortest), _) => {
            Judgement::kept(format!("{}, the shortest wait {}", attempts(seen), seconds(shortest)))
        }
        (None, Some(open)) if open.length >= AT_ONCE => {
            Judgement::kept(format!("no further attempt in {}", seconds(open.length)))
        }
        (None, _) => Judgement::not_seen("it was never without a connection"),
    }
}

fn backs_off(seen: &Observed) -> Judgement {
    let all: Vec<Duration> = seen.waits().iter().map(|wait| wait.length).collect();
    let longest = all.iter().max().copied().unwrap_or_default();
    let quiet = QUIET.max(longest.saturating_mul(2));
    if let Some(open) = seen.open_wait().filter(|open| open.length >= quiet) {
        return Judgement::kept(format!(
            "{}, then none in the last {}",
            attempts(seen),
            seconds(open.length)
        ));
    }
    if all.len() < LEAST_WAITS {
        return Judgement::not_seen(format!(
            "{} waits; a judgement needs at least {LEAST_WAITS}",
            all.len()
        ));
    }
    let listed: Vec<_> = all.iter().take(8).map(|wait| seconds(*wait)).collect();
    let words =
        format!("the waits: {}{}", listed.join(", "), if all.len() > 8 { ", …" } else { "" });
    let (first, rest) = all.split_at(2);
    let mut rest = rest.to_vec();
    rest.sort();
    let longest_two = rest.iter().rev().take(2).sum::<Duration>();
    let first_two = first.iter().sum::<Duration>();
    let has_grown = longest_two.saturating_mul(100) >= first_two.saturating_mul(LEAST_GROWTH);
    // A single long wait may be a stall of the machine.
    let second = rest.iter().rev().nth(1).copied().unwrap_or_default();
    if has_grown && second >= LEAST_LONGEST {
        Judgement::kept(words)
    } else {
        Judgement::broken(words)
    }
}

fn heeds(seen: &Observed, least: Duration) -> Judgement {
    let all = seen.waits();
    match all.iter().min_by_key(|wait| wait.length) {
        Some(shortest) if shortest.length < least => Judgement::broken(format!(
            "it came {} after attempt {}",
            seconds(shortest.length),
            shortest.after
        )),
        Some(shortest) => Judgement::kept(format!(
            "{}, the shortest wait {}",
            attempts(seen),
            seconds(shortest.length)
        )),
        None => match seen.open_wait() {
            Some(open) if open.length >= least => {
                Judgement::kept(format!("no further attempt in {}", seconds(open.length)))
            }
            Some(_) | None => Judgement::not_seen("it has not tried again yet"),
        },
    }
}

fn gives_up(attempt: &Attempt, span: Duration, within: Duration) -> Option<Finding> {
    if let Some(opened) = attempt.opened {
        let took = opened.saturating_sub(attempt.started);
        return (took > within)
            .then(|| Finding::Broken(format!("it waited {} for the response", seconds(took))));
    }
    if attempt.end.is_some() && attempt.client_hung_up_at().is_none() {
        return None;
    }
    let words = ("it gave up the attempt", "it still waits after");
    in_time(words, attempt.started, attempt.client_hung_up_at(), span, within)
}

fn notices(attempt: &Attempt, span: Duration, within: Duration) -> Option<Finding> {
    let since = attempt.last_sent.filter(|_| attempt.opened.is_some())?;
    if attempt.end.is_some() && attempt.left_at().is_none() {
        return None;
    }
    let words =
        (&*format!("it left {}", how_it_left(attempt)), "it received nothing, and stayed, for");
    in_time(words, since, attempt.left_at(), span, within)
}

fn fails(attempt: &Attempt, span: Duration, within: Duration, codes: &[u16]) -> Option<Finding> {
    let fault = attempt.fault?;
    match (attempt.client_close, attempt.end) {
        (Some((_, Some(code))), _) if !codes.contains(&code) => {
            return Some(Finding::Broken(format!("it closed with {code}")));
        }
        (None, Some(_)) if attempt.client_hung_up_at().is_none() => {
            let words = "it had not left when the server ended TCP";
            return Some(Finding::Broken(words.to_owned()));
        }
        _ => {}
    }
    let words = (&*format!("it left {}", how_it_left(attempt)), "it stayed for");
    in_time(words, fault, attempt.left_at(), span, within)
}

fn answers_pings(attempt: &Attempt, span: Duration, within: Duration) -> Option<Finding> {
    let flood = attempt.flood?;
    if attempt.flood_answered.is_none() && attempt.end.is_some() && attempt.left_at().is_none() {
        return None;
    }
    if let (None, Some(left)) = (attempt.flood_answered, attempt.left_at()) {
        let after = seconds(left.saturating_sub(flood));
        return Some(Finding::Broken(format!(
            "it left {after} after the flood began, without that pong"
        )));
    }
    let words =
        (&*format!("{} pongs, the last one", attempt.pongs), "no pong for the last ping for");
    in_time(words, flood, attempt.flood_answered, span, within)
}

fn answers_close(attempt: &Attempt) -> Option<Finding> {
    let (asked, code) = attempt.server_close?;
    match (attempt.client_close, attempt.end) {
        (Some((at, _)), _) => {
            let words = format!("it answered Close {code} {}", how_it_left(attempt));
            Some(Finding::Kept(at.saturating_sub(asked), words))
        }
        (None, Some((at, _))) => {
            let who = match attempt.client_hung_up_at() {
                Some(_) => "it ended TCP",
                None => "the server stopped waiting",
            };
            let after = seconds(at.saturating_sub(asked));
            Some(Finding::Broken(format!("{who} {after} after Close {code}, without an answer")))
        }
        (None, None) => None,
    }
}

fn hangs_up(attempt: &Attempt, span: Duration, within: Duration) -> Option<Finding> {
    let (closed, _) = attempt.client_close?;
    if attempt.end.is_some() && attempt.client_hung_up_at().is_none() {
        return None;
    }
    in_time(
        ("it ended TCP", "its TCP is still open after"),
        closed,
        attempt.client_hung_up_at(),
        span,
        within,
    )
}

fn closes_legally(attempt: &Attempt) -> Option<Finding> {
    let (at, code) = attempt.client_close?;
    match code.map(CloseCode::new) {
        Some(Err(_)) => Some(Finding::Broken(format!("it left {}", how_it_left(attempt)))),
        Some(Ok(_)) | None => {
            let words = format!("it left {}", how_it_left(attempt));
            Some(Finding::Kept(at.saturating_sub(attempt.started), words))
        }
    }
}

fn attempts(seen: &Observed) -> String {
    match seen.attempts.len() {
        1 => "1 attempt".to_owned(),
        count => format!("{count} attempts"),
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// A time as reports show it.
pub(crate) fn seconds(span: Duration) -> String {
    let millis = span.as_millis();
    if millis < 1000 { format!("{millis} ms") } else { format!("{:.1} s", span.as_secs_f64()) }
}
