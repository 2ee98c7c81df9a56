//! The rule for storms: a fleet is stuck if and only if N/C > T + L + D.
//!
//! N is the number of clients that lose their connection at once, and C the number that the server
//! accepts a second. T is the connect timeout, and L the longest one to which it grows. D is the mean
//! delay once the backoff has reached its cap. If the timeout does not grow, the edge is 2·T + D.
//!
//! Why: after a loss, all clients try at once. The server accepts C·T of them in time. Each other
//! client soon tries for L seconds, gives up, and waits for D seconds on average. So these N − C·T
//! clients start (N − C·T)/(L + D) attempts a second. If that is more than C, the queue grows, and the
//! server works for clients that have left, because they are the oldest.
//!
//! With several groups of n clients each, T is the mean over all clients. The clients start the sum
//! of all n/(L + D) attempts a second. So L + D is the harmonic mean, N divided by this sum: the
//! groups that try often count for more.
//!
//! If the first retries are spread over S after a loss, the server keeps up with them
//! once S ≥ N/C − T, and no storm begins. A shorter spread moves the edge, and the rule does not say
//! how far.
//!
//! The rule assumes a queue with more than L seconds of work, first in first out, and a server that
//! pays for clients that have left as for the others. [`Rule::silent`] names what differs. Then a
//! fleet with jitter usually recovers. If dead work costs more, it gets stuck at a lower N/C.

use std::time::Duration;

use gateway_core::{Config, Login};
use serde::{Serialize, Serializer};

use crate::scenario::{Fault, FaultKind, Group, Order, PPM, Scenario, Stage, Start};

/// What the rule says of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// How long the server needs for all clients that lose their connection at once: N/C.
    ///
    /// If all faults are drops, N is the largest share that one of them drops. Otherwise N is the
    /// number of all clients.
    #[serde(rename = "load_ms", serialize_with = "millis")]
    pub load: Duration,
    /// The timeout T of the first attempt: of the connect, or of the login if the login stage is the
    /// slowest. With several groups, it is the mean over all clients.
    #[serde(rename = "timeout_ms", serialize_with = "millis")]
    pub timeout: Duration,
    /// The longest timeout L to which it grows, or T if it does not grow. With several groups, it is
    /// the arithmetic mean over all clients, which `edge` does not use.
    #[serde(rename = "longest_timeout_ms", serialize_with = "millis")]
    pub longest_timeout: Duration,
    /// The mean delay D at the cap. With several groups, it is the arithmetic mean over all clients,
    /// which `edge` does not use.
    #[serde(rename = "mean_delay_ms", serialize_with = "millis")]
    pub mean_delay: Duration,
    /// The edge, T + L + D. With several groups, L + D is the harmonic mean over all clients.
    #[serde(rename = "edge_ms", serialize_with = "millis")]
    pub edge: Duration,
    /// The slowest stage.
    pub bottleneck: Bottleneck,
    /// What the rule expects, if it applies: whether the fleet gets stuck.
    pub is_stuck: Option<bool>,
    /// Why the rule does not apply. Empty if it does.
    pub silent: Vec<Silent>,
}

/// The slowest stage of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bottleneck {
    /// The accept stage.
    Accept,
    /// The login stage.
    Login,
}

/// Why the rule says nothing of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Silent {
    /// The queue holds less than L seconds of work: sooner or later, all that the server begins
    /// succeeds.
    ShortQueue,
    /// The newest entry is next: its client is still there.
    Lifo,
    /// Entries of clients that have left cost less than half of the full time.
    CheapDeadWork,
    /// Entries of clients that have left cost more than those of clients that stay. A fleet is
    /// stuck at a lower N/C.
    DearDeadWork,
    /// The first retries are spread over at least N/C − T: the server keeps up with them.
    Spread,
    /// A rate limit refuses what the server cannot serve in time.
    Admission,
    /// A node crashes under load, so it has no steady rate.
    Crash,
}

impl Silent {
    /// The reason in a sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ShortQueue => "the queue holds less work than the longest timeout",
            Self::Lifo => "the server serves the newest client first",
            Self::CheapDeadWork => "clients that have left cost the server little",
            Self::DearDeadWork => {
                "clients that have left cost the server more than those that stay"
            }
            Self::Spread => "the first retries are spread so that the server keeps up",
            Self::Admission => "a rate limit refuses clients early",
            Self::Crash => "nodes crash under load",
        }
    }
}

/// The edge T + L + D: above this N/C, a fleet is stuck.
#[must_use]
pub const fn edge(timeout: Duration, longest: Duration, mean_delay: Duration) -> Duration {
    timeout.saturating_add(longest).saturating_add(mean_delay)
}

/// Applies the rule to a scenario.
#[must_use]
pub fn apply(scenario: &Scenario) -> Rule {
    let server = &scenario.server;
    let nodes = u128::from(server.nodes);
    let load = |stage: &Stage| {
        let nanos = stage.service.as_nanos() * u128::from(lost_at_once(scenario))
            / u128::from(stage.workers)
            / nodes;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    let login = server.login.as_ref().filter(|login| load(login) > load(&server.accept));
    let (bottleneck, stage) = match login {
        Some(login) => (Bottleneck::Login, login),
        None => (Bottleneck::Accept, &server.accept),
    };
    let mean = |span: &dyn Fn(&Config) -> Duration| {
        let sum: u128 = scenario
            .groups
            .iter()
            .map(|group| span(&group.config).as_millis() * u128::from(group.clients))
            .sum();
        Duration::from_millis(u64::try_from(sum / u128::from(scenario.clients)).unwrap_or(u64::MAX))
    };
    let timeout = mean(&|config| match bottleneck {
        Bottleneck::Accept => config.connect_timeout(),
        Bottleneck::Login => login_timeout(config),
    });
    let longest = |config: &Config| match bottleneck {
        Bottleneck::Accept => config.connect_timeout_max(),
        Bottleneck::Login => login_timeout(config),
    };
    let delay = |config: &Config| config.backoff().mean_at_cap();
    let (longest_timeout, mean_delay) = (mean(&longest), mean(&delay));
    let between = harmonic_mean(scenario, |config| longest(config).saturating_add(delay(config)));
    let (load, edge) = (load(stage), edge(timeout, between, Duration::ZERO));
    let spread = mean(&|config| config.spread());
    let reasons = [
        (stage.full_queue() < longest_timeout, Silent::ShortQueue),
        (stage.order == Order::Lifo, Silent::Lifo),
        (server.dead_work_ppm < PPM / 2, Silent::CheapDeadWork),
        (server.dead_work_ppm > PPM, Silent::DearDeadWork),
        (!spread.is_zero() && spread >= load.saturating_sub(timeout), Silent::Spread),
        (server.admission.is_some(), Silent::Admission),
        (server.crash.is_some(), Silent::Crash),
    ];
    let silent: Vec<_> =
        reasons.into_iter().filter_map(|(applies, reason)| applies.then_some(reason)).collect();
    let is_stuck = silent.is_empty().then_some(load > edge);
    Rule { load, timeout, longest_timeout, mean_delay, edge, bottleneck, is_stuck, silent }
}

/// The number of clients that lose their connection at once.
pub(crate) fn lost_at_once(scenario: &Scenario) -> u32 {
    let share = |fault: &Fault| match fault.kind {
        FaultKind::Drop { share_ppm, .. } => share_ppm,
        _ => PPM,
    };
    let share_ppm = match scenario.start {
        Start::Ready => scenario.faults.iter().map(share).max().unwrap_or(PPM),
        Start::Cold => PPM,
    };
    let lost = u64::from(scenario.clients) * share_ppm / PPM;
    u32::try_from(lost).unwrap_or(scenario.clients).max(1)
}

/// The harmonic mean of a span over all clients, in whole milliseconds.
fn harmonic_mean(scenario: &Scenario, span: impl Fn(&Config) -> Duration) -> Duration {
    const SCALE: u128 = 1_000_000_000_000; // keeps twelve digits of a rate
    let rate =
        |group: &Group| u128::from(group.clients) * SCALE / span(&group.config).as_millis().max(1);
    let rates: u128 = scenario.groups.iter().map(rate).sum();
    let millis = u128::from(scenario.clients) * SCALE / rates.max(1);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn login_timeout(config: &Config) -> Duration {
    match config.login() {
        Login::Message { timeout, .. }
        | Login::External { timeout }
        | Login::Dialect { timeout } => *timeout,
        _ => Duration::ZERO,
    }
}

fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
