//! The forms of messages on stdin and stdout of `gateway connect`, with an echo server.

use std::io;

use super::common::{Ended, Server, gateway, run};

/// What comes back of this input, and the log.
async fn echoed(arguments: &[&str], input: &[u8]) -> (String, String) {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--heartbeat", "off"]);
    command.args(arguments);
    let Ended { status, stdout, stderr: log } = run(command, input).await;
    assert_eq!(status, Some(0), "{arguments:?}: {log}");
    (stdout, log)
}

#[tokio::test]
async fn a_message_with_line_breaks_is_one_line_and_one_warning_names_the_exact_forms() {
    let input = b"{\n  \"a\": 1\r\n}\0next\0a\nb";

    let (stdout, log) = echoed(&["--input", "null"], input).await;

    assert_eq!(stdout, "{\\n  \"a\": 1\\r\\n}\nnext\na\\nb\n");
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    for form in ["--output json", "--output null"] {
        assert!(log.contains(form), "{form}: {log}");
    }
}

#[tokio::test]
async fn the_exact_forms_bring_back_what_was_sent() {
    let raw = "{\n  \"a\": 1.0\r\n}\0\u{1b}[0m\ttwo\nlines\0\0";
    let (stdout, log) = echoed(&["--input", "null", "--output", "null"], raw.as_bytes()).await;
    assert_eq!(stdout, raw);
    assert!(!log.contains("WARN"), "{log}");

    let objects = concat!(
        "{\"json\":{\"b\":1.0,\"a\":[12345678901234567890123]}}\n",
        "{\"text\":\"two\\nlines\"}\n",
        "{\"base64\":\"//4A\"}\n",
    );
    let (stdout, log) = echoed(&["--input", "json", "--output", "json"], objects.as_bytes()).await;
    assert_eq!(stdout, objects);
    assert!(!log.contains("WARN"), "{log}");
}

#[tokio::test]
async fn a_line_end_that_a_protocol_wants_is_sent() {
    for (end, expected) in [("crlf", "one\r\n\0two\r\n\0"), ("lf", "one\n\0two\n\0")] {
        let arguments = ["--line-end", end, "--output", "null"];
        assert_eq!(echoed(&arguments, b"one\ntwo\r\n").await.0, expected, "{end}");
    }
}

#[tokio::test]
async fn an_object_that_is_none_is_named_by_its_line_and_not_sent() {
    let server = Server::start(&[]).await;
    let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--input", "json"]);
    command.args(["--heartbeat", "off"]);

    let Ended { status, stdout, stderr: log } =
        run(command, b"{\"text\":\"a\"}\nhunter2\n{\"text\":\"b\"}\n").await;

    assert_eq!((stdout.as_str(), status), ("a\nb\n", Some(1)), "{log}");
    assert!(log.contains("and is not sent line=2") && log.contains(r#"{"base64":...}"#), "{log}");
    assert!(log.contains("lines were not sent lines=1") && !log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn flags_of_forms_that_contradict_each_other_are_a_usage_error() {
    for arguments in [
        ["--binary", "hex", "--output", "json"],
        ["--binary", "base64", "--output", "null"],
        ["--line-end", "crlf", "--input", "json"],
    ] {
        let mut command = gateway(&["connect", "ws://127.0.0.1:9"]);
        command.args(arguments);
        let Ended { status, stderr: error, .. } = run(command, b"").await;
        assert_eq!(status, Some(2), "{arguments:?}");
        assert!(error.contains(arguments[0]) && error.contains(arguments[2]), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_terminal_gets_no_control_character_of_a_message() -> io::Result<()> {
    use super::broken;
    use super::common::soon;
    use std::process::Stdio;

    for form in ["lines", "json", "null"] {
        let server = Server::start(&[]).await;
        let (master, terminal) = broken::pty()?;
        let mut command = gateway(&["connect", &server.url, "--exit-on-eof", "--input", "json"]);
        command.args(["--output", form, "--log-level", "off"]).stdin(Stdio::piped());
        let mut client = command.stdout(Stdio::from(terminal)).spawn()?;
        drop(command);
        let mut stdin = client.stdin.take().expect("it is piped");
        let reading = tokio::task::spawn_blocking(move || broken::read_terminal(&master));
        let message = "{\"text\":\"\u{9b}31m\u{7f}\\u001b]0;title\\u0007\\u0000\\b end\"}\n";
        tokio::io::AsyncWriteExt::write_all(&mut stdin, message.as_bytes()).await?;
        drop(stdin);

        let shown = soon(reading).await.expect("no panic");

        let shown = shown.replace("\r\n", "");
        assert!(shown.contains(" end"), "{form}: {shown:?}");
        assert!(!shown.contains(char::is_control), "{form}: {shown:?}");
        assert_eq!(soon(client.wait()).await?.code(), Some(0));
    }
    Ok(())
}
