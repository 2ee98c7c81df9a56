//! The table of settings. Each has a path in the configuration, a flag and an environment variable.
//!
//! The flags' help, the variables, the merging and the summary of `gateway check` all use this table.

/// One setting.
#[derive(Debug, PartialEq)]
pub(crate) struct Setting {
    /// Its dotted path in the configuration.
    pub(crate) path: &'static str,
    /// Its flag without the dashes; `None` if only a file can set it.
    pub(crate) flag: Option<&'static str>,
    /// Its short flag, as in websocat and wscat.
    pub(crate) short: Option<char>,
    /// Its environment variable.
    pub(crate) variable: Option<&'static str>,
    /// The placeholder for its value in the help.
    pub(crate) value: &'static str,
    pub(crate) kind: Kind,
    pub(crate) heading: &'static str,
    pub(crate) help: &'static str,
    /// The default in words, or as a value that can be parsed.
    pub(crate) default: Option<&'static str>,
}

/// How values from several sources, or several values from one source, are merged.
///
/// The order of the sources is flag, environment variable, file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The argument without a flag.
    Positional,
    /// One value; the first source that sets it wins.
    Value,
    /// One value: a URL whose userinfo is never shown.
    Url,
    /// One value that is never shown.
    Secret,
    /// `true` if the flag has no value.
    Switch,
    /// `MESSAGES/SPAN`: the number is this setting, the span is `rate.span`.
    Rate,
    /// A list; the first source that sets it wins.
    List,
    /// `KEY=VALUE`, one entry of a table; the first source wins for each key.
    Entry,
    /// `NAME=VALUE`, like `Entry`, but the value is never shown.
    SecretEntry,
    /// `Name: value`, like `Entry`, but the name is case-insensitive.
    Header,
}

use Kind::{Entry, Header, List, Positional, Rate, Secret, SecretEntry, Switch, Url, Value};

const CONNECTION: &str = "Connection";
const RECONNECT: &str = "Reconnecting";
const SENDING: &str = "Sending";
const HEARTBEAT: &str = "Heartbeat";
const LOGIN: &str = "Login";
const TLS: &str = "TLS";

/// Every setting, in the order in which the help lists them.
pub(crate) const SETTINGS: &[Setting] = &[
    row(Positional, "url", None, "URL", CONNECTION)
        .variable("GATEWAY_URL")
        .help("The server's URL, ws:// or wss://; userinfo becomes Basic authorization"),
    row(Value, "name", Some("name"), "NAME", CONNECTION)
        .variable("GATEWAY_NAME")
        .help("Names the connection in the log, in --events and in errors: 1 to 64 visible characters"),
    row(Value, "metrics", Some("metrics"), "ADDR", CONNECTION)
        .variable("GATEWAY_METRICS")
        .help(
            "Serves metrics for Prometheus at http://ADDR/metrics. A port alone is one of 127.0.0.1; with \
             port 0 the system chooses one, and the log names it",
        )
        .default("off"),
    row(Value, "dialect", Some("dialect"), "NAME|FILE", CONNECTION)
        .variable("GATEWAY_DIALECT")
        .help(
            "What the server expects beyond WebSocket: greeting, login, heartbeat, answers. A preset of \
             `gateway dialects`, or a TOML file",
        ),
    row(List, "on_ready", Some("on-ready"), "TEXT|@FILE", CONNECTION)
        .help("Sends this message each time the connection is ready, before lines of stdin (repeats)"),
    row(Header, "headers", Some("header"), "'NAME: VALUE'", CONNECTION)
        .short('H')
        .help("Adds a header to the upgrade (repeats)"),
    row(List, "subprotocols", Some("subprotocol"), "NAME", CONNECTION)
        .short('s')
        .help("Offers a subprotocol (repeats)"),
    row(Switch, "require_subprotocol", Some("require-subprotocol"), "BOOL", CONNECTION)
        .variable("GATEWAY_REQUIRE_SUBPROTOCOL")
        .help("Refuses a server that chooses none of the offered subprotocols")
        .default("false"),
    row(Url, "proxy", Some("proxy"), "URL", CONNECTION)
        .variable("GATEWAY_PROXY")
        .help(
            "Reaches the server through this proxy: http://, https:// or socks5://, with USER:PASSWORD@ \
             if it asks for them. An empty URL is no proxy. Without it, the variables https_proxy (for \
             wss://), http_proxy (for ws://) and all_proxy count, in lower or upper case",
        ),
    row(Value, "no_proxy", Some("no-proxy"), "LIST", CONNECTION)
        .variable("GATEWAY_NO_PROXY")
        .help(
            "Reaches these servers without the proxy: hosts, IP addresses, ranges such as 10.0.0.0/8, or \
             *, with commas between them. Without it, the variable no_proxy or NO_PROXY counts",
        ),
    row(Value, "attempt_timeout", Some("attempt-timeout"), "SPAN", CONNECTION)
        .variable("GATEWAY_ATTEMPT_TIMEOUT")
        .help("Limits the time for reading the files of --login and --secret before each attempt")
        .default("10s"),
    row(Value, "connect_timeout", Some("connect-timeout"), "SPAN", CONNECTION)
        .variable("GATEWAY_CONNECT_TIMEOUT")
        .help(
            "Limits the time for DNS, TCP, TLS and the upgrade together; a limit that you set grows only \
             with --connect-timeout-max",
        )
        .default("10s"),
    row(Value, "connect_timeout_max", Some("connect-timeout-max"), "SPAN", CONNECTION)
        .variable("GATEWAY_CONNECT_TIMEOUT_MAX")
        .help(
            "The longest connect timeout: each attempt that takes too long makes the timeout four times as \
             long, up to this span; equals --connect-timeout if only that is set",
        )
        .default("60s"),
    row(Value, "close_timeout", Some("close-timeout"), "SPAN", CONNECTION)
        .variable("GATEWAY_CLOSE_TIMEOUT")
        .help("How long to wait for the server's answer to a Close, or for its Close after it refused a login")
        .default("2s"),
    row(Value, "send_stall", Some("send-stall"), "SPAN", CONNECTION)
        .variable("GATEWAY_SEND_STALL")
        .help("How long a message waits while the socket accepts no byte, from 100ms to 1h")
        .default("10s"),
    row(Value, "data_timeout", Some("data-timeout"), "SPAN", CONNECTION)
        .variable("GATEWAY_DATA_TIMEOUT")
        .help("Reconnects if no message comes for this long on a ready connection")
        .default("off"),
    row(Value, "max_message_size", Some("max-message-size"), "SIZE", CONNECTION)
        .variable("GATEWAY_MAX_MESSAGE_SIZE")
        .help("The largest message in either direction, such as 64KiB")
        .default("16MiB"),
    row(Value, "behind", Some("behind"), "WHAT", CONNECTION)
        .variable("GATEWAY_BEHIND")
        .help(
            "What to do while stdout accepts no messages and 1 MiB of them wait: stop_reading (the \
             server waits) or drop_oldest (the oldest messages are dropped and counted)",
        )
        .default("stop_reading"),
    row(Value, "seed", Some("seed"), "N", CONNECTION)
        .variable("GATEWAY_SEED")
        .help("Makes the random delays repeatable")
        .default("from the operating system"),
    row(Value, "reconnect.initial_delay", Some("initial-delay"), "SPAN", RECONNECT)
        .variable("GATEWAY_INITIAL_DELAY")
        .help("The base of the first delay; --jitter draws the delay from it")
        .default("1s"),
    row(Value, "reconnect.max_delay", Some("max-delay"), "SPAN", RECONNECT)
        .variable("GATEWAY_MAX_DELAY")
        .help("The longest delay before jitter; some strategies draw up to three times as long ones")
        .default("34s"),
    row(Value, "reconnect.multiplier", Some("multiplier"), "FACTOR", RECONNECT)
        .variable("GATEWAY_MULTIPLIER")
        .help("The factor by which the base grows with each retry")
        .default("2"),
    row(Value, "reconnect.max_attempts", Some("max-attempts"), "N", RECONNECT)
        .variable("GATEWAY_MAX_ATTEMPTS")
        .help("Gives up after this many retries; with 0 it never retries")
        .default("unlimited"),
    row(Value, "reconnect.jitter", Some("jitter"), "NAME", RECONNECT)
        .variable("GATEWAY_JITTER")
        .help(
            "How delays are randomized: decorrelated, decorrelated-smooth, decorrelated-floored, \
             decorrelated-unclamped, aws-decorrelated, full, equal, none, or uniform:FLOOR:CEILING \
             with or without :clamped",
        )
        .default("decorrelated-floored"),
    row(Value, "reconnect.stable_after", Some("stable-after"), "SPAN", RECONNECT)
        .variable("GATEWAY_STABLE_AFTER")
        .help("How long a connection must be ready before delay and attempt count are reset")
        .default("10s"),
    row(Value, "reconnect.renew_after", Some("renew-after"), "SPAN", RECONNECT)
        .variable("GATEWAY_RENEW_AFTER")
        .help("Replaces a connection that has been ready for this long, up to a tenth earlier")
        .default("off"),
    row(Value, "reconnect.spread", Some("spread"), "SPAN", RECONNECT)
        .variable("GATEWAY_SPREAD")
        .help(
            "Adds a random part of this span to the first delay after a ready connection is lost, so that \
             many clients which lose a server together do not return together",
        )
        .default("0s"),
    row(Value, "reconnect.retry_after_max", Some("retry-after-max"), "SPAN", RECONNECT)
        .variable("GATEWAY_RETRY_AFTER_MAX")
        .help("Caps a server's Retry-After")
        .default("5m"),
    row(Entry, "policy", Some("policy"), "CODE[-CODE]=VERDICT", RECONNECT).help(
        "What to do after close codes or HTTP statuses: retry, refresh, fatal, or a least delay \
         such as 1013=30s (repeats); see `gateway explain`",
    ),
    row(Value, "lost_after", Some("lost-after"), "SPAN", RECONNECT)
        .variable("GATEWAY_LOST_AFTER")
        .help("Reports a connection that has not been ready for this long, in the log and in --events")
        .default("off"),
    row(Value, "outbox.messages", Some("outbox"), "N", SENDING)
        .variable("GATEWAY_OUTBOX")
        .help(
            "Reads stdin also while the connection is not ready, and keeps up to N messages until it \
             is. Without it, stdin waits",
        )
        .default("off"),
    row(Value, "outbox.bytes", Some("outbox-bytes"), "SIZE", SENDING)
        .variable("GATEWAY_OUTBOX_BYTES")
        .help("How many bytes the kept messages may have together, up to 1GiB")
        .default("1MiB"),
    row(Value, "outbox.time_to_live", Some("outbox-time-to-live"), "SPAN", SENDING)
        .variable("GATEWAY_OUTBOX_TIME_TO_LIVE")
        .help("How long a message is kept before it expires and is not sent; or off")
        .default("30s"),
    row(Value, "outbox.when_full", Some("outbox-full"), "WHAT", SENDING)
        .variable("GATEWAY_OUTBOX_FULL")
        .help(
            "What to do when the outbox is full: drop_oldest (the oldest message is rejected) or \
             refuse_newest (stdin waits)",
        )
        .default("drop_oldest"),
    row(Switch, "outbox.across_endpoints", Some("outbox-across-endpoints"), "BOOL", SENDING)
        .variable("GATEWAY_OUTBOX_ACROSS_ENDPOINTS")
        .help("Sends the kept messages also to another host, port or path than before")
        .default("false"),
    row(Rate, "rate.messages", Some("rate"), "N/SPAN", SENDING)
        .variable("GATEWAY_RATE")
        .help("Sends at most N messages in any span of this length, such as 120/60s")
        .default("off"),
    row(Value, "rate.span", None, "SPAN", SENDING),
    row(Value, "rate.burst", Some("rate-burst"), "N", SENDING)
        .variable("GATEWAY_RATE_BURST")
        .help("How many messages of --rate may be sent at once after a pause")
        .default("half of the rate, rounded up"),
    row(Value, "rate.reserve", Some("rate-reserve"), "N", SENDING)
        .variable("GATEWAY_RATE_RESERVE")
        .help("How many messages of the burst are kept for pings, the login and the dialect")
        .default("an eighth of the burst, rounded down"),
    row(Value, "heartbeat.kind", Some("heartbeat"), "KIND", HEARTBEAT)
        .variable("GATEWAY_HEARTBEAT")
        .help(
            "How to detect a dead server: ping (WebSocket Ping), json (JSON messages), dialect (its \
             messages) or off",
        )
        .default("ping; with a dialect that has a heartbeat: dialect"),
    row(Value, "heartbeat.interval", Some("heartbeat-interval"), "SPAN", HEARTBEAT)
        .variable("GATEWAY_HEARTBEAT_INTERVAL")
        .help("The time from one ping to the next")
        .default("30s"),
    row(Value, "heartbeat.timeout", Some("heartbeat-timeout"), "SPAN", HEARTBEAT)
        .variable("GATEWAY_HEARTBEAT_TIMEOUT")
        .help("How long after a ping the server may be silent before it is treated as dead")
        .default("5s"),
    row(Switch, "heartbeat.strict", Some("heartbeat-strict"), "BOOL", HEARTBEAT)
        .variable("GATEWAY_HEARTBEAT_STRICT")
        .help("Accepts only a pong as a sign of life, not other bytes")
        .default("false"),
    row(Switch, "heartbeat.phase", Some("heartbeat-phase"), "BOOL", HEARTBEAT)
        .variable("GATEWAY_HEARTBEAT_PHASE")
        .help("Sends the first ping after a random part of the interval, not after all of it")
        .default("false"),
    row(Value, "heartbeat.slowest_link", Some("heartbeat-slowest-link"), "SIZE", HEARTBEAT)
        .variable("GATEWAY_HEARTBEAT_SLOWEST_LINK")
        .help("The slowest expected link, in bytes a second; bytes sent before a ping extend its timeout")
        .default("32KiB"),
    row(Switch, "heartbeat.deliver_pongs", None, "BOOL", HEARTBEAT)
        .help("Also delivers pongs as messages")
        .default("false"),
    row(Switch, "heartbeat.answer_pings", None, "BOOL", HEARTBEAT)
        .help("Answers the server's application-level pings")
        .default("false"),
    row(Secret, "login.send", Some("login"), "TEXT|@FILE", LOGIN).variable("GATEWAY_LOGIN").help(
        "The login message, sent first on every connection; @FILE is read again for each attempt. \
         Requires --login-ok",
    ),
    row(Value, "login.accepted", Some("login-ok"), "POINTER=VALUE|any", LOGIN)
        .variable("GATEWAY_LOGIN_OK")
        .help(
            "The answer that accepts the login, such as /type=login_ok. With any, the first text that \
             is no refusal accepts it, and is also printed",
        ),
    row(List, "login.refused", Some("login-refused"), "POINTER=VALUE[:VERDICT]", LOGIN)
        .variable("GATEWAY_LOGIN_REFUSED")
        .help(
            "An answer that refuses the login, and what to do then: refresh (read @FILE again and try \
             once more; the default), retry, fatal, or a least delay such as /error=busy:30s. \
             Write \\: for a colon in the value (repeats)",
        ),
    row(SecretEntry, "secrets", Some("secret"), "NAME=TEXT|@FILE", LOGIN).help(
        "A secret that the dialect names, such as token=@FILE; @FILE is read again for each attempt \
         (repeats)",
    ),
    row(Value, "login.timeout", Some("login-timeout"), "SPAN", LOGIN)
        .variable("GATEWAY_LOGIN_TIMEOUT")
        .help("How long to wait for the answer to the login")
        .default("10s"),
    row(Value, "tls.ca_cert", Some("ca-cert"), "FILE", TLS)
        .variable("GATEWAY_CA_CERT")
        .help(
            "Trusts only the certificates in this PEM file: CAs, or a server's own. It is read again \
             when it changes",
        )
        .default("the platform's trust store"),
    row(Value, "tls.proxy_ca_cert", Some("proxy-ca-cert"), "FILE", TLS)
        .variable("GATEWAY_PROXY_CA_CERT")
        .help("Trusts only the certificates in this PEM file for an https:// proxy")
        .default("as for the server, but --insecure does not count"),
    row(Value, "tls.cert", Some("cert"), "FILE", TLS)
        .variable("GATEWAY_CERT")
        .help("The client certificate (PEM) for a server that asks for one; requires --key"),
    row(Value, "tls.key", Some("key"), "FILE", TLS)
        .variable("GATEWAY_KEY")
        .help("The private key (PEM, without a passphrase) of the client certificate"),
    row(Switch, "tls.insecure", Some("insecure"), "BOOL", TLS)
        .short('k')
        .help("Accepts any certificate, and logs a warning each time")
        .default("false"),
];

const fn row(
    kind: Kind,
    path: &'static str,
    flag: Option<&'static str>,
    value: &'static str,
    heading: &'static str,
) -> Setting {
    Setting {
        path,
        flag,
        short: None,
        variable: None,
        value,
        kind,
        heading,
        help: "",
        default: None,
    }
}

impl Setting {
    const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    const fn variable(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The flag as it is typed; the value's name for the argument without a flag.
    pub(crate) fn typed(&self) -> String {
        match (self.flag, self.kind) {
            (Some(flag), _) => format!("--{flag}"),
            (None, Positional) => format!("<{}>", self.value),
            (None, Value | Url | Secret | Switch | Rate | List | Entry | SecretEntry | Header) => {
                self.path.to_owned()
            }
        }
    }

    /// Whether there is an argument for it on the command line.
    pub(crate) fn is_argument(&self) -> bool {
        self.flag.is_some() || self.kind == Positional
    }
}

#[cfg(test)]
mod tests {
    use gateway_tokio::core::Config;

    use super::*;
    use crate::settings::own::OWN;

    /// Settings of the core that only programs which embed the library can have.
    const FOR_LIBRARIES: [&str; 4] =
        ["login.external", "login.dialect", "ask_provider", "shared_budget"];

    #[test]
    fn the_table_has_every_setting_of_the_core_with_its_default() {
        for setting in Config::SETTINGS.iter().filter(|one| !FOR_LIBRARIES.contains(&one.path)) {
            let row = SETTINGS.iter().find(|row| row.path == setting.path);
            let Some(row) = row else {
                panic!("add `{}` to crates/gateway-cli/src/settings/table.rs", setting.path)
            };
            // Where the core has words for a default, the help has its own, or none.
            if let Some(default) = row.default {
                assert_eq!(default, setting.default, "the default of `{}`", setting.path);
            }
        }
    }

    #[test]
    fn what_the_core_does_not_know_is_a_setting_of_the_program() {
        for row in SETTINGS {
            let root = row.path.split('.').next().unwrap_or_default();
            let is_cores = Config::SETTINGS.iter().any(|setting| setting.path == row.path);
            assert!(
                is_cores || OWN.contains(&root),
                "add `{}` to the core's config/settings.rs or to OWN in settings/own.rs",
                row.path
            );
        }
    }

    #[test]
    fn a_flag_has_a_help_and_a_setting_of_one_value_a_variable() {
        for row in SETTINGS.iter().filter(|row| row.is_argument()) {
            assert!(!row.help.is_empty(), "add `.help` to `{}`", row.path);
            let is_single = matches!(row.kind, Value | Url | Secret | Switch | Rate);
            let has_one = row.variable.is_some() || WITHOUT_VARIABLE.contains(&row.path);
            assert!(!is_single || has_one, "add `.variable` to `{}`", row.path);
        }
    }

    /// Only a flag or a file may allow these.
    const WITHOUT_VARIABLE: [&str; 1] = ["tls.insecure"];

    #[test]
    fn a_variable_is_named_after_its_flag() {
        for row in SETTINGS {
            let name = row.flag.unwrap_or(row.path).replace('-', "_").to_uppercase();
            assert!(
                row.variable.is_none_or(|variable| variable == format!("GATEWAY_{name}")),
                "{name}"
            );
        }
    }

    #[test]
    fn no_two_settings_share_a_flag_variable_or_path() {
        let mut seen = std::collections::HashSet::new();
        for setting in SETTINGS {
            assert!(seen.insert(setting.path), "{}", setting.path);
            assert!(setting.variable.is_none_or(|name| seen.insert(name)), "{}", setting.path);
            assert!(setting.flag.is_none_or(|flag| seen.insert(flag) || flag == setting.path));
        }
    }
}
