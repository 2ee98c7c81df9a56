//! Which place decides, and what is said about what is wrong.

use std::{path::Path, time::Duration};

use clap::FromArgMatches as _;
use gateway_tokio::core::{AcceptanceRule, Login, RefusalRule, Verdict};

use super::{own::redacted, probe::command, *};

mod sending;

/// Flags as clap reads them. The environment is tested with processes of their own.
fn flags(arguments: &[&str]) -> Flags {
    let matches = command().try_get_matches_from(arguments).expect("clap takes them");
    Flags::from_arg_matches(&matches).expect("text is read")
}

fn load(file: &str, arguments: &[&str]) -> Result<Settings, String> {
    load_for(Purpose::Inspect, file, arguments)
}

fn load_for(purpose: Purpose, file: &str, arguments: &[&str]) -> Result<Settings, String> {
    let tree = Tree::of_text(Path::new("gateway.toml"), file);
    Settings::of(tree, flags(arguments).into_layers(), purpose, &|_| None)
        .map_err(|errors| errors.to_string())
}

#[test]
fn a_flag_is_over_the_file_and_the_file_over_the_default() {
    let file = "connect_timeout = 3000\n[heartbeat]\ninterval = '20s'\nstrict = true";

    let settings = load(file, &["--heartbeat-interval", "15s", "--heartbeat-phase"]).unwrap();

    let config = settings.config;
    assert_eq!(config.heartbeat_interval(), Duration::from_secs(15));
    assert_eq!(config.connect_timeout(), Duration::from_secs(3));
    assert!(config.heartbeat_strict());
    assert_eq!(config.heartbeat_timeout(), Duration::from_secs(5));
}

#[test]
fn the_slowest_link_is_a_size_or_a_number_of_bytes_within_its_limits() {
    let rate = |file, arguments: &[&str]| {
        load(file, arguments).map(|settings| settings.config.slowest_link())
    };

    assert_eq!(rate("", &[]), Ok(32 << 10));
    assert_eq!(rate("heartbeat.slowest_link = '64KiB'", &[]), Ok(64 << 10));
    assert_eq!(rate("heartbeat.slowest_link = 2000", &[]), Ok(2_000));
    let flag = ["--heartbeat-slowest-link", "1MiB"];
    assert_eq!(rate("heartbeat.slowest_link = 2000", &flag), Ok(1 << 20));
    let error = rate("", &["--heartbeat-slowest-link", "1023"]).unwrap_err();
    assert!(error.contains("heartbeat.slowest_link = \"1023\": must be "), "{error}");
}

#[test]
fn a_switch_of_the_file_is_turned_off_by_its_flag() {
    let settings = load("heartbeat.strict = true", &["--heartbeat-strict=false"]).unwrap();

    assert!(!settings.config.heartbeat_strict());
}

#[test]
fn rules_and_headers_are_laid_over_those_of_the_file_one_by_one() {
    let file = "[policy]\n4000 = 'retry'\n4001 = 'fatal'\n[headers]\nX-One = 'a'\nX-Two = 'b'";

    let arguments = ["--policy", "4000=fatal", "--header", "x-two: c", "--header", "X-Three:d"];
    let settings = load(file, &arguments).unwrap();

    let policy = settings.config.policy();
    assert_eq!(policy.judge(4000).verdict(), Verdict::Fatal);
    assert_eq!(policy.judge(4001).verdict(), Verdict::Fatal);
    let headers = [("X-One", "a"), ("X-Three", "d"), ("X-Two", "c")];
    assert_eq!(settings.own.headers, headers.map(|(name, value)| (name.into(), value.into())));
}

#[test]
fn the_programs_own_fields_are_read() {
    let file = "name = 'feed'\nurl = 'ws://h'\nseed = 7\nsend_stall = '2m'\nsubprotocols = ['a']\n[tls]\ninsecure = true";

    let own = load(file, &["--subprotocol", "b", "--subprotocol", "c"]).unwrap().own;

    assert_eq!(own.name.as_deref(), Some("feed"));
    assert_eq!(own.url.as_deref(), Some("ws://h"));
    assert_eq!(own.seed, Some(7));
    assert_eq!(own.send_stall, Some(std::time::Duration::from_secs(120)));
    assert_eq!(own.subprotocols, ["b", "c"]);
    assert!(own.insecure);
}

#[test]
fn a_name_is_short_and_visible() {
    let errors = load("", &["ws://h", "--name", "two words"]).err().expect("errors");
    let limit = "must be 1 to 64 visible ASCII characters without a space";
    assert!(errors.contains(&format!("name = \"two words\": {limit}  [--name]")), "{errors}");
    assert!(load("name = 7", &["ws://h"]).err().expect("errors").contains("must be a string"));
}

#[test]
fn a_check_that_is_off_cannot_trust_a_file() {
    for (file, arguments, places) in [
        ("[tls]\ninsecure = true\nca_cert = 'ca.pem'", [].as_slice(), "[gateway.toml]"),
        ("tls.ca_cert = 'ca.pem'", &["--insecure"], "[--insecure, gateway.toml]"),
        ("", &["--ca-cert", "ca.pem", "--insecure"], "[--insecure, --ca-cert]"),
    ] {
        let errors = load(file, arguments).err().expect("errors");
        let line = "tls.insecure = \"true\": must not be set together with tls.ca_cert";
        assert!(errors.contains(&format!("  {line}  {places}\n")), "{errors}");
    }
}

#[test]
fn a_client_certificate_needs_its_key_and_every_file_is_judged() {
    let key = "tls.key: must be given together with tls.cert; one file may hold both  [";
    let errors = load("", &["--cert", "/nowhere/c.pem"]).err().expect("errors");
    assert!(errors.contains(key), "{errors}");
    let errors = load("tls.key = '/nowhere/k.pem'", &[]).err().expect("errors");
    assert!(errors.contains("tls.cert: must be given together with tls.key  ["), "{errors}");

    let file = "[tls]\nca_cert = '/nowhere/ca.pem'\ncert = '/nowhere/c.pem'\nkey = ''";
    let errors = load(file, &["--key", "/nowhere/k.pem"]).err().expect("errors");
    for start in ["tls.ca_cert = \"/nowhere/ca.pem\": ", "tls.cert = \"/nowhere/c.pem\": "] {
        let line = format!("  {start}must be a file that can be read: ");
        assert!(errors.contains(&line), "{errors}");
    }
    let errors = load("tls.cert = 1\ntls.key = ''", &[]).err().expect("errors");
    assert!(errors.contains("  tls.cert = \"1\": must be the path of a PEM file"), "{errors}");
    assert!(
        errors.contains("  tls.key = \"\\\"\\\"\": must be the path of a PEM file"),
        "{errors}"
    );
}

#[test]
fn a_switch_takes_one_and_zero() {
    for (text, expected) in [("1", true), ("0", false), ("true", true), ("false", false)] {
        let flag = format!("--heartbeat-strict={text}");
        assert_eq!(load("", &[&flag]).unwrap().config.heartbeat_strict(), expected, "{text}");
    }
    assert!(load("", &["--heartbeat-strict=2"]).is_err());
}

#[test]
fn a_place_is_told_once_and_an_unknown_field_has_its_own_alone() {
    let file = "[reconnect]\nmax_delay = '2s'\ninitial_delay = '5s'\n[colours]\nred = 1";

    let errors = load(file, &["ws://h", "--seed", "7"]).err().expect("errors");

    let crossed = "must be at most reconnect.max_delay (2s)  [gateway.toml]\n";
    assert!(errors.contains(crossed), "{errors}");
    let unknown = errors.lines().find(|line| line.contains("colours")).expect("an unknown field");
    assert!(unknown.ends_with("  [gateway.toml]"), "{unknown}");
}

#[test]
fn every_error_is_told_with_its_place() {
    let file = "colour = 1\nclose_timeout = 'soon'\ntls.trust = 1\n[login]\nexternal = true\n\
                [reconnect]\nmax_delay = '2s'";

    let arguments =
        ["--initial-delay", "5s", "--seed", "-1", "--policy", "9=fatal", "--header", "bearer"];
    let errors = load(file, &arguments).err().expect("errors");

    for line in [
        "error: the configuration is not valid: 8 errors",
        "  seed = \"-1\": must be a number from 0 to 18446744073709551615  [--seed]",
        "  headers: must be NAME: VALUE  [--header]",
        "  tls.trust: unknown field; the known fields are ca_cert, proxy_ca_cert, cert, key, insecure  [gateway.toml]",
        "  login.external: is only for programs that embed the library  [gateway.toml]",
        "  close_timeout = \"soon\": must be a span such as 500ms, 30s or 5m, or a number of \
         milliseconds  [gateway.toml]",
        "  reconnect.initial_delay = \"5s\": must be at most reconnect.max_delay (2s)  \
         [--initial-delay, gateway.toml]",
    ] {
        assert!(errors.contains(&format!("{line}\n")), "{line}\n{errors}");
    }
    assert!(errors.contains("  policy.9 = \"fatal\": must be named CODE"), "{errors}");
    assert!(
        errors.contains("  colour: unknown field; the known fields are reconnect,"),
        "{errors}"
    );
    assert!(
        errors.contains("max_message_size, name, url, metrics, dialect, on_ready,"),
        "{errors}"
    );
}

#[test]
fn a_rule_that_crosses_another_is_told_with_its_flag() {
    let file = "[policy]\n4000-4010 = 'retry'";

    let errors = load(file, &["--policy", "4005-4020=fatal"]).err().expect("errors");

    assert!(errors.contains("must not cross the rule"), "{errors}");
    assert!(errors.contains("[--policy"), "{errors}");
}

#[test]
fn a_secret_is_in_no_error_and_no_summary() {
    for file in [
        "login = 'hunter2'",
        "secrets = 'hunter2'",
        "secrets.token = ['hunter2']",
        "secrets.token = '@hunter2'",
        "dialect = 'json'\nsecrets.token = 'hunter2'\nseed = 'x'",
        "[dialect.login]\nsend = 'hunter2 ${nothing}'\nok = 'x'",
        "[login]\nsend = 'hunter2\n",
        "[login]\nsend = 'hunter2'\ntimeout = 'x'",
        "headers = 'hunter2'",
        "headers = ['hunter2']",
        "headers.Authorization = ['hunter2']",
        "url = ['hunter2']",
        "[login]\nsend = '@hunter2'",
    ] {
        let errors = load(file, &["--header", "hunter2"]).err().expect("errors");
        assert!(!errors.contains("hunter2"), "{file}: {errors}");
    }
    let file = "url = 'wss://hunter2:hunter2@h/p?token=hunter2'\nlogin.send = 'hunter2'\n\
                login.accepted = 'any'\nheaders.Cookie = 'hunter2'";

    let summary = load(file, &[]).unwrap().summary.to_string();

    assert!(!summary.contains("hunter2"), "{summary}");
    assert!(summary.contains("wss://h/p"), "{summary}");
}

#[test]
fn a_url_is_shown_without_userinfo_query_and_fragment() {
    for (url, shown) in [
        ("wss://h:1/p?q#f", "wss://h:1/p"),
        ("wss://u:p@h/p", "wss://h/p"),
        ("wss://u:p@p@h", "wss://h"),
        ("u:p@h", "h"),
        ("ws://h#u@p", "ws://h"),
    ] {
        assert_eq!(redacted(url), shown);
    }
}

#[test]
fn a_login_stands_in_a_file_where_it_begins_with_an_at() {
    let login = std::env::temp_dir().join(format!("gateway-login-{}", std::process::id()));
    std::fs::write(&login, "hunter2\r\n").unwrap();

    let flags = ["--login", &format!("@{}", login.display()), "--login-ok", "any"];
    let settings = load("", &flags);

    std::fs::remove_file(&login).unwrap();
    let settings = settings.unwrap();
    assert_eq!(settings.own.login_file.as_deref(), Some(login.as_path()));
    let Login::Message { send, .. } = settings.config.login() else { panic!("no login") };
    assert_eq!(send.reveal(), "hunter2");
}

#[test]
fn rules_for_a_logins_answers_that_only_the_environment_names_are_ignored_without_a_login() {
    let variables = [("GATEWAY_LOGIN_OK", "any"), ("GATEWAY_LOGIN_REFUSED", "/ok=false:fatal")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let login = |arguments: &[&str]| match probe::probe("", flags(arguments), &variables).unwrap() {
        probe::Probed::Loaded(settings) => settings.config.login().clone(),
        probe::Probed::Refused(errors) => panic!("{errors}"),
    };

    assert_eq!(login(&[]), Login::None);
    assert!(
        matches!(login(&["--login", "hello"]), Login::Message { refused, .. } if refused.len() == 1)
    );
    assert!(load("", &["--login-ok", "any"]).err().unwrap().contains("login.send"));
}

/// The rules for the answers to a login: the one that accepts, and those that refuse.
fn rules(file: &str, arguments: &[&str]) -> (AcceptanceRule, Vec<(String, Verdict)>) {
    let settings = load(file, &[&["--login", "hello"], arguments].concat()).unwrap();
    let Login::Message { accepted, refused, .. } = settings.config.login() else {
        panic!("no login")
    };
    let refused = refused.iter().map(|RefusalRule { rule, verdict }| (rule.to_string(), *verdict));
    (accepted.clone(), refused.collect())
}

#[test]
fn a_login_without_a_rule_that_accepts_is_one_error_that_names_the_flag() {
    for (file, arguments, place) in [
        ("", ["--login", "hunter2"].as_slice(), "[--login]"),
        ("login.send = 'hunter2'", &[], "[gateway.toml]"),
        ("login.send = 'hunter2'", &["--login-refused", "/ok=false"], "[gateway.toml]"),
    ] {
        let errors = load(file, arguments).err().expect("an error");
        let lines: Vec<&str> = errors.lines().collect();
        assert_eq!(lines.len(), 2, "{errors}");
        assert_eq!(lines[0], "error: the configuration is not valid");
        assert!(lines[1].starts_with("  login.accepted: must be set "), "{errors}");
        for part in ["--login-ok POINTER=VALUE", "--login-ok any", place] {
            assert!(lines[1].contains(part), "{part}: {errors}");
        }
    }
    let errors = load("", &["--login", "x", "--login-ok", "yes"]).err().expect("an error");
    assert!(errors.contains("login.accepted = \"yes\": must be POINTER=VALUE"), "{errors}");
    assert!(errors.ends_with("  [--login-ok]\n") && errors.lines().count() == 2, "{errors}");
}

#[test]
fn a_login_is_accepted_by_any_answer_or_by_one_that_matches() {
    assert_eq!(rules("", &["--login-ok", "any"]), (AcceptanceRule::Any, vec![]));
    let rule = AcceptanceRule::parse("/type=login_ok").unwrap();
    assert_eq!(rules("", &["--login-ok", "/type=login_ok"]).0, rule);
    assert_eq!(rules("login.accepted = 'any'", &["--login-ok", "/type=login_ok"]).0, rule);
}

#[test]
fn each_refusal_has_its_verdict_and_a_colon_may_be_part_of_the_value() {
    let least = |seconds| Verdict::RetryNoSoonerThan(Duration::from_secs(seconds));
    for (text, rule, verdict) in [
        ("/a=b", "/a=b", Verdict::RefreshCredentials),
        ("/a=b:refresh", "/a=b", Verdict::RefreshCredentials),
        ("/a=b:retry", "/a=b", Verdict::Retry),
        ("/a=b:fatal", "/a=b", Verdict::Fatal),
        ("/a=b:30s", "/a=b", least(30)),
        ("/a=b:c", "/a=b:c", Verdict::RefreshCredentials),
        (r"/a=b\:fatal", "/a=b:fatal", Verdict::RefreshCredentials),
        (r"/a=b\:30s:5s", "/a=b:30s", least(5)),
        ("/a=12:30", "/a=12:30", Verdict::RefreshCredentials),
        ("/a=b:fatal:x", "/a=b:fatal:x", Verdict::RefreshCredentials),
        ("/a=b:fatal:retry", "/a=b:fatal", Verdict::Retry),
        ("/a=:fatal", "/a=", Verdict::Fatal),
    ] {
        let expected = vec![(rule.to_owned(), verdict)];
        assert_eq!(rules("", &["--login-ok", "any", "--login-refused", text]).1, expected);
    }
    for text in ["a=b", "/a", "fatal"] {
        let arguments = ["--login", "x", "--login-ok", "any", "--login-refused", text];
        let errors = load("", &arguments).err().expect("an error");
        assert!(errors.contains("must be POINTER=VALUE[:VERDICT]"), "{errors}");
        assert!(errors.ends_with("  [--login-refused]\n"), "{errors}");
    }
}

#[test]
fn several_refusals_are_a_list_and_those_of_the_flags_replace_the_files() {
    let flags = ["--login-refused", "/a=b", "--login-refused", "/a=c:fatal"];
    let two =
        vec![("/a=b".to_owned(), Verdict::RefreshCredentials), ("/a=c".to_owned(), Verdict::Fatal)];
    let any = "login.accepted = 'any'\n";
    assert_eq!(rules(any, &flags).1, two);
    assert_eq!(rules(&format!("{any}login.refused = ['/a=b', '/a=c:fatal']"), &[]).1, two);
    assert_eq!(rules(&format!("{any}login.refused = '/a=c:fatal'"), &[]).1, two[1..]);
    assert_eq!(rules(&format!("{any}login.refused = '/x=y'"), &flags).1, two);
}

#[test]
fn the_rules_of_a_login_are_shown_and_its_text_is_not() {
    let login = "login.send = 'hunter2'\nlogin.accepted = '/type=login_ok'\n";
    for (refused, shown) in
        [("'/a=b:fatal'", "/a=b:fatal"), ("['/a=b', '/a=c:30s']", "/a=b, /a=c:30s")]
    {
        let file = format!("{login}login.refused = {refused}");
        let summary = load(&file, &[]).unwrap().summary.to_string();
        let words = summary.split_whitespace().collect::<Vec<_>>().join(" ");
        for line in ["login.send (hidden)", "login.accepted /type=login_ok gateway.toml"] {
            assert!(words.contains(line), "{line}: {summary}");
        }
        assert!(words.contains(&format!("login.refused {shown} gateway.toml")), "{summary}");
    }
}

#[test]
fn a_preset_brings_its_subprotocol_path_and_policy_unless_they_are_set() {
    let loaded = |more: &[&str]| {
        let file = "dialect = 'graphql-transport-ws'";
        let arguments = [&["ws://h"][..], more].concat();
        load(file, &arguments).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let settings = loaded(&[]);
    assert_eq!(settings.own.subprotocols, ["graphql-transport-ws"]);
    assert_eq!(settings.config.policy().judge(4400).verdict(), Verdict::Fatal);

    let settings = loaded(&["--subprotocol", "own", "--policy", "4000-4499=retry"]);
    assert_eq!(settings.own.subprotocols, ["own"]);
    assert_eq!(settings.config.policy().judge(4400).verdict(), Verdict::Retry);

    let url = |url: &str| {
        let settings =
            load("dialect = 'socket.io'", &[url]).unwrap_or_else(|errors| panic!("{errors}"));
        settings.own.url.unwrap_or_default()
    };
    assert_eq!(url("ws://h"), "ws://h/socket.io/?EIO=4&transport=websocket");
    assert_eq!(url("ws://h/own"), "ws://h/own");
}

#[test]
fn a_dialect_that_is_wrong_is_told_with_what_to_do() {
    for (file, arguments, line) in [
        (
            "",
            &["--dialect", "socketio"][..],
            "dialect = \"socketio\": must be a TOML file or a preset, such as socket.io  [--dialect]",
        ),
        ("", &["--dialect", "./none.toml"], "dialect = \"./none.toml\": the file cannot be read: "),
        ("dialect = 7", &[], "dialect = \"7\": must be a preset's name, a TOML file, or a table"),
        (
            "",
            &["--dialect", "json", "--secret", "token=x", "--login", "{}", "--login-ok", "any"],
            "login.send: must not be set: the dialect logs in; give it what it needs as --secret",
        ),
        ("", &["--secret", "token"], "secrets: must be NAME=TEXT|@FILE  [--secret]"),
        ("on_ready = [7]", &[], "on_ready = \"7\": must be a list of texts"),
        ("on_ready = [['hunter2']]", &[], "on_ready: must be a list of texts"),
        ("login.dialect = true", &[], "login.dialect: is set by --dialect alone"),
    ] {
        let arguments = [&["ws://h"][..], arguments].concat();
        let errors = load(file, &arguments).err().expect("errors");
        assert!(errors.contains(line), "{line}\n{errors}");
    }
}

#[test]
fn only_a_connection_needs_a_url_and_the_secrets_of_its_dialect() {
    let arguments = ["--dialect", "json"];

    assert!(load("", &arguments).is_ok());

    let errors = load_for(Purpose::Connect, "", &arguments).err().expect("errors");
    for line in [
        "2 errors",
        "url: must be given: as <URL>",
        "secrets.token: must be given, as --secret token=TEXT or token=@FILE",
    ] {
        assert!(errors.contains(line), "{line}\n{errors}");
    }
}

#[test]
fn an_error_in_a_dialects_file_is_told_with_that_file() {
    let path = std::env::temp_dir().join(format!("gateway-dialect-{}.toml", std::process::id()));
    let name = path.display().to_string();
    let told = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let file = "name = 'feed'\nheartbeat.interval = '20s'";
        load(file, &["ws://h", "--dialect", &name]).err().expect("errors")
    };

    let errors = told("[heartbeat]\nsend = 'a'\ninterval = '2s'\ntimeout = '5s'\nsnd = 'b'");
    let syntax = told("[heartbeat]\nsend =");
    let capture = told("[heartbeat]\nsend = 'a'\ninterval = { from = 'x', unit = 's' }");

    std::fs::remove_file(&path).unwrap();
    for line in [
        "  dialect.heartbeat.timeout = \"5s\": must be at most heartbeat.interval (2s)",
        "  dialect.heartbeat.snd: unknown field; near it: send; the known fields are send, pong, stamp, \
         interval, timeout, expect",
    ] {
        assert!(errors.contains(&format!("{line}  [{name}]\n")), "{errors}");
    }
    assert!(syntax.contains("  dialect, line 2: is not TOML: "), "{syntax}");
    for errors in [syntax, capture] {
        assert!(
            errors.ends_with(&format!("  [{name}]\n")) && errors.lines().count() == 2,
            "{errors}"
        );
    }
}

#[test]
fn a_secret_that_the_dialect_does_not_use_is_told_with_near_names() {
    for (dialect, secret, limit) in [
        ("socket.io", "ath=x", "secrets.ath: the dialect uses no secret \"ath\"; near it: auth"),
        ("nats", "user=x", "secrets.user: the dialect uses no secret \"user\"; near it: username"),
        ("ping", "token=x", "secrets.token: the dialect uses no secret \"token\"; it uses none"),
    ] {
        let errors = load("", &["ws://h", "--dialect", dialect, "--secret", secret]);
        let errors = errors.err().expect("errors");
        assert!(errors.contains(&format!("  {limit}  [--secret, --dialect]\n")), "{errors}");
    }
    let file = "secrets.ath = 'hunter2'\ndialect.on_ready = '${secret:auth:-x}'";
    let errors = load(file, &["ws://h"]).err().expect("errors");
    let line = "  secrets.ath: the dialect uses no secret \"ath\"; near it: auth  [gateway.toml]\n";
    assert!(errors.contains(line), "{errors}");
}

#[test]
fn a_login_timeout_goes_before_the_one_of_the_dialect() {
    let timeout = |file, arguments: &[&str]| {
        let settings = load(file, arguments).unwrap_or_else(|errors| panic!("{errors}"));
        let duties = settings.own.dialect.expect("a dialect").duties();
        match settings.config.with_dialect(duties).login() {
            Login::Dialect { timeout } => Some(*timeout),
            _ => None,
        }
    };
    let json = ["--dialect", "json", "--secret", "token=x"];
    let short = [&json[..], &["--login-timeout", "3s"]].concat();

    assert_eq!(timeout("", &json), Some(Login::TIMEOUT));
    assert_eq!(timeout("", &short), Some(Duration::from_secs(3)));
    assert_eq!(timeout("login.timeout = '4s'", &json), Some(Duration::from_secs(4)));
    assert_eq!(timeout("", &["--dialect", "ping", "--login-timeout", "3s"]), None);
}

#[test]
fn every_error_of_a_dialect_in_the_file_is_told() {
    let file = "[dialect]\nsumary = 'x'\n[dialect.heartbeat]\nsend = '${nothing}'\npong = '?'";

    let errors = load(file, &["ws://h"]).err().expect("errors");

    for part in ["sumary", "heartbeat.send", "heartbeat.pong"] {
        assert!(errors.contains(part), "{part}\n{errors}");
    }
}
