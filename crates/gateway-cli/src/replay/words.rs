//! The testkit's words for the entries of a journal, as Rust. A journal has no contents: placeholders have
//! their length.

use std::time::Duration;

use gateway_journal::Kind;
use gateway_tokio::core::{
    CloseCode, CloseFrame, Config, DisconnectCause, Failure, GiveUpCause, Instant, Login,
    OpenError, RetryAfter, UnixMillis, Verdict,
};

/// A placeholder up to this length is written out.
const SHORT: u64 = 32;

/// The placeholder for the answer that accepts a login, and the rule that matches it.
pub(super) const ACCEPTED: &str = r#"{"login":"accepted"}"#;
const ACCEPTED_RULE: &str = "login.accepted = '/login=accepted'";
/// The rule in a configuration that is written without its rules.
const ANY_ANSWER: &str = "login.accepted = 'any'";

/// The placeholder for an answer that refuses a login.
pub(super) fn refused(verdict: Verdict) -> String {
    format!(r#"{{"login":"refused, {}"}}"#, verdict_word(verdict))
}

/// The rules that match these placeholders.
fn refusals(verdicts: &[Verdict]) -> String {
    let rules = verdicts.iter().map(|verdict| {
        let word = verdict_word(*verdict);
        format!("'/login=refused, {word}:{word}'")
    });
    format!("login.refused = [{}]", rules.collect::<Vec<_>>().join(", "))
}

/// A verdict as a configuration writes it.
fn verdict_word(verdict: Verdict) -> String {
    match verdict {
        Verdict::Retry => "retry".to_owned(),
        Verdict::RetryNoSoonerThan(least) => format!("{}ms", whole_millis(least)),
        Verdict::RefreshCredentials => "refresh".to_owned(),
        Verdict::Fatal => "fatal".to_owned(),
    }
}

/// A number as the scenarios write it: `1_060`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

pub(super) fn millis(span: Duration) -> String {
    format!("millis({})", number(whole_millis(span)))
}

pub(super) fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The time since the start, which is 0.
pub(super) fn since_start(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::ZERO)
}

/// An attempt that failed after this span.
pub(super) fn failed_opening(after: Duration, error: OpenError) -> String {
    let after = millis(after);
    match error {
        OpenError::Http { status, retry_after: None } => format!("answers_http({after}, {status})"),
        OpenError::Http { status, retry_after: Some(come_again) } => {
            let come_again = match come_again {
                RetryAfter::Seconds(seconds) => {
                    format!("RetryAfter::Seconds({})", number(seconds))
                }
                RetryAfter::Date(UnixMillis(date)) => {
                    format!("RetryAfter::Date(UnixMillis({}))", number(date))
                }
            };
            format!("answers_http_with({after}, {status}, Some({come_again}))")
        }
        OpenError::NotHttp => format!("speaks_no_http({after})"),
        OpenError::Upgrade => format!("upgrades_wrongly({after})"),
        other => format!("fails_after({after}, OpenError::{other:?})"),
    }
}

/// A text message of the peer.
pub(super) fn text(text: &str) -> String {
    format!("Deed::text(r#\"{text}\"#)")
}

pub(super) fn message(kind: Kind, bytes: u64) -> String {
    match kind {
        Kind::Text => format!("Deed::text({})", stand_in(bytes)),
        Kind::Binary if bytes <= SHORT => format!("Deed::binary(b{})", stand_in(bytes)),
        Kind::Binary => {
            format!("Deed::binary({}.as_bytes())", stand_in(bytes).trim_start_matches('&'))
        }
    }
}

pub(super) fn ping(bytes: u64) -> String {
    format!("Deed::ping({})", stand_in(bytes))
}

pub(super) fn pong(payload: &str) -> String {
    format!("Deed::pong({payload:?})")
}

pub(super) fn pong_of(bytes: u64) -> String {
    format!("Deed::pong({})", stand_in(bytes))
}

pub(super) fn close(code: Option<CloseCode>, reason_bytes: u64) -> String {
    match code {
        Some(code) => {
            format!("Deed::close({}, {})", code.number(), stand_in(reason_bytes))
        }
        None => "Deed::close_without_code()".to_owned(),
    }
}

/// The peer's deed that causes this failure; `None` if a script cannot express it.
pub(super) fn failing(failure: Failure) -> Option<String> {
    let bytes = match failure {
        Failure::Eof => return Some("Deed::end()".to_owned()),
        Failure::Reset => return Some("Deed::reset()".to_owned()),
        Failure::Protocol => r"\xc1\x01x",
        Failure::InvalidUtf8 => r"\x81\x01\xff",
        Failure::TooBig => r"\x82\x7f\0\0\0\x10\0\0\0\0",
        // Scripts do not know failures of later versions either.
        _ => return None,
    };
    Some(format!("Deed::breach(b\"{bytes}\", Failure::{failure:?})"))
}

pub(super) fn send(bytes: u64) -> String {
    let text = stand_in(bytes);
    match text.strip_prefix('&') {
        Some(text) => format!("Command::Send({text}.leak())"),
        None => format!("Command::Send({text})"),
    }
}

pub(super) fn close_command(code: CloseCode, reason_bytes: u64) -> String {
    if code == CloseCode::NORMAL && reason_bytes == 0 {
        return "CLOSE".to_owned();
    }
    let most = CloseFrame::MAX_REASON;
    let reason = "x".repeat(usize::try_from(reason_bytes).unwrap_or(most).min(most));
    format!("Command::Close {{ code: {}, reason: {reason:?} }}", code.number())
}

pub(super) fn login_rejected(verdict: Verdict) -> String {
    format!("Command::LoginRejected({})", ruling(verdict))
}

pub(super) fn failing_provider(after: Duration, verdict: Verdict) -> String {
    format!("provider_fails_after({}, {})", millis(after), ruling(verdict))
}

fn ruling(verdict: Verdict) -> String {
    match verdict {
        Verdict::RetryNoSoonerThan(least) => {
            format!("Verdict::RetryNoSoonerThan({})", millis(least))
        }
        other => format!("Verdict::{other:?}"),
    }
}

/// A placeholder of this length.
fn stand_in(bytes: u64) -> String {
    if bytes > SHORT {
        return format!("&\"x\".repeat({})", number(bytes));
    }
    let text = "x".repeat(usize::try_from(bytes).unwrap_or(0));
    format!("{text:?}")
}

/// A cause as in the testkit's traces.
pub(super) fn cause(cause: DisconnectCause) -> String {
    let name = cause.name();
    match cause {
        DisconnectCause::CloseReceived(Some(code)) | DisconnectCause::LoginRefused(Some(code)) => {
            format!("{name} {code}")
        }
        DisconnectCause::Lost(how) | DisconnectCause::ProtocolError(how) => {
            format!("{name} {}", how.name())
        }
        DisconnectCause::OpenFailed(OpenError::Http { status, retry_after }) => {
            let come_again = retry_after.map(|after| format!(" {after:?}")).unwrap_or_default();
            format!("{name} http {status}{come_again}")
        }
        DisconnectCause::OpenFailed(error) => format!("{name} {}", error.name()),
        // The names of the others are complete.
        _ => name.to_owned(),
    }
}

pub(super) fn gave_up(cause: GiveUpCause) -> String {
    match cause {
        GiveUpCause::CloseCode(code) | GiveUpCause::HttpStatus(code) => {
            format!("{} {code}", cause.name())
        }
        // The names of the others are complete.
        _ => cause.name().to_owned(),
    }
}

/// The lines of TOML for settings that differ from the defaults. A journal has no login rules. Rules for the
/// placeholders replace them: one that accepts, unless any first answer was accepted, and those that refuse
/// with these verdicts.
pub(super) fn config(
    config: &Config,
    takes_any_answer: bool,
    refused: &[Verdict],
) -> Result<Vec<String>, toml::ser::Error> {
    let (mut own, mut default) = (Vec::new(), Vec::new());
    flatten("", &toml::Value::try_from(config)?, &mut own);
    flatten("", &toml::Value::try_from(Config::default())?, &mut default);
    own.retain(|line| !default.contains(line));
    if matches!(config.login(), Login::Message { .. }) && !takes_any_answer {
        own.retain(|line| line != ANY_ANSWER);
        own.push(ACCEPTED_RULE.to_owned());
    }
    if !refused.is_empty() {
        own.push(refusals(refused));
    }
    Ok(own)
}

fn flatten(path: &str, value: &toml::Value, lines: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, lines);
            }
        }
        toml::Value::String(text) => lines.push(format!("{path} = '{text}'")),
        toml::Value::Integer(number) => lines.push(format!("{path} = {number}")),
        toml::Value::Boolean(switch) => lines.push(format!("{path} = {switch}")),
        // No setting is written as one of these.
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Array(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use gateway_tokio::core::every;

    use super::*;

    #[test]
    fn every_cause_is_written_with_its_data() {
        for value in every::disconnect_causes() {
            let shown = format!("{value:?}");
            let has_data = shown.contains('(') && !shown.contains("None");
            let is_longer = cause(value).len() > value.name().len();
            assert_eq!(is_longer, has_data, "add {shown} to replay/words.rs");
        }
        for cause in every::give_up_causes() {
            let has_data = format!("{cause:?}").contains('(');
            assert_eq!(
                gave_up(cause) != cause.name(),
                has_data,
                "add {cause:?} to replay/words.rs"
            );
        }
    }
}
