//! Which place of a setting decides, and usage errors: all of them, without secrets, nothing connected.

mod common;

use std::io;

use common::{Server, file, gateway, run, text};
use tokio::net::TcpListener;

#[tokio::test]
async fn all_errors_are_listed_with_their_places_and_nothing_is_connected() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let url = format!("ws://user:hunter2@{address}/?token=hunter2");
    let config = file("usage.toml", "close_timeout = 'soon'\n[login]\nsend = 'hunter2'\nx = 1");
    let mut command = gateway(&["connect", &url, "--config"]);
    command.arg(&config).env("GATEWAY_JITTER", "some").env("GATEWAY_LOGIN", "hunter2").args([
        "--initial-delay",
        "fast",
        "--policy",
        "1000=never",
        "--header",
        "Authorization hunter2",
        "--header",
        "X-Bad: hunter2\u{1}",
    ]);

    let output = run(command, b"hunter2\n").await?;

    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), stdout.as_str()), (Some(2), ""));
    assert!(!stderr.contains("hunter2"), "{stderr}");
    for (field, place) in [
        ("reconnect.initial_delay = \"fast\"", "[--initial-delay]"),
        ("reconnect.jitter = \"some\"", "[GATEWAY_JITTER]"),
        ("policy.1000 = \"never\"", "[--policy]"),
        ("headers: must be NAME: VALUE", "[--header]"),
        ("headers.X-Bad: ", "[--header]"),
        ("close_timeout = \"soon\"", "usage.toml]"),
        ("login.x: unknown field", "usage.toml]"),
    ] {
        let line = stderr.lines().find(|line| line.trim_start().starts_with(field));
        let line = line.unwrap_or_else(|| panic!("{field}: {stderr}"));
        assert!(line.ends_with(place), "{line}");
    }
    assert!(stderr.starts_with("error: the configuration is not valid: 7 errors\n"), "{stderr}");
    let knocked = futures_util::FutureExt::now_or_never(listener.accept());
    assert!(knocked.is_none(), "it connected");
    Ok(())
}

#[tokio::test]
async fn a_url_must_be_given_once() -> io::Result<()> {
    let none = run(gateway(&["connect"]), b"").await?;
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("url: must be given, as <URL>, in GATEWAY_URL"));

    let two = run(gateway(&["connect", "ws://h", "ws://u:hunter2@h"]), b"").await?;
    assert_eq!(two.status.code(), Some(2));
    assert!(text(&two.stderr).contains("url: must be given once"), "{}", text(&two.stderr));
    assert!(!text(&two.stderr).contains("hunter2"));
    Ok(())
}

#[tokio::test]
async fn a_flag_is_over_the_environment_and_the_environment_over_the_file() -> io::Result<()> {
    let server = Server::start(&[]).await;
    let config = file(
        "layers.toml",
        "url = 'ws://nowhere.invalid'\nmax_message_size = 3\nheartbeat.kind = 'off'",
    );
    let mut command = gateway(&["connect", "--exit-on-eof", "--log-level", "error", "--config"]);
    command.arg(&config).env("GATEWAY_URL", &server.url).env("GATEWAY_SEED", "");

    let output = run(command, b"1234\n123\n").await?;
    assert_eq!(text(&output.stdout), "123\n", "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));

    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--config"]);
    command.arg(&config).env("GATEWAY_URL", "ws://nowhere.invalid");
    command.env("GATEWAY_MAX_MESSAGE_SIZE", "2").args(["--max-message-size", "4B"]);
    let output = run(command, b"1234\n123\n").await?;
    assert_eq!(text(&output.stdout), "1234\n123\n", "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn the_help_names_every_flag_variable_and_default_and_no_value_of_the_environment()
-> io::Result<()> {
    let mut command = gateway(&["connect", "--help"]);
    command.env("GATEWAY_LOGIN", "hunter2").env("GATEWAY_URL", "ws://u:hunter2@h");

    let output = run(command, b"").await?;

    let help = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for part in ["--initial-delay", "GATEWAY_INITIAL_DELAY", "[default: 30s]", "--login-refused"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(help.contains("connect [OPTIONS] [URL]\n") && !help.contains("[URL]..."), "{help}");
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Without --login-ok any text answer accepts, and is printed"), "{help}");
    assert!(!help.contains("hunter2"), "{help}");

    let output = run(gateway(&["--help"]), b"").await?;
    assert!(text(&output.stdout).contains("--events - --log-level off "));
    Ok(())
}
