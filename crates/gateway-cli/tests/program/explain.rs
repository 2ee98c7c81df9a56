//! The command `gateway explain`.

use super::common::{Ended, file, gateway, run};

async fn explain(arguments: &[&str]) -> Ended {
    run(gateway(&[&["explain"], arguments].concat()), b"").await
}

#[tokio::test]
async fn the_verdict_the_rule_and_both_directions_are_told() {
    for (code, parts) in [
        (
            "1000",
            ["normal closure", "fatal:", "rule       1000, a default", "on the application's"],
        ),
        (
            "1006",
            [
                "lost without",
                "retry: after 1s to 3s",
                "rule       1006,",
                "never: a client reports it",
            ],
        ),
        ("1009", ["too big", "fatal:", "rule       1009,", "sent to a peer whose message"]),
        ("4321", ["private", "retry:", "rule       4000-4999, a default", "with this code"]),
        ("401", ["HTTP status 401", "refresh:", "rule       401,", "never: an HTTP status"]),
        ("418", ["client error", "fatal:", "rule       400-499,", "never:"]),
        ("503", ["server error", "Retry-After is honoured", "rule       500-599,", "never:"]),
    ] {
        let Ended { status, stdout, .. } = explain(&[code]).await;
        assert_eq!(status, Some(0));
        for part in parts {
            assert!(stdout.contains(part), "{code}, {part}: {stdout}");
        }
    }
}

#[tokio::test]
async fn the_success_of_the_upgrade_is_told_as_such_whatever_the_policy() {
    for arguments in [["101"].as_slice(), &["101", "--policy", "101=fatal"]] {
        let Ended { status, stdout, .. } = explain(arguments).await;
        assert_eq!(status, Some(0));
        for part in ["101: the upgrade succeeded", "CONNECTED", "rule       none", "never: "] {
            assert!(stdout.contains(part), "{part}: {stdout}");
        }
        assert!(!stdout.contains("retry") && !stdout.contains("fatal"), "{stdout}");
    }
}

#[tokio::test]
async fn a_configured_rule_is_told_beside_the_default() {
    let config = file("explain.toml", "reconnect.max_attempts = 3\n[policy]\n4400-4499 = 'fatal'");
    let config = config.to_str().expect("its name is text");

    let Ended { stdout, .. } = explain(&["4403", "--config", config]).await;
    assert!(stdout.contains("fatal:"), "{stdout}");
    assert!(stdout.contains("4400-4499, from the configuration"), "{stdout}");
    assert!(stdout.contains("default    retry: "), "{stdout}");

    let Ended { stdout, .. } = explain(&["4403", "--config", config, "--policy", "4403=45s"]).await;
    assert!(stdout.contains("retry: after 45s at the earliest"), "{stdout}");
    assert!(stdout.contains("at most 3 times"), "{stdout}");
}

/// Without the secrets that it needs to connect.
#[tokio::test]
async fn a_rule_of_the_dialect_is_told_as_such_unless_the_user_has_one() {
    let config = file("explain_dialect.toml", "dialect = 'home-assistant'");
    let config = config.to_str().expect("its name is text");
    for arguments in [["--dialect", "home-assistant"], ["--config", config]] {
        let Ended { status, stdout, stderr } = explain(&[&["1000"], &arguments[..]].concat()).await;
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
        assert!(stdout.contains("refresh:"), "{stdout}");
        assert!(stdout.contains("rule       1000, from the dialect\n"), "{stdout}");

        let own = ["1000", "--policy", "1000=refresh"];
        let Ended { stdout, .. } = explain(&[&own, &arguments[..]].concat()).await;
        assert!(stdout.contains("rule       1000, from the configuration\n"), "{stdout}");
    }
    let mut command = gateway(&["explain", "1000"]);
    command.env("GATEWAY_DIALECT", "mqtt");
    assert!(run(command, b"").await.stdout.contains("from the dialect"));
    let Ended { status, stderr, .. } = explain(&["1000", "--dialect", "homeassistant"]).await;
    assert_eq!(status, Some(2));
    assert!(stderr.contains("home-assistant"), "{stderr}");
}

#[tokio::test]
async fn a_rule_of_the_user_replaces_only_what_it_covers_of_a_dialects_range() {
    for (own, code, rule) in [
        ("4012=retry", "4012", "4012, from the configuration"),
        ("4012=retry", "4013", "4010-4014, from the dialect"),
        ("4010-4014=retry", "4013", "4010-4014, from the configuration"),
        ("4000-4999=retry", "4013", "4000-4999, from the configuration"),
        // Two ranges that overlap partly are an error if both are the user's.
        ("4012-4020=retry", "4013", "4012-4020, from the configuration"),
        ("4012-4020=retry", "4010", "4000-4999, a default"),
    ] {
        let Ended { stdout, .. } = explain(&[code, "--dialect", "discord", "--policy", own]).await;
        assert!(stdout.contains(rule), "{own}: {stdout}");
    }
}

#[tokio::test]
async fn a_number_that_is_neither_is_a_usage_error() {
    for code in ["0", "99", "600", "999", "5000", "-1", "70000", "ten"] {
        let Ended { status, stdout, stderr } = explain(&["--", code]).await;
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{code}");
        assert!(stderr.contains("close code (1000-4999) or an HTTP status (100-599)"), "{stderr}");
    }
    let Ended { status, stderr, .. } =
        explain(&["1000", "--policy", "1=retry", "--policy", "x"]).await;
    assert_eq!(status, Some(2));
    assert!(stderr.contains("2 errors"), "{stderr}");
}
