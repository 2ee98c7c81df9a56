//! How much a dialect may ask for in one call: the core allows a few things at once.

use gateway_core::{ConfigError, Spoken};

use super::parts::{Capture, Parts, Span};

/// Reports each part that could ask for too much in one call.
pub(crate) fn check(parts: &Parts, errors: &mut Vec<ConfigError>) {
    let spans = [&parts.heartbeat.interval, &parts.heartbeat.expect];
    let fixed = spans.iter().filter(|span| matches!(span, Some(Span::Fixed(_)))).count();
    let captured = |captures: &[Capture]| {
        let is_set = |span: &Option<Span>| span.as_ref().is_some_and(|span| span.is_of(captures));
        spans.iter().filter(|span| is_set(span)).count()
    };
    let mut limit = |place: &str, given: usize, others: usize| {
        let most = Spoken::MAX_EFFECTS.saturating_sub(others);
        if given > most {
            let limit = format!("must be at most {most} messages here");
            errors.push(ConfigError::new(place, given.to_string(), limit));
        }
    };
    match &parts.login {
        None => limit("on_ready", parts.on_ready.len(), fixed),
        Some(login) => {
            let captured = captured(&login.capture);
            // Without a greeting to wait for, the login is sent when the socket opens.
            let others = if login.wait.is_some() { captured } else { fixed };
            limit("login.send", login.send.len(), others);
            // One more for the acceptance itself.
            limit("on_ready", parts.on_ready.len(), captured + 1);
        }
    }
    let renewed = usize::from(parts.heartbeat.expect.is_some());
    for (index, answer) in parts.answers.iter().enumerate() {
        let place = format!("answer[{index}].send");
        limit(&place, answer.send.len(), captured(&answer.capture) + renewed);
    }
    limit("closing", parts.closing.len(), 0);
}
