//! The one table of settings: what each is called, its default, and its limits. The documentation of
//! [`Config`](crate::Config) shows it. Tests hold the parser, the writer, the program's flags and the
//! random configurations against it.

/// A setting, as a configuration file names and writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// The dotted path, such as `heartbeat.interval`.
    pub path: &'static str,
    /// The default, as it is written or in words.
    pub default: &'static str,
    /// The limits, in Markdown.
    pub limits: &'static str,
}

/// Passes the rows of the table to a macro: path, default, limits.
macro_rules! with_settings {
    ($use:ident) => {
        $use! {
            "reconnect.initial_delay", "1s", "1 ms – `max_delay`";
            "reconnect.max_delay", "34s", "`initial_delay` – 365 d";
            "reconnect.multiplier", "2", "1 – 1000, at most three digits after the point";
            "reconnect.jitter", "decorrelated-floored", "a [`Strategy`](crate::Strategy)'s name, or the text form of a [`Uniform`](crate::Uniform)";
            "reconnect.max_attempts", "unlimited", "a number of retries; 0 means never retry";
            "reconnect.stable_after", "10s", "1 ms – 365 d";
            "reconnect.retry_after_max", "5m", "1 ms – 365 d";
            "reconnect.renew_after", "off", "1 ms – 365 d";
            "reconnect.spread", "0s", "0 – 365 d";
            "heartbeat.kind", "ping; with a dialect that has a heartbeat: dialect", "ping, json, dialect, off";
            "heartbeat.interval", "30s", "1 ms – 365 d";
            "heartbeat.timeout", "5s", "1 ms – `interval`; the default is never longer than that";
            "heartbeat.strict", "false", "";
            "heartbeat.phase", "false", "";
            "heartbeat.slowest_link", "32KiB", "1 KiB – 1 GiB a second";
            "heartbeat.deliver_pongs", "false", "";
            "heartbeat.answer_pings", "false", "";
            "login.send", "no login", "at most 64 KiB";
            "login.external", "false", "not with `login.send`";
            "login.dialect", "false; the builders set it for a dialect that logs in", "not with `login.send` or `login.external`";
            "login.accepted", "–", "`POINTER=VALUE` or any; must be set with `login.send`";
            "login.refused", "–", "`POINTER=VALUE[:VERDICT]`, or a list; each is a [`RefusalRule`](crate::RefusalRule)";
            "login.timeout", "10s", "1 ms – 365 d";
            "policy", "[`Policy`]", "a table of `\"CODE\"` or `\"CODE-CODE\"` to retry, refresh, fatal or a least delay";
            "ask_provider", "false", "";
            "shared_budget", "false", "";
            "attempt_timeout", "10s", "1 ms – 365 d";
            "connect_timeout", "10s", "1 ms – `connect_timeout_max`";
            "connect_timeout_max", "60s", "`connect_timeout` – 365 d; the default is `connect_timeout` if only that is set";
            "close_timeout", "2s", "1 ms – 365 d";
            "data_timeout", "off", "1 ms – 365 d";
            "max_message_size", "16MiB", "1 B – 1 GiB";
        }
    };
}

/// The table in Markdown.
macro_rules! table {
    ($($path:literal, $default:literal, $limits:literal;)*) => {
        concat!(
            "| field | default | limits |\n|---|---|---|\n",
            $("| `", $path, "` | ", $default, " | ", $limits, " |\n"),*
        )
    };
}

/// The table as values.
macro_rules! rows {
    ($($path:literal, $default:literal, $limits:literal;)*) => {
        &[$(Setting { path: $path, default: $default, limits: $limits }),*]
    };
}

pub(super) use {rows, table, with_settings};
