//! The command `gateway check`.

use super::common::{Ended, file, gateway, run};

async fn check(path: &str) -> Ended {
    run(gateway(&["check", path]), b"").await
}

#[tokio::test]
async fn a_valid_file_is_shown_with_its_effective_values_and_without_secrets() {
    let config = file(
        "valid.toml",
        "url = 'wss://hunter2:hunter2@gateway.example/feed?token=hunter2'\nclose_timeout = 500\n\
         [headers]\nAuthorization = 'hunter2'\n[login]\nsend = 'hunter2'\naccepted = 'any'\n\
         refused = ['/error=auth', '/error=busy:30s']\n[policy]\n4403 = 'fatal'",
    );

    let Ended { status, stdout, stderr } = check(config.to_str().expect("its name is text")).await;

    assert_eq!(status, Some(0), "{stderr}");
    assert!(!stdout.contains("hunter2") && !stderr.contains("hunter2"), "{stdout}");
    let value = |path: &str| {
        let line = stdout.lines().find(|line| line.trim_start().starts_with(path));
        line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_default().to_owned()
    };
    assert!(stdout.contains(" is valid\n"), "{stdout}");
    assert_eq!(value("url"), "wss://gateway.example/feed");
    assert_eq!(value("close_timeout"), "500");
    assert_eq!(value("reconnect.max_delay"), "34s");
    assert_eq!(value("headers.Authorization"), "(hidden)");
    assert_eq!(value("login.send"), "(hidden)");
    assert_eq!(value("login.accepted"), "any");
    assert!(stdout.contains("  /error=auth, /error=busy:30s  "), "{stdout}");
    assert_eq!(value("policy.4403"), "fatal");
}

#[tokio::test]
async fn defaults_that_depend_on_other_settings_are_shown_as_they_are_in_force() {
    let config = file(
        "dependent.toml",
        "url = 'ws://h'\nconnect_timeout = '5s'\n[heartbeat]\ninterval = '2s'",
    );

    let Ended { status, stdout, .. } = check(config.to_str().expect("its name is text")).await;

    assert_eq!(status, Some(0));
    for (path, value) in [("connect_timeout_max", "5s"), ("heartbeat.timeout", "2s")] {
        let line = stdout.lines().find(|line| line.trim_start().starts_with(path));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        assert_eq!(words, [path, value, "default"], "{stdout}");
    }
}

#[tokio::test]
async fn every_error_is_told_with_field_value_limit_and_file() {
    let config = file(
        "wrong.toml",
        "url = 'http://u:hunter2@h'\ncolour = 1\nseed = 'x'\nsubprotocols = ['no good']\n\
         [headers]\n'no good' = 'hunter2'\n[reconnect]\ninitial_delay = '0ms'\n\
         [heartbeat]\nkind = 'morse'\nbeat = 1\n[tls]\nca_cert = '/nowhere/ca.pem'\n\
         [policy]\n9 = 'fatal'\n4000 = 'maybe'\n[login]\ntimeout = 'soon'\naccepted = '/a=b'",
    );
    let path = config.to_str().expect("its name is text");

    let Ended { status, stdout, stderr } = check(path).await;

    assert_eq!((status, stdout.as_str()), (Some(2), ""));
    assert!(!stderr.contains("hunter2"), "{stderr}");
    for start in [
        "url = \"http://h\": ",
        "colour: unknown field",
        "seed = \"x\": ",
        "subprotocols",
        "headers.no good: ",
        "reconnect.initial_delay = \"0ms\": must be ",
        "heartbeat.kind = \"morse\": must be ping, json, dialect or off",
        "heartbeat.beat: unknown field",
        "tls.ca_cert = \"/nowhere/ca.pem\": ",
        "policy.9 = \"fatal\": ",
        "policy.4000 = \"maybe\": ",
        "login.timeout = \"soon\": ",
        "login.send: must be set",
    ] {
        let line = stderr.lines().find(|line| line.trim_start().starts_with(start));
        let line = line.unwrap_or_else(|| panic!("{start}: {stderr}"));
        assert!(line.contains(&format!("[{path}")) || start == "login.send: must be set", "{line}");
    }
    assert!(stderr.starts_with("error: the configuration is not valid: 13 errors\n"), "{stderr}");
}

#[tokio::test]
async fn what_is_no_toml_and_what_is_no_file_is_told() {
    let config = file("broken.toml", "url = 'ws://h'\n[login]\nsend = 'hunter2\n");

    let Ended { status, stderr, .. } = check(config.to_str().expect("its name is text")).await;
    assert_eq!(status, Some(2));
    assert!(stderr.contains("is not valid TOML: line 3, column"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");

    let Ended { status, stderr, .. } = check("/nowhere/gateway.toml").await;
    assert_eq!(status, Some(2));
    assert!(stderr.contains("cannot be read"), "{stderr}");
}

/// They may come later, as flags.
#[tokio::test]
async fn the_secrets_that_a_dialect_needs_are_named_and_no_error() {
    let config = file("needs.toml", "dialect = 'json'");

    let Ended { status, stdout, stderr } = check(config.to_str().expect("its name is text")).await;

    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    let need = "\nto connect, the dialect also needs --secret token=TEXT|@FILE\n";
    assert!(stdout.contains(need), "{stdout}");
}
