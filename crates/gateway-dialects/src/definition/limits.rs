//! How much a dialect may ask for in one call: the core allows a few things at once.

use gateway_core::{ConfigError, Spoken};

use super::parts::{Capture, Heartbeat, Parts, Span};

/// Reports each part that could ask for too much in one call.
pub(crate) fn check(parts: &Parts, errors: &mut Vec<ConfigError>) {
    let Heartbeat { interval, expect, .. } = &parts.heartbeat;
    let at_first =
        [matches!(interval, Some(Span::Fixed(_))), parts.heartbeat.expected_at_first().is_some()];
    let at_first = at_first.into_iter().filter(|is_set| *is_set).count();
    let of = |span: &Option<Span>, captures: &[Capture]| {
        usize::from(span.as_ref().is_some_and(|span| span.is_of(captures)))
    };
    let captured = |captures: &[Capture]| of(interval, captures) + of(expect, captures);
    let mut limit = |place: &str, given: usize, others: usize| {
        let most = Spoken::MAX_EFFECTS.saturating_sub(others);
        if given > most {
            let limit = format!("must be at most {most} messages here");
            errors.push(ConfigError::new(place, given.to_string(), limit));
        }
    };
    match &parts.login {
        None => limit("on_ready", parts.on_ready.len(), at_first),
        Some(login) => {
            let captured = captured(&login.capture);
            // Without a greeting to wait for, the login is sent when the socket opens.
            let others = if login.wait.is_some() { captured } else { at_first };
            limit("login.send", login.send.len(), others);
            // One more for the acceptance itself.
            limit("on_ready", parts.on_ready.len(), captured + 1);
        }
    }
    // An answer that does not set the expectation renews it.
    let expected = usize::from(expect.is_some());
    for (index, answer) in parts.answers.iter().enumerate() {
        let place = format!("answer[{index}].send");
        limit(&place, answer.send.len(), of(interval, &answer.capture) + expected);
    }
    limit("closing", parts.closing.len(), 0);
}
