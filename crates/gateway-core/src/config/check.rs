//! The checks of settings. Each one collects its errors.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Config, ConfigError, format_duration};
use crate::json_rule::JsonRule;
use crate::login::{AcceptanceRule, Login, RefusalRule};
use crate::policy::{Policy, Rule, Verdict};
use crate::time::whole_millis;

const SPAN: &str = "must be a whole number of milliseconds from 1ms to 365d";

fn is_span(span: Duration) -> bool {
    (Duration::from_millis(1)..=Config::MAX_SPAN).contains(&span) && whole_millis(span) == span
}

pub(super) struct Check {
    pub(super) errors: Vec<ConfigError>,
}

impl Check {
    pub(super) fn push(&mut self, field: &str, value: String, limit: String) {
        self.errors.push(ConfigError::new(field, value, limit));
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.errors.iter().any(|error| error.field() == field)
    }

    pub(super) fn span(&mut self, field: &str, span: Duration) {
        if !is_span(span) {
            self.push(field, format_duration(span), SPAN.to_string());
        }
    }

    pub(super) fn spread(&mut self, span: Duration) {
        if !span.is_zero() && !is_span(span) {
            let limit = "must be 0s, or a whole number of milliseconds up to 365d";
            self.push("reconnect.spread", format_duration(span), limit.to_string());
        }
    }

    pub(super) fn order(&mut self, lesser: (&str, Duration), greater: (&str, Duration)) {
        if lesser.1 > greater.1 && !self.is_wrong(lesser.0) && !self.is_wrong(greater.0) {
            let limit = format!("must be at most {} ({})", greater.0, format_duration(greater.1));
            self.push(lesser.0, format_duration(lesser.1), limit);
        }
    }

    pub(super) fn login(&mut self, login: &Login) {
        match login {
            Login::None => {}
            Login::External { timeout } | Login::Dialect { timeout } => {
                self.span("login.timeout", *timeout);
            }
            Login::Message { send, timeout, accepted, refused } => {
                if send.reveal().len() > Config::MAX_LOGIN {
                    let limit = format!("must be at most {} bytes", Config::MAX_LOGIN);
                    self.push("login.send", "(hidden)".to_string(), limit);
                }
                self.refusals(accepted, refused);
                self.span("login.timeout", *timeout);
            }
        }
    }

    fn refusals(&mut self, accepted: &AcceptanceRule, refused: &[RefusalRule]) {
        let mut seen: Vec<&JsonRule> = Vec::new();
        for refusal in refused {
            let rule = &refusal.rule;
            let limit = match accepted {
                AcceptanceRule::Json(accepted) if accepted == rule => {
                    Some("must differ from login.accepted")
                }
                _ if seen.contains(&rule) => Some("must not be listed twice"),
                _ => None,
            };
            if let Some(limit) = limit {
                self.push("login.refused", refusal.to_string(), limit.to_string());
            }
            if let Verdict::RetryNoSoonerThan(least) = refusal.verdict
                && !is_span(least)
            {
                let limit = format!("the least delay {SPAN}");
                self.push("login.refused", refusal.to_string(), limit);
            }
            seen.push(rule);
        }
    }

    pub(super) fn slowest_link(&mut self, rate: u32) {
        if !Config::SLOWEST_LINK.contains(&rate) {
            let limit = "must be 1024 (1KiB) to 1073741824 (1GiB) bytes a second".to_string();
            self.push("heartbeat.slowest_link", rate.to_string(), limit);
        }
    }

    pub(super) fn message_size(&mut self, bytes: usize) {
        if bytes == 0 || bytes > Config::MAX_MESSAGE_SIZE {
            let limit = format!("must be 1 to {} bytes (1GiB)", Config::MAX_MESSAGE_SIZE);
            self.push("max_message_size", bytes.to_string(), limit);
        }
    }

    pub(super) fn policy(&mut self, rules: Vec<Rule>) -> Policy {
        for rule in &rules {
            match rule.verdict() {
                Verdict::RetryNoSoonerThan(least) => self.span(&field_of(rule), least),
                Verdict::Retry | Verdict::RefreshCredentials | Verdict::Fatal => {}
            }
        }
        for (one, other) in Policy::crossings(&rules) {
            let limit = format!("must not cross the rule {}", one.codes());
            self.push(&field_of(&other), other.verdict().to_string(), limit);
        }
        Policy::new(rules).unwrap_or_default() // crossing rules are reported above
    }
}

/// A rule's field, as a configuration names it.
fn field_of(rule: &Rule) -> String {
    format!("policy.{}", rule.codes())
}
