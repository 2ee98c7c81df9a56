//! Which source of a setting wins, and usage errors: all at once, without secrets, before any
//! connection.

use std::io;

use super::common::{Ended, Server, file, gateway, run};
use tokio::net::TcpListener;

#[tokio::test]
async fn all_errors_are_listed_with_their_places_and_nothing_is_connected() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let url = format!("ws://user:hunter2@{address}/?token=hunter2");
    let config = file("usage.toml", "close_timeout = 'soon'\n[login]\nsend = 'hunter2'\nx = 1");
    let mut command = gateway(&["connect", &url, "--config"]);
    command.arg(&config).env("GATEWAY_JITTER", "some").env("GATEWAY_LOGIN", "hunter2");
    command.args(["--initial-delay", "fast", "--policy", "1000=never"]);
    command.args(["--header", "Authorization hunter2", "--header", "X-Bad: hunter2\u{1}"]);

    let Ended { status, stdout, stderr } = run(command, b"hunter2\n").await;
    assert_eq!((status, stdout.as_str()), (Some(2), ""));
    assert!(!stderr.contains("hunter2"), "{stderr}");
    for (field, place) in [
        ("reconnect.initial_delay = \"fast\"", "[--initial-delay]"),
        ("reconnect.jitter = \"some\"", "[GATEWAY_JITTER]"),
        ("policy.1000 = \"never\"", "[--policy]"),
        ("headers: must be NAME: VALUE", "[--header]"),
        ("headers.X-Bad: ", "[--header]"),
        ("close_timeout = \"soon\"", "usage.toml]"),
        ("login.x: unknown field", "usage.toml]"),
        ("login.accepted: must be set ", "[GATEWAY_LOGIN]"),
    ] {
        let line = stderr.lines().find(|line| line.trim_start().starts_with(field));
        let line = line.unwrap_or_else(|| panic!("{field}: {stderr}"));
        assert!(line.ends_with(place), "{line}");
    }
    assert!(stderr.starts_with("error: the configuration is not valid: 8 errors\n"), "{stderr}");
    let knocked = futures_util::FutureExt::now_or_never(listener.accept());
    assert!(knocked.is_none(), "it connected");
    Ok(())
}

#[tokio::test]
async fn a_url_must_be_given_once() {
    let none = run(gateway(&["connect"]), b"").await;
    assert_eq!(none.status, Some(2));
    assert!(none.stderr.contains("url: must be given: as <URL>, in GATEWAY_URL"));

    let two = run(gateway(&["connect", "ws://h", "ws://u:hunter2@h"]), b"").await;
    assert_eq!(two.status, Some(2));
    assert!(two.stderr.contains("url: must be given once"), "{}", two.stderr);
    assert!(!two.stderr.contains("hunter2"));
}

#[tokio::test]
async fn a_flag_is_over_the_environment_and_the_environment_over_the_file() {
    let server = Server::start(&[]).await;
    let config = file(
        "layers.toml",
        "url = 'ws://nowhere.invalid'\nmax_message_size = 3\nheartbeat.kind = 'off'",
    );
    let mut command = gateway(&["connect", "--exit-on-eof", "--log-level", "error", "--config"]);
    command.arg(&config).env("GATEWAY_URL", &server.url).env("GATEWAY_SEED", "");

    let output = run(command, b"1234\n123\n").await;
    assert_eq!(output.stdout, "123\n", "{}", output.stderr);
    assert_eq!(output.status, Some(1));

    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--config"]);
    command.arg(&config).env("GATEWAY_URL", "ws://nowhere.invalid");
    command.env("GATEWAY_MAX_MESSAGE_SIZE", "2").args(["--max-message-size", "4B"]);
    let output = run(command, b"1234\n123\n").await;
    assert_eq!(output.stdout, "1234\n123\n", "{}", output.stderr);
    assert_eq!(output.status, Some(0));
}

#[tokio::test]
async fn the_help_names_every_flag_variable_and_default_and_no_value_of_the_environment() {
    let mut command = gateway(&["connect", "--help"]);
    command.env("GATEWAY_LOGIN", "hunter2").env("GATEWAY_URL", "ws://u:hunter2@h");

    let Ended { status, stdout: help, .. } = run(command, b"").await;

    assert_eq!(status, Some(0));
    for part in ["--initial-delay", "GATEWAY_INITIAL_DELAY", "[default: 34s]", "--login-refused"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(help.contains("connect [OPTIONS] [URL]\n") && !help.contains("[URL]..."), "{help}");
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Requires --login-ok"), "{help}");
    assert!(!help.contains("hunter2"), "{help}");

    let output = run(gateway(&["--help"]), b"").await;
    assert!(output.stdout.contains("--events - --log-level off "));
}

/// Variables that the fuzzer does not set: those of the log, and those that name a file.
const ELSEWHERE: [&str; 6] = [
    "GATEWAY_LOG",
    "GATEWAY_LOGIN",
    "GATEWAY_CA_CERT",
    "GATEWAY_PROXY_CA_CERT",
    "GATEWAY_CERT",
    "GATEWAY_KEY",
];

/// Variables for which any word is a valid value.
const ANY_WORD: [&str; 3] = ["GATEWAY_NAME", "GATEWAY_PROXY", "GATEWAY_NO_PROXY"];

/// The flag of the same setting. The URL has none.
fn flag_of(variable: &str) -> String {
    match variable.strip_prefix("GATEWAY_").expect("a variable of the program") {
        "URL" => String::new(),
        name => format!("--{}=", name.to_lowercase().replace('_', "-")),
    }
}

/// The fuzzer reads settings without an environment, and leaves out the variables that a flag overrides or that are empty.
#[tokio::test]
async fn clap_reads_the_environment_as_the_fuzz_target_takes_it_to() -> io::Result<()> {
    let help = run(gateway(&["connect", "--help"]), b"").await.stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split(']').next());
    let (elsewhere, both): (Vec<_>, Vec<_>) = named.partition(|name| ELSEWHERE.contains(name));
    assert_eq!(elsewhere.len(), ELSEWHERE.len(), "{help}");
    assert!(both.len() > 20, "{both:?}");

    // Of each three settings one has a variable and a flag, one a variable alone, and one an empty variable.
    for shift in 0..3 {
        let mut command = gateway(&["connect", "--log-level", "off", "--config", "gateway.toml"]);
        let (mut variables, mut arguments) = (Vec::new(), Vec::new());
        for (index, variable) in both.iter().enumerate() {
            let value = if (index + shift) % 3 == 2 { "" } else { "of-a-variable" };
            command.env(variable, value);
            if (index + shift) % 3 == 0 {
                arguments.push(flag_of(variable) + "of-a-flag");
            } else if !value.is_empty() {
                variables.push(((*variable).to_owned(), value.to_owned()));
            }
        }
        let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("environment");
        std::fs::create_dir_all(&folder)?;
        // A login, so that rules for its answers that come from the environment are looked at.
        let content = "url = 'of a file'\nlogin.send = 'x'\n";
        std::fs::write(folder.join("gateway.toml"), content)?;
        command.args(&arguments).current_dir(&folder);

        let output = run(command, b"").await;

        let fuzzed = gateway_cli::parsers::settings(content, &variables, &arguments);
        let Some(Err(refused)) = fuzzed else { panic!("{fuzzed:?}") };
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&output.stderr), sorted(&refused.text));
        // Every value that is set is wrong, except a name and a proxy, and except the file's URL where
        // the variable's is empty. A login without a rule that accepts is one more error.
        let is_empty = |index: usize| (index + shift) % 3 == 2;
        let empty = (0..both.len()).filter(|index| is_empty(*index)).count();
        let place = |name: &str| both.iter().position(|variable| *variable == name);
        let missing = ["GATEWAY_URL", "GATEWAY_LOGIN_OK"].into_iter().filter_map(place);
        let right =
            ANY_WORD.into_iter().filter_map(place).filter(|index| !is_empty(*index)).count();
        let wrong = both.len() - empty - right + missing.filter(|index| is_empty(*index)).count();
        assert_eq!(refused.fields.len(), wrong, "{}", refused.text);
    }
    Ok(())
}
