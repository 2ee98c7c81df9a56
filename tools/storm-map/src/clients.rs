//! The clients that the figures compare. Each states all settings that matter in a storm, so that no
//! figure changes with a default.

/// A client's settings, and what the tables call it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    pub(crate) jitter: &'static str,
    pub(crate) initial: &'static str,
    pub(crate) max: &'static str,
    /// To what the connect timeout grows. `None`: it does not grow.
    pub(crate) grows_to: Option<&'static str>,
}

impl Client {
    const fn new(
        name: &'static str,
        jitter: &'static str,
        initial: &'static str,
        max: &'static str,
    ) -> Self {
        Self { name, jitter, initial, max, grows_to: None }
    }

    /// The same client with another bound of its connect timeout.
    pub(crate) const fn growing_to(self, bound: &'static str) -> Self {
        Self { grows_to: Some(bound), ..self }
    }
}

/// The default until this page was written.
pub(crate) const OLD: Client =
    Client::new("`decorrelated` 1 s/30 s (old default)", "decorrelated", "1s", "30s");

/// The default of today, but with a connect timeout that does not grow.
pub(crate) const FLOORED: Client =
    Client::new("`decorrelated-floored` 1 s/34 s", "decorrelated-floored", "1s", "34s");

/// The default of today.
pub(crate) const NEW: Client = Client {
    name: "`decorrelated-floored` 1 s/34 s, timeout to 60 s (default)",
    ..FLOORED.growing_to("60s")
};

/// All strategies with the same shortest and longest delay.
pub(crate) const STRATEGIES: [Client; 8] = [
    Client::new("`decorrelated`", "decorrelated", "1s", "30s"),
    Client::new("`decorrelated-smooth`", "decorrelated-smooth", "1s", "30s"),
    Client::new("`decorrelated-floored`", "decorrelated-floored", "1s", "30s"),
    Client::new("`decorrelated-unclamped`", "decorrelated-unclamped", "1s", "30s"),
    Client::new("`aws-decorrelated`", "aws-decorrelated", "1s", "30s"),
    Client::new("`full`", "full", "1s", "30s"),
    Client::new("`equal`", "equal", "1s", "30s"),
    Client::new("`none`", "none", "1s", "30s"),
];

/// Clients that make about as many attempts in a long outage: their mean delays at the cap are equal.
pub(crate) const EQUALS: [Client; 10] = [
    OLD,
    Client::new(
        "the original formula, unclamped, 1 s/16.5 s",
        "decorrelated-unclamped",
        "1s",
        "16500ms",
    ),
    Client::new("`decorrelated-smooth` 1 s/49.6 s", "decorrelated-smooth", "1s", "49600ms"),
    Client::new("`uniform:0.333:1` 1 s/37.9 s", "uniform:0.333:1", "1s", "37900ms"),
    FLOORED,
    Client::new("`uniform:0.7:1` 1 s/30 s", "uniform:0.7:1", "1s", "30s"),
    Client::new("`aws-decorrelated` 1 s/43 s", "aws-decorrelated", "1s", "43s"),
    Client::new("`full` 4 s/50.6 s", "full", "4s", "50600ms"),
    Client::new("`equal` 2.7 s/33.7 s", "equal", "2700ms", "33700ms"),
    Client::new("`none` 2 s/25.3 s", "none", "2s", "25300ms"),
];
