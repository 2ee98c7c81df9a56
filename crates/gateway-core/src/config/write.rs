//! From a [`Config`] to serde. A configuration that is written and read again is equal to the
//! first, except for the login's secrets.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use serde::ser::{Serialize, Serializer};

use super::{Config, HeartbeatKind, format_duration};
use crate::login::Login;

/// Writes every setting, so that a later change of a default does not affect the file. A login's
/// text and rules are never written. When the login is read again, its text is `(hidden)`, its
/// timeout is the same, and its rule accepts any answer.
impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let backoff = &self.reconnect.backoff;
        let heartbeat = &self.heartbeat;
        let written = Written {
            ask_provider: self.ask_provider,
            shared_budget: self.shared_budget,
            attempt_timeout: format_duration(self.attempt_timeout),
            connect_timeout: format_duration(self.connect_timeout),
            connect_timeout_max: format_duration(self.connect_timeout_max),
            close_timeout: format_duration(self.close_timeout),
            data_timeout: self.data_timeout.map(format_duration),
            max_message_size: self.max_message_size,
            reconnect: Reconnect {
                initial_delay: format_duration(backoff.initial()),
                max_delay: format_duration(backoff.max()),
                multiplier: backoff.multiplier().to_string(),
                jitter: backoff.strategy().to_string(),
                max_attempts: self.reconnect.max_attempts,
                stable_after: format_duration(self.reconnect.stable_after),
                retry_after_max: format_duration(self.reconnect.retry_after_max),
                renew_after: self.reconnect.renew_after.map(format_duration),
                spread: format_duration(self.reconnect.spread),
            },
            heartbeat: Heartbeat {
                kind: heartbeat.kind.map(HeartbeatKind::name),
                interval: format_duration(heartbeat.timing.interval),
                timeout: format_duration(heartbeat.timing.timeout),
                strict: heartbeat.timing.strict,
                phase: heartbeat.phase,
                slowest_link: heartbeat.timing.slowest_link,
                deliver_pongs: heartbeat.deliver_pongs,
                answer_pings: heartbeat.answer_pings,
            },
            login: match &self.login {
                Login::None => None,
                Login::Message { timeout, .. } => {
                    let timeout = format_duration(*timeout);
                    Some(Hidden::Message { send: "(hidden)", accepted: "any", timeout })
                }
                Login::External { timeout } => {
                    Some(Hidden::External { external: true, timeout: format_duration(*timeout) })
                }
                Login::Dialect { timeout } => {
                    Some(Hidden::Dialect { dialect: true, timeout: format_duration(*timeout) })
                }
            },
            policy: self
                .policy
                .rules()
                .map(|rule| (rule.codes(), rule.verdict().written()))
                .collect(),
        };
        written.serialize(serializer)
    }
}

/// The form that [`parse`](super::parse) reads. Plain values come before tables, as TOML requires.
#[derive(serde::Serialize)]
struct Written {
    ask_provider: bool,
    shared_budget: bool,
    attempt_timeout: String,
    connect_timeout: String,
    connect_timeout_max: String,
    close_timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_timeout: Option<String>,
    max_message_size: usize,
    reconnect: Reconnect,
    heartbeat: Heartbeat,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<Hidden>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    policy: BTreeMap<String, String>,
}

#[derive(serde::Serialize)]
struct Reconnect {
    initial_delay: String,
    max_delay: String,
    multiplier: String,
    jitter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    stable_after: String,
    retry_after_max: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_after: Option<String>,
    spread: String,
}

#[derive(serde::Serialize)]
struct Heartbeat {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    interval: String,
    timeout: String,
    strict: bool,
    phase: bool,
    slowest_link: u32,
    deliver_pongs: bool,
    answer_pings: bool,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Hidden {
    Message { send: &'static str, accepted: &'static str, timeout: String },
    External { external: bool, timeout: String },
    Dialect { dialect: bool, timeout: String },
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::Verdict;
    use crate::{AcceptanceRule, Multiplier, RefusalRule, Rule, Strategy as Jitter, Uniform};

    fn span() -> impl Strategy<Value = Duration> {
        prop_oneof![1..5_000_u64, 1..31_536_000_000_u64].prop_map(Duration::from_millis)
    }

    fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let verdict = prop_oneof![
            Just(Verdict::Retry),
            Just(Verdict::RefreshCredentials),
            Just(Verdict::Fatal),
            span().prop_map(Verdict::RetryNoSoonerThan),
        ];
        let codes = prop_oneof![(400_u16..599, 0_u16..3), (1_000_u16..4_990, 0_u16..9)];
        let rule = (codes, verdict).prop_filter_map("out of range", |((first, more), verdict)| {
            Rule::new(first, first + more, verdict)
        });
        // Crossing rules are refused, so each rule that crosses an earlier one is dropped.
        prop::collection::vec(rule, 0..5).prop_map(|rules| {
            rules.into_iter().fold(Vec::new(), |mut kept, rule| {
                kept.push(rule);
                if crate::Policy::new(kept.clone()).is_err() {
                    kept.pop();
                }
                kept
            })
        })
    }

    fn jitter() -> impl Strategy<Value = Jitter> {
        let uniform = (0..=1_000_u16, 1_000..=3_000_u16, any::<bool>());
        let uniform =
            uniform.prop_filter_map("in range", |(f, h, clamped)| Uniform::new(f, h, clamped));
        prop_oneof![prop::sample::select(Jitter::ALL.to_vec()), uniform.prop_map(Jitter::Uniform)]
    }

    prop_compose! {
        fn config()(
            spans in prop::array::uniform9(span()),
            connect_timeout_max in span(),
            spread in prop_oneof![Just(Duration::ZERO), span()],
            data_timeout in prop::option::of(span()),
            renew_after in prop::option::of(span()),
            multiplier in 1_000..=1_000_000_u32,
            jitter in jitter(),
            kind in prop::option::of(prop::sample::select(vec![
                HeartbeatKind::Json,
                HeartbeatKind::Ping,
                HeartbeatKind::Dialect,
                HeartbeatKind::Off,
            ])),
            max_attempts in prop::option::of(any::<u32>()),
            switches in any::<[bool; 6]>(),
            login in (0..3_u8, span()),
            max_message_size in 1..=Config::MAX_MESSAGE_SIZE,
            rules in rules(),
        ) -> Config {
            let [a, b, c, d, stable_after, retry_after_max, attempt_timeout, connect_timeout, close_timeout] = spans;
            let mut builder = Config::builder()
                .initial_delay(a.min(b))
                .max_delay(a.max(b))
                .multiplier(Multiplier::from_thousandths(multiplier).unwrap())
                .jitter(jitter)
                .max_attempts(max_attempts)
                .stable_after(stable_after)
                .retry_after_max(retry_after_max)
                .heartbeat_timeout(c.min(d))
                .heartbeat_interval(c.max(d))
                .heartbeat_strict(switches[0])
                .heartbeat_phase(switches[1])
                .deliver_pongs(switches[2])
                .answer_pings(switches[3])
                .ask_provider(switches[4])
                .shared_budget(switches[5])
                .attempt_timeout(attempt_timeout)
                .connect_timeout(connect_timeout)
                .connect_timeout_max(connect_timeout_max.max(connect_timeout))
                .close_timeout(close_timeout)
                .data_timeout(data_timeout)
                .renew_after(renew_after)
                .spread(spread)
                .max_message_size(max_message_size)
                .login(match login {
                    (0, _) => Login::None,
                    (1, timeout) => Login::External { timeout },
                    (_, timeout) => Login::Dialect { timeout },
                });
            if let Some(kind) = kind {
                builder = builder.heartbeat(kind);
            }
            for rule in rules {
                builder = builder.rule(rule);
            }
            builder.build().unwrap()
        }
    }

    proptest! {
        #[test]
        fn a_configuration_without_secrets_reads_back_as_it_was(config in config()) {
            let json = serde_json::to_string(&config).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Config>(&json).unwrap(), &config, "{}", json);
            let toml = toml::to_string(&config).unwrap();
            prop_assert_eq!(&toml::from_str::<Config>(&toml).unwrap(), &config, "{}", toml);
        }
    }

    #[test]
    fn a_login_reads_back_as_one_without_its_secrets() {
        let timeout = Duration::from_secs(3);
        let login = Login::Message {
            send: "hunter2".into(),
            accepted: AcceptanceRule::parse("/hunter=2").unwrap(),
            refused: RefusalRule::parse("/hunter=3:fatal").into_iter().collect(),
            timeout,
        };
        let config = Config::builder().login(login).build().unwrap();

        let json = serde_json::to_string(&config).unwrap();

        assert!(!json.contains("hunter"), "{json}");
        let hidden = Login::Message {
            send: "(hidden)".into(),
            accepted: AcceptanceRule::Any,
            refused: Vec::new(),
            timeout,
        };
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap().login(), &hidden);
    }
}
