//! The configuration: what is accepted is valid, what is not is named, and secrets stay hidden.

use core::time::Duration;

use gateway_core::{
    AcceptanceRule, Config, ConfigBuilder, HeartbeatKind, JsonRule, Login, RefusalRule, Rule,
    Verdict,
};
use proptest::prelude::*;

use crate::cases;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Spans that may be configured and spans that may not.
fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        6 => (1..100_000_u64).prop_map(Duration::from_millis),
        1 => (0..5_000_000_u64).prop_map(Duration::from_nanos),
        1 => any::<u64>().prop_map(Duration::from_millis),
        1 => prop::sample::select(vec![
            Duration::ZERO,
            MILLISECOND,
            Config::MAX_SPAN,
            Config::MAX_SPAN + MILLISECOND,
            Duration::MAX,
        ]),
    ]
}

fn is_valid(span: Duration) -> bool {
    span.subsec_nanos().is_multiple_of(1_000_000)
        && (MILLISECOND..=Config::MAX_SPAN).contains(&span)
}

/// The fields of an error report, sorted.
fn fields(builder: ConfigBuilder) -> Vec<String> {
    match builder.build() {
        Ok(_) => Vec::new(),
        Err(errors) => sorted(errors.iter().map(|error| error.field().to_string())),
    }
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn read(json: &str) -> Result<Config, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn exactly_the_fields_that_are_wrong_are_named_all_at_once(
        spans in prop::array::uniform9(span()),
        data in prop::option::of(span()),
        connect_max in prop::option::of(span()),
        spread in span(),
        least in prop::option::of(span()),
        size in prop_oneof![Just(0_usize), 1..2_000_000_usize, Just((1 << 30) + 1)],
        rate in prop_oneof![Just(1_023_u32), 1_024..=1_073_741_824_u32, Just((1 << 30) + 1)],
    ) {
        let [initial, max, stable, retry_after, interval, timeout, login, connect, close] = spans;
        let mut builder = Config::builder()
            .initial_delay(initial)
            .max_delay(max)
            .stable_after(stable)
            .retry_after_max(retry_after)
            .heartbeat_interval(interval)
            .heartbeat_timeout(timeout)
            .login(Login::External { timeout: login })
            .connect_timeout(connect)
            .close_timeout(close)
            .data_timeout(data)
            .spread(spread)
            .max_message_size(size)
            .slowest_link(rate);
        if let Some(connect_max) = connect_max {
            builder = builder.connect_timeout_max(connect_max);
        }
        if let Some(least) = least {
            let rule = Rule::new(4_000, 4_010, Verdict::RetryNoSoonerThan(least)).unwrap();
            builder = builder.rule(rule);
        }
        let named = [
            ("reconnect.initial_delay", initial),
            ("reconnect.max_delay", max),
            ("reconnect.stable_after", stable),
            ("reconnect.retry_after_max", retry_after),
            ("heartbeat.interval", interval),
            ("heartbeat.timeout", timeout),
            ("login.timeout", login),
            ("connect_timeout", connect),
            ("close_timeout", close),
        ];
        let data = data.map(|span| ("data_timeout", span));
        let most = connect_max.map(|span| ("connect_timeout_max", span));
        let least = least.map(|span| ("policy.4000-4010", span));
        let mut wrong: Vec<&str> = named
            .into_iter()
            .chain(data)
            .chain(most)
            .chain(least)
            .filter(|(_, span)| !is_valid(*span))
            .map(|(name, _)| name)
            .collect();
        if is_valid(initial) && is_valid(max) && initial > max {
            wrong.push("reconnect.initial_delay");
        }
        if is_valid(interval) && is_valid(timeout) && timeout > interval {
            wrong.push("heartbeat.timeout");
        }
        if connect_max.is_some_and(|most| is_valid(connect) && is_valid(most) && connect > most) {
            wrong.push("connect_timeout");
        }
        if !spread.is_zero() && !is_valid(spread) {
            wrong.push("reconnect.spread");
        }
        if size == 0 || size > 1 << 30 {
            wrong.push("max_message_size");
        }
        if !(1 << 10..=1 << 30).contains(&rate) {
            wrong.push("heartbeat.slowest_link");
        }
        prop_assert_eq!(fields(builder), sorted(wrong.into_iter().map(String::from)));
    }

    #[test]
    fn no_text_whatever_makes_reading_panic(text in "\\PC{0,80}") {
        let _ = read(&text);
        let _ = read(&format!(r#"{{"heartbeat":{{"interval":"{text}"}}}}"#));
        let _ = toml::from_str::<Config>(&text);
    }

    #[test]
    fn a_secret_shows_nowhere(secret in "[a-z]{3}-s3cr3t-[a-z]{8}", is_long in any::<bool>()) {
        let send = if is_long { secret.repeat(10_000) } else { secret.clone() };
        let login = Login::Message {
            send: send.as_str().into(),
            accepted: AcceptanceRule::parse("/a=b").unwrap(),
            refused: RefusalRule::parse("/a=b").into_iter().collect(),
            timeout: Duration::ZERO,
        };
        let builder = Config::builder().login(login);
        let debug = format!("{builder:?}");
        let errors = builder.build().unwrap_err();
        let shown = format!("{debug} {errors} {errors:?}");
        prop_assert!(!shown.contains(&secret));

        let config = Config::builder().login(Login::Message {
            send: secret.as_str().into(),
            accepted: AcceptanceRule::Any,
            refused: Vec::new(),
            timeout: MILLISECOND,
        });
        let shown = format!("{:?}", config.build().unwrap());
        prop_assert!(!shown.contains(&secret));
    }

    #[test]
    fn a_secret_that_stands_beside_an_error_shows_nowhere(secret in "[a-z]{3}-s3cr3t-[a-z]{8}") {
        for json in [
            format!(r#"{{"login":{{"send":"{secret}","timeout":0,"colour":1}}}}"#),
            format!(r#"{{"login":{{"send":["{secret}"]}}}}"#),
            format!(r#"{{"login":{{"send":{{"token":"{secret}"}}}}}}"#),
            format!(r#"{{"login":{{"sned":"{secret}"}}}}"#),
            format!(r#"{{"login":{{"send":"{secret}","external":true}}}}"#),
            format!(r#"{{"login":"{secret}"}}"#),
        ] {
            let error = read(&json).unwrap_err();
            prop_assert!(!error.contains(&secret), "{error}");
        }
        for toml in [
            format!("login.send = '{secret}'\nclose_timeout = 'soon'"),
            format!("login.send = ['{secret}']"),
            format!("[login]\nsend = '{secret}'\ntimeout = 0\nexternal = true"),
        ] {
            let error = toml::from_str::<Config>(&toml).unwrap_err().to_string();
            prop_assert!(!error.contains(&secret), "{error}");
        }
    }
}

#[test]
fn values_that_cannot_be_read_are_reported_beside_values_out_of_their_limits() {
    let error = read(
        r#"{
            "connect_timeout": "soon",
            "close_timeout": 0,
            "max_message_size": "1 parsec",
            "reconnect": {"multiplier": 1.0005, "jitter": "some", "max_attempts": -1},
            "heartbeat": {"kind": "drum", "strict": "maybe", "interval": "1s", "timeout": "2s"},
            "policy": {"99": "fatal", "4000": "perhaps", "1000-4999": "retry", "1000-1999": "12d"}
        }"#,
    )
    .unwrap_err();

    for field in [
        "connect_timeout",
        "close_timeout",
        "max_message_size",
        "reconnect.multiplier",
        "reconnect.jitter",
        "reconnect.max_attempts",
        "heartbeat.kind",
        "heartbeat.strict",
        "heartbeat.timeout",
        "policy.99",
        "policy.4000",
    ] {
        assert!(
            error.lines().any(|line| line.starts_with(&format!("{field} "))),
            "{field}: {error}"
        );
    }
    assert_eq!(error.lines().count(), 11, "{error}");
}

#[test]
fn a_connect_timeout_that_is_set_alone_does_not_grow() {
    assert_eq!(Config::default().connect_timeout(), Duration::from_secs(10));
    assert_eq!(Config::default().connect_timeout_max(), Duration::from_secs(60));
    for (text, seconds) in [("1s", 1), ("10s", 10), ("5m", 300)] {
        let config = read(&format!(r#"{{"connect_timeout":"{text}"}}"#)).unwrap();
        assert_eq!(config.connect_timeout_max(), Duration::from_secs(seconds));
        let max = format!(r#"{{"connect_timeout":"{text}","connect_timeout_max":"10m"}}"#);
        assert_eq!(read(&max).unwrap().connect_timeout_max(), Duration::from_secs(600));
    }

    let error = read(r#"{"connect_timeout":"5m","connect_timeout_max":"1m"}"#).unwrap_err();
    assert_eq!(error, "connect_timeout = 5m: must be at most connect_timeout_max (1m)");
}

#[test]
fn every_rule_that_crosses_another_is_named() {
    let error = read(r#"{"policy":{"4000-4010":"retry","4005-4020":"fatal","4015-4030":"retry"}}"#);

    let error = error.unwrap_err();
    let named: Vec<_> = error.lines().filter_map(|line| line.split(" = ").next()).collect();
    assert_eq!(named, ["policy.4005-4020", "policy.4015-4030"], "{error}");
}

#[test]
fn toml_and_json_read_alike() {
    let toml = r#"
        connect_timeout = "3s"
        data_timeout = 1500
        max_message_size = "64KiB"
        [reconnect]
        initial_delay = "250ms"
        multiplier = 1.5
        jitter = "full"
        max_attempts = "unlimited"
        [heartbeat]
        kind = "ping"
        interval = "15s"
        [login]
        send = "hello"
        accepted = "/ok=true"
        [policy]
        "4000-4099" = "fatal"
        429 = "1m"
    "#;
    let json = r#"{
        "connect_timeout": 3000, "data_timeout": "1500ms", "max_message_size": 65536,
        "reconnect": {"initial_delay": "250", "multiplier": "1.500", "jitter": "full"},
        "heartbeat": {"kind": "ping", "interval": 15000},
        "login": {"send": "hello", "accepted": "/ok=true"},
        "policy": {"429": 60000, "4000-4099": "fatal"}
    }"#;

    let config: Config = toml::from_str(toml).unwrap();

    assert_eq!(Ok(&config), read(json).as_ref());
    assert_eq!(config.heartbeat_kind(), HeartbeatKind::Ping);
    assert_eq!(config.max_attempts(), None);
}

/// What each setting says of a value of the wrong kind.
#[test]
fn a_value_of_the_wrong_kind_is_named_with_what_is_wanted() {
    for (json, line) in [
        (r#"[1]"#, "configuration = a list: must be a table"),
        (r#"{"reconnect":3}"#, "reconnect = 3: must be a table"),
        (r#"{"login":"hunter2"}"#, "login = (hidden): must be a table"),
        (r#"{"close_timeout":[1]}"#, "close_timeout = a list: must be a span"),
        (r#"{"close_timeout":{"a":1}}"#, "close_timeout = a table: must be a span"),
        (r#"{"max_message_size":true}"#, "max_message_size = true: must be a size"),
        (r#"{"reconnect":{"multiplier":[]}}"#, "reconnect.multiplier = a list: must be a decimal"),
        (r#"{"reconnect":{"max_attempts":[]}}"#, "reconnect.max_attempts = a list: must be"),
        (r#"{"reconnect":{"max_attempts":"no"}}"#, "reconnect.max_attempts = no: must be"),
        (r#"{"heartbeat":{"strict":"maybe"}}"#, "heartbeat.strict = maybe: must be true or false"),
        (r#"{"heartbeat":{"strict":1}}"#, "heartbeat.strict = 1: must be true or false"),
        (r#"{"policy":{"4000":[]}}"#, "policy.4000 = a list: must be retry, refresh, fatal"),
        (r#"{"policy":{"4000":"366d"}}"#, "policy.4000 = 366d: must be a least delay of at most"),
        (r#"{"login":{"accepted":"/a=b"}}"#, "login.send: must be set if"),
        (
            r#"{"login":{"external":true,"refused":"/a=b"}}"#,
            "login.send: must be set if login.accepted or login.refused is set",
        ),
        (
            r#"{"login":{"external":true,"send":"x"}}"#,
            "login.external = true: must not be set together",
        ),
        (
            r#"{"login":{"dialect":true,"external":true}}"#,
            "login.dialect = true: must not be set together",
        ),
        (
            r#"{"login":{"dialect":true,"send":"x","accepted":"any"}}"#,
            "login.dialect = true: must not be set together",
        ),
    ] {
        let error = read(json).unwrap_err();
        assert!(error.starts_with(line), "{json}: {error}");
    }
    let long = "ä".repeat(65);
    let error = read(&format!(r#"{{"close_timeout":"{long}"}}"#)).unwrap_err();
    assert!(error.starts_with(&format!("close_timeout = {}…: ", "ä".repeat(64))), "{error}");
}

#[test]
fn values_may_be_written_as_an_environment_writes_them() {
    let slow = read(r#"{"heartbeat":{"slowest_link":"64KiB"}}"#).unwrap();
    assert_eq!(slow.slowest_link(), 64 << 10);
    for (rate, shown) in [("1000", "1000"), ("5GiB", "4294967295")] {
        let error = read(&format!(r#"{{"heartbeat":{{"slowest_link":"{rate}"}}}}"#)).unwrap_err();
        assert!(error.starts_with(&format!("heartbeat.slowest_link = {shown}: ")), "{error}");
    }
    let written = read(r#"{"max_message_size":"2 GiB"}"#);
    assert!(written.unwrap_err().starts_with("max_message_size = 2147483648: "));

    let written = read(
        r#"{
            "reconnect": {"max_attempts": "7", "multiplier": "1.25"},
            "heartbeat": {"strict": "true", "phase": "false"},
            "max_message_size": " 3 MiB "
        }"#,
    )
    .unwrap();

    assert_eq!(written.max_attempts(), Some(7));
    assert_eq!(written.backoff().multiplier().thousandths(), 1_250);
    assert!(written.heartbeat_strict() && !written.heartbeat_phase());
    assert_eq!(written.max_message_size(), 3 << 20);
    for (size, bytes) in [("1B", 1), ("1 KiB", 1 << 10), ("1GiB", 1 << 30), ("12", 12)] {
        let config = read(&format!(r#"{{"max_message_size":"{size}"}}"#)).unwrap();
        assert_eq!(config.max_message_size(), bytes, "{size}");
    }
}

#[test]
fn a_login_has_limits() {
    let message = |length: usize, refused: &[&str]| Login::Message {
        send: "x".repeat(length).into(),
        accepted: AcceptanceRule::parse("/a=b").unwrap(),
        refused: refused.iter().map(|rule| RefusalRule::parse(rule).unwrap()).collect(),
        timeout: MILLISECOND,
    };
    let build = |login| fields(Config::builder().login(login));

    assert!(build(message(Config::MAX_LOGIN, &["/a=c", "/a=d:fatal"])).is_empty());
    assert_eq!(build(message(Config::MAX_LOGIN + 1, &["/a=b"])), ["login.refused", "login.send"]);
    assert_eq!(build(message(1, &["/a=c:retry", "/a=c:fatal"])), ["login.refused"]);
    assert_eq!(build(message(1, &["/a=c:0ms"])), ["login.refused"]);
    assert_eq!(build(message(1, &["/a=c:366d"])), ["login.refused"]);
}

#[test]
fn a_login_needs_a_rule_of_acceptance_and_the_error_names_the_setting() {
    let limits = |login: &str| read(&format!(r#"{{"login":{login}}}"#)).unwrap_err().to_string();

    let error = limits(r#"{"send":"open sesame"}"#);
    assert!(error.contains("login.accepted") && error.contains("\"any\""), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let error = limits(r#"{"send":"open sesame","accepted":"type"}"#);
    assert!(error.contains("login.accepted = type:"), "{error}");
    assert!(!error.contains("must be set together"), "{error}");
    let error = limits(r#"{"send":5,"accepted":"any","refused":"/a=b"}"#);
    assert_eq!(error, "login.send = (hidden): must be a string", "and not that it is missing");
    let error = limits(r#"{"send":"x","accepted":"any","refused":["/a=b:400d","/c=\\:d:0s"]}"#);
    assert!(error.contains("login.refused = /a=b:400d: the least delay must be"), "{error}");
    assert!(error.contains(r"login.refused = /c=\:d:0ms: the least delay must be"), "{error}");
    for rules in [r#""accepted":"any""#, r#""refused":"/a=b""#, r#""refused":[]"#] {
        let error = limits(&format!("{{{rules}}}"));
        assert!(error.contains("login.send"), "{error}");
    }
}

#[test]
fn the_rules_of_a_login_are_read_alone_or_as_a_list() {
    let login = |rules: &str| {
        let json = format!(r#"{{"login":{{"send":"x",{rules}}}}}"#);
        let Login::Message { accepted, refused, .. } = read(&json).unwrap().login().clone() else {
            panic!("no login")
        };
        (accepted, refused)
    };
    let refusals = |rules: &[&str]| -> Vec<RefusalRule> {
        rules.iter().map(|rule| RefusalRule::parse(rule).unwrap()).collect()
    };

    let (accepted, refused) = login(r#""accepted":"any""#);
    assert_eq!((accepted, refused), (AcceptanceRule::Any, Vec::new()));
    let (accepted, refused) = login(r#""accepted":"/a=any","refused":"/a=b:fatal""#);
    assert_eq!(accepted, AcceptanceRule::parse("/a=any").unwrap());
    assert_eq!(refused, refusals(&["/a=b:fatal"]));
    let (_, refused) = login(r#""accepted":"any","refused":["/a=b","/a=c:30s"]"#);
    assert_eq!(refused, refusals(&["/a=b", "/a=c:30s"]));
    for (wrong, shown) in [
        (r#""a=b""#, &["a=b"][..]),
        (r#"["/a=b","c",1]"#, &["c", "1"]),
        (r#"[["/a=b"]]"#, &["a list"]),
        ("true", &["true"]),
        ("{}", &["a table"]),
    ] {
        let json = format!(r#"{{"login":{{"send":"x","accepted":"any","refused":{wrong}}}}}"#);
        let error = read(&json).unwrap_err();
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), shown.len(), "each wrong rule is reported: {error}");
        for (line, shown) in lines.iter().zip(shown) {
            assert!(line.starts_with(&format!("login.refused = {shown}: must be")), "{line}");
        }
    }
}

#[test]
fn only_a_last_word_that_is_a_verdict_is_no_part_of_a_refusals_value() {
    let least = |span| Verdict::RetryNoSoonerThan(Duration::from_secs(span));
    for (text, value, verdict) in [
        ("/a=b", "b", Verdict::RefreshCredentials),
        ("/a=b:refresh", "b", Verdict::RefreshCredentials),
        ("/a=b:retry", "b", Verdict::Retry),
        ("/a=b:fatal", "b", Verdict::Fatal),
        ("/a=b:30s", "b", least(30)),
        ("/a=b:1m", "b", least(60)),
        ("/a=:fatal", "", Verdict::Fatal),
        ("/a=b:c", "b:c", Verdict::RefreshCredentials),
        ("/a=b:", "b:", Verdict::RefreshCredentials),
        ("/a=12:30", "12:30", Verdict::RefreshCredentials),
        ("/a=b:fatal:c", "b:fatal:c", Verdict::RefreshCredentials),
        ("/a=b:c:fatal", "b:c", Verdict::Fatal),
        ("/a=b:Fatal", "b:Fatal", Verdict::RefreshCredentials),
        ("/a=wait: 30s", "wait: 30s", Verdict::RefreshCredentials),
        (r"/a=b\:fatal", "b:fatal", Verdict::RefreshCredentials),
        (r"/a=b\:fatal:retry", "b:fatal", Verdict::Retry),
        (r"/a=b\:c", "b:c", Verdict::RefreshCredentials),
        (r"/a=b\c", r"b\c", Verdict::RefreshCredentials),
        ("/a:fatal=b", "b", Verdict::RefreshCredentials),
    ] {
        let pointer = text.split('=').next().unwrap();
        let rule = JsonRule::parse(&format!("{pointer}={value}")).unwrap();
        assert_eq!(RefusalRule::parse(text), Some(RefusalRule { rule, verdict }), "{text}");
    }
    assert_eq!(RefusalRule::parse("a=b:fatal"), None);
    assert_eq!(RefusalRule::parse("/a:fatal"), None);
}

#[test]
fn a_driver_with_a_provider_asks_it_and_changes_no_other_setting() {
    let config = Config::builder().initial_delay(Duration::from_secs(3)).build().unwrap();
    let asking = config.with_provider();
    assert!(asking.asks_provider() && !config.asks_provider());
    let asked = Config::builder().initial_delay(Duration::from_secs(3)).ask_provider(true);
    assert_eq!(asking, asked.build().unwrap());
}
