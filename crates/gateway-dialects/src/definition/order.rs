//! Which messages are sent before a value can have been captured.

use gateway_core::ConfigError;

use super::parts::{LoginPart, Parts};

/// Reports each message that could never be sent, because it uses a value that comes only later.
pub(crate) fn check(parts: &Parts, errors: &mut Vec<ConfigError>) {
    let (first, why) = match &parts.login {
        None => (&parts.on_ready, "without [login], it is sent before the server says anything"),
        Some(LoginPart { wait: None, send, .. }) => {
            (send, "without login.wait, it is sent before the server says anything")
        }
        Some(LoginPart { wait: Some(_), send, .. }) => (send, "the greeting has no such value"),
    };
    for message in first {
        for (name, index) in message.captures() {
            if !has_value_at_first(parts, index) {
                let limit = format!("must not use ${{{name}}}: {why}");
                errors.push(ConfigError::new(message.place(), "", limit));
            }
        }
    }
}

/// Whether the value can be there when the first message is sent.
fn has_value_at_first(parts: &Parts, index: usize) -> bool {
    let Some(LoginPart { wait: Some(greeting), capture, .. }) = &parts.login else { return false };
    // A server may ask something before it greets.
    let answers = parts.answers.iter().flat_map(|answer| &answer.capture);
    let of_greeting = capture.iter().filter(|capture| greeting.can_hold(&capture.pointer));
    of_greeting.chain(answers).any(|capture| capture.index == index)
}
