//! Which answer accepts a login, and what follows a refusal.

use std::{io, process::Stdio};

use super::common::{Client, Logged, Server, event, file, gateway, run, soon, words};
use gateway_tests::{Frame, Listener};
use serde_json::Value;

const REFUSAL: &str = r#"{"ok":false,"why":"starting"}"#;

/// A login and its rules.
const LOGIN: &str = "--login hello --login-ok /ok=true --login-refused /ok=false";
const QUICK: &str = "--initial-delay 20ms --max-delay 20ms --heartbeat off";

/// Starts a client that logs in, with more flags than those.
fn start(url: &str, flags: &[&str]) -> Client {
    Client::start(url, &[&words(LOGIN), &words(QUICK), flags].concat())
}

/// A server that greets, refuses so many logins with this text and a Close, and then accepts. Returns
/// its URL.
async fn refusing(count: usize, refusal: &str, code: u16) -> String {
    let listener = Listener::bind().await;
    let (url, refusal) = (listener.url(), refusal.to_owned());
    tokio::spawn(async move {
        for attempt in 0.. {
            let mut peer = listener.peer().await;
            peer.send(Frame::text(r#"{"type":"hello"}"#)).await;
            assert_eq!(peer.frame().await, Frame::text("hello"));
            if attempt < count {
                peer.send(Frame::text(&refusal)).await;
                peer.send(Frame::close(code, "bye")).await;
                drop(peer.rest().await);
            } else {
                peer.send(Frame::text(r#"{"ok":true}"#)).await;
                peer.echo().await;
            }
        }
    });
    url
}

/// Waits for a refusal and the end of its socket.
async fn a_refusal(client: &mut Client) -> Value {
    let login = client.event("login").await;
    assert_eq!((&login["outcome"], &login["reason"]), (&"refused".into(), &REFUSAL.into()));
    let lost = client.event("disconnected").await;
    assert_eq!((&lost["cause"], &lost["reason"]), (&"login_refused".into(), &REFUSAL.into()));
    assert_eq!(lost["socket"], login["socket"]);
    lost
}

#[tokio::test]
async fn a_greeting_accepts_no_login_and_no_line_is_sent_before_the_answer() {
    let mut client = start(&refusing(1, REFUSAL, 1013).await, &[]);
    client.send("first\n").await;

    assert_eq!(client.line().await, r#"{"type":"hello"}"#);
    a_refusal(&mut client).await;
    assert_eq!(client.event("retry").await["cause"], "login_refused");
    let accepted = client.event("login").await;
    assert_eq!((&accepted["outcome"], &accepted["socket"]), (&"accepted".into(), &2.into()));
    client.event("ready").await;

    assert_eq!(client.line().await, r#"{"type":"hello"}"#);
    assert_eq!(client.line().await, "first");
    client.signal("-TERM").await;
    let (status, events) = client.end().await;
    assert_eq!(status.code(), Some(0), "{events:?}");
}

#[tokio::test]
async fn a_client_that_gives_up_says_why_the_last_login_was_refused() {
    for (code, flags, cause) in
        [(1000, [].as_slice(), "login_refused"), (1013, &["--max-attempts", "1"], "attempts_spent")]
    {
        let mut client = start(&refusing(9, REFUSAL, code).await, flags);

        for _ in 0..2 {
            assert_eq!(a_refusal(&mut client).await["code"], code);
        }

        let gave_up = client.event("gave_up").await;
        assert_eq!((&gave_up["cause"], &gave_up["code"]), (&cause.into(), &code.into()));
        assert_eq!(gave_up["reason"], REFUSAL);
        assert_eq!(client.end().await.0.code(), Some(1), "{cause}");
    }
}

#[tokio::test]
async fn the_text_of_a_refusal_is_escaped_in_events_and_log() -> io::Result<()> {
    // White space between the parts, DEL and C1 (U+009B begins an escape sequence) raw in a string.
    let refusal = "{\"ok\":false,\r\n\t\"why\":\"ask ops\",\"more\":\"\u{7f}\u{85}\u{9b}31m\"}";
    let shown = r#"{"ok":false,\r\n\t"why":"ask ops","more":"\u{7f}\u{85}\u{9b}31m"}"#;
    let server = refusing(9, refusal, 1000).await;
    let path = file("escaped.jsonl", "");
    let mut command = gateway(&["connect", &server, "--log-level", "debug"]);
    command.args(words(&format!("{LOGIN}:fatal"))).arg("--events").arg(&path);

    let output = run(command, b"").await;

    let (log, events) = (output.stderr, std::fs::read_to_string(&path)?);
    assert_eq!(output.status, Some(1), "{log}");
    let told: Vec<Value> = events.lines().map(event).collect();
    let reasons: Vec<_> = told.iter().filter(|event| event.get("reason").is_some()).collect();
    let names: Vec<_> = reasons.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["login", "disconnected", "gave_up"]);
    assert!(reasons.iter().all(|event| event["reason"] == shown), "{events}");
    let lines: Vec<_> = log.lines().filter(|line| line.contains("ask ops")).collect();
    let [refused, closed] = lines[..] else { panic!("{log}") };
    assert!(refused.contains("login refused") && closed.contains("CONNECTED -> CLOSED"), "{log}");
    for told in [&log, &events] {
        let raw = |letter: char| letter.is_control() && letter != '\n';
        assert!(!told.contains(raw), "{told:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_login_file_that_vanishes_fails_an_attempt_and_is_read_once_it_is_back() -> io::Result<()>
{
    let server = Server::start(&["--login", "hunter2", "--script", "close-4000", "--faults", "1"]);
    let server = server.await;
    let login = file("vanishes", "hunter2\n");
    let mut command = gateway(&["connect", &server.url, "--login-ok", "/type=login_ok"]);
    command.arg("--login").arg(format!("@{}", login.display())).args(words(QUICK));
    command.stdin(Stdio::piped());
    let mut client = Logged::start(command)?;

    client.says(&["CONNECTED -> AUTHENTICATED"]).await;
    std::fs::remove_file(&login)?;
    client.send("go\n").await; // and the server closes
    let path = login.to_str().expect("text");
    for _ in 0..2 {
        client.says(&["the login file", path, "attempt="]).await;
    }
    // Emptied by a program that is about to write a new token.
    std::fs::write(&login, "\n")?;
    client.says(&["it is empty", path, "attempt="]).await;
    std::fs::write(&login, "hunter2\n")?;

    client.says(&["CONNECTED -> AUTHENTICATED"]).await;
    Ok(())
}

/// As a shell passes the output of another program: `--login @<(secret-tool …)`.
#[cfg(target_os = "linux")] // macOS has no `mknodat`
#[tokio::test]
async fn a_login_from_a_pipe_is_read_once_and_sent_on_every_attempt() -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let listener = Listener::bind().await;
    let url = listener.url();
    let login = file("pipe", "").with_extension("pipe");
    let _ = std::fs::remove_file(&login);
    mknodat(CWD, &login, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let mut command = gateway(&["connect", &url, "--login-ok", "any", "--initial-delay", "1ms"]);
    command.arg("--login").arg(format!("@{}", login.display())).stdin(Stdio::null());
    let _client = command.kill_on_drop(true).spawn()?;
    let written = tokio::task::spawn_blocking(move || std::fs::write(login, "hunter2\n"));
    soon(written).await.expect("no panic")?;
    for _ in 0..3 {
        assert_eq!(listener.peer().await.frame().await, Frame::text("hunter2"));
    }
    Ok(())
}
