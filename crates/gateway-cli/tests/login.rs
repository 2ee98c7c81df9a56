//! Which answer accepts a login, and what follows a refusal.

mod common;

use std::{
    io,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use common::{Client, Server, file, gateway, run, soon};
use gateway_tests::{Frame, Listener, Peer};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    sync::Notify,
};

const REFUSAL: &str = r#"{"ok":false,"why":"starting"}"#;

/// A login, its rules, and short delays.
const LOGIN: [&str; 12] = [
    "--login",
    "hello",
    "--login-ok",
    "/ok=true",
    "--login-refused",
    "/ok=false",
    "--initial-delay",
    "20ms",
    "--max-delay",
    "20ms",
    "--heartbeat",
    "off",
];

/// A close timeout that ends no wait of a test.
const PATIENT: [&str; 2] = ["--close-timeout", "10m"];

/// What a server does after its refusal.
#[derive(Clone, Copy, Debug)]
enum Then {
    Close(Option<u16>),
    HangUp,
    Reset,
    /// Waits for the client's Close, and answers it.
    Wait,
}

/// A server that greets, refuses so many logins, and then accepts.
struct Refusing {
    url: String,
    /// How many logins it has read.
    logins: Arc<AtomicU32>,
    /// Lets it go on after a refusal.
    go_on: Arc<Notify>,
}

impl Refusing {
    async fn start(count: u32, refusal: &str, then: Then) -> Self {
        let listener = Listener::bind().await;
        let url = listener.url();
        let (logins, go_on) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let server = Self { url, logins: Arc::clone(&logins), go_on: Arc::clone(&go_on) };
        let refusal = refusal.to_owned();
        tokio::spawn(async move {
            loop {
                let peer = Peer::accept(listener.accept().await).await;
                attend(peer, count, &refusal, then, &logins, &go_on).await;
            }
        });
        server
    }

    fn logins(&self) -> u32 {
        self.logins.load(SeqCst)
    }
}

async fn attend(
    mut peer: Peer<TcpStream>,
    count: u32,
    refusal: &str,
    then: Then,
    logins: &AtomicU32,
    go_on: &Notify,
) {
    peer.send(Frame::text(r#"{"type":"hello"}"#)).await;
    assert_eq!(peer.frame().await, Frame::text("hello"));
    if logins.fetch_add(1, SeqCst) >= count {
        peer.send(Frame::text(r#"{"ok":true}"#)).await;
        return peer.echo().await;
    }
    peer.send(Frame::text(refusal)).await;
    go_on.notified().await;
    match then {
        Then::Close(Some(code)) => peer.send(Frame::close(code, "bye")).await,
        Then::Close(None) => peer.send(Frame::new(0x88, [])).await,
        Then::HangUp => return,
        Then::Reset => return peer.stream.set_zero_linger().expect("an open socket"),
        Then::Wait => return peer.echo().await,
    }
    drop(peer.rest().await);
}

/// A client with these flags against a server that refuses so often.
async fn refused(count: u32, then: Then, flags: &[&str]) -> (Refusing, Client) {
    let server = Refusing::start(count, REFUSAL, then).await;
    let client = Client::start(&server.url, &[LOGIN.as_slice(), flags].concat());
    (server, client)
}

/// Waits for a refusal and the end of its socket. The server goes on after the first.
async fn a_refusal(server: &Refusing, client: &mut Client) -> Value {
    let login = client.event("login").await;
    assert_eq!((&login["outcome"], &login["reason"]), (&"refused".into(), &REFUSAL.into()));
    server.go_on.notify_one();
    let lost = client.event("disconnected").await;
    assert_eq!((&lost["cause"], &lost["reason"]), (&"login_refused".into(), &REFUSAL.into()));
    assert_eq!(lost["socket"], login["socket"]);
    lost
}

#[tokio::test]
async fn a_greeting_accepts_no_login_and_no_line_is_sent_before_the_answer() {
    let (server, mut client) = refused(1, Then::Close(Some(1013)), &PATIENT).await;
    client.send("first\n").await;

    assert_eq!(client.line().await, r#"{"type":"hello"}"#);
    a_refusal(&server, &mut client).await;
    let accepted = client.event("login").await;
    assert_eq!((&accepted["outcome"], &accepted["socket"]), (&"accepted".into(), &2.into()));
    client.event("ready").await;

    assert_eq!(client.line().await, r#"{"type":"hello"}"#);
    assert_eq!(client.line().await, "first");
    assert_eq!(server.logins(), 2);
    client.signal("-TERM").await;
    let (status, events) = client.end().await;
    assert_eq!(status.code(), Some(0), "{events:?}");
}

#[tokio::test]
async fn a_refusal_that_passes_is_tried_again_until_the_login_is_accepted() {
    for (code, flags) in [
        (1012, [].as_slice()),
        (1013, &[]),
        (1014, &[]),
        (1000, &["--policy", "1000=retry"]),
        (4000, &["--policy", "4000=1ms"]),
    ] {
        let flags = [PATIENT.as_slice(), flags].concat();
        let (server, mut client) = refused(4, Then::Close(Some(code)), &flags).await;

        for attempt in 1..=4 {
            assert_eq!(a_refusal(&server, &mut client).await["code"], code);
            let retry = client.event("retry").await;
            assert_eq!(
                (&retry["attempt"], &retry["cause"]),
                (&attempt.into(), &"login_refused".into())
            );
        }

        client.state("AUTHENTICATED").await;
        assert_eq!(server.logins(), 5, "{code}");
    }
}

#[tokio::test]
async fn a_refusal_that_nothing_softens_is_given_up_after_one_refresh() {
    for (then, code) in [
        (Then::Close(Some(1000)), Some(1000)),
        (Then::Close(Some(1001)), Some(1001)),
        (Then::Close(Some(1008)), Some(1008)),
        (Then::Close(Some(4000)), Some(4000)),
        (Then::Close(None), None),
        (Then::HangUp, None),
        (Then::Reset, None),
    ] {
        let (server, mut client) = refused(9, then, &PATIENT).await;
        let code = code.map_or(Value::Null, Value::from);

        for _ in 0..2 {
            assert_eq!(a_refusal(&server, &mut client).await["code"], code, "{then:?}");
        }

        let gave_up = client.event("gave_up").await;
        assert_eq!((&gave_up["cause"], &gave_up["code"]), (&"login_refused".into(), &code));
        assert_eq!(gave_up["reason"], REFUSAL);
        assert_eq!(client.end().await.0.code(), Some(1), "{then:?}");
        assert_eq!(server.logins(), 2, "{then:?}");
    }
}

#[tokio::test]
async fn a_server_that_only_refuses_is_left_after_the_close_timeout() {
    let (server, mut client) = refused(9, Then::Wait, &["--close-timeout", "50ms"]).await;

    for _ in 0..2 {
        assert_eq!(a_refusal(&server, &mut client).await["code"], Value::Null);
    }

    assert_eq!(client.event("gave_up").await["cause"], "login_refused");
    assert_eq!(client.end().await.0.code(), Some(1));
    assert_eq!(server.logins(), 2);
}

#[tokio::test]
async fn each_rule_has_its_own_verdict() {
    let fatal = ["--login-refused", "/why=starting:fatal"];
    let (server, mut client) = refused(9, Then::HangUp, &[&PATIENT[..], &fatal].concat()).await;
    // The rule that is given first comes first.
    for _ in 0..2 {
        a_refusal(&server, &mut client).await;
    }
    assert_eq!(client.event("gave_up").await["cause"], "login_refused");

    for (verdict, code) in [("fatal", 1000), ("fatal", 4000), ("retry", 1000), ("30ms", 1001)] {
        let rule = format!("/ok=false:{verdict}");
        let mut flags = LOGIN;
        flags[5] = &rule;
        let server = Refusing::start(5, REFUSAL, Then::Close(Some(code))).await;
        let mut client = Client::start(&server.url, &[flags.as_slice(), &PATIENT].concat());
        let refusals = if verdict == "fatal" { 1 } else { 5 };

        for _ in 0..refusals {
            a_refusal(&server, &mut client).await;
        }

        if verdict == "fatal" {
            assert_eq!(client.event("gave_up").await["code"], code);
            assert_eq!(client.end().await.0.code(), Some(1));
            assert_eq!(server.logins(), 1);
        } else {
            client.state("AUTHENTICATED").await;
            assert_eq!(server.logins(), 6, "{verdict}");
        }
    }
}

#[tokio::test]
async fn attempts_that_are_spent_on_refusals_say_why_the_last_one_was_refused() {
    let flags = [PATIENT.as_slice(), &["--max-attempts", "1"]].concat();
    let (server, mut client) = refused(9, Then::Close(Some(1013)), &flags).await;

    for _ in 0..2 {
        a_refusal(&server, &mut client).await;
    }

    let gave_up = client.event("gave_up").await;
    assert_eq!((&gave_up["cause"], &gave_up["code"]), (&"attempts_spent".into(), &1013.into()));
    assert_eq!(gave_up["reason"], REFUSAL);
}

#[tokio::test]
async fn the_text_of_a_refusal_is_escaped_in_events_and_log() -> io::Result<()> {
    // White space between the parts, DEL and C1 (U+009B begins an escape sequence) raw in a string.
    let refusal = "{\"ok\":false,\r\n\t\"why\":\"ask ops\",\"more\":\"\u{7f}\u{85}\u{9b}31m\"}";
    let shown = r#"{"ok":false,\r\n\t"why":"ask ops","more":"\u{7f}\u{85}\u{9b}31m"}"#;
    let server = Refusing::start(9, refusal, Then::HangUp).await;
    server.go_on.notify_one();
    let path = file("escaped.jsonl", "");
    let mut command = gateway(&["connect", &server.url, "--log-level", "debug"]);
    command.args([&LOGIN[..5], &["/ok=false:fatal"]].concat()).arg("--events").arg(&path);

    let output = run(command, b"").await;

    let (log, events) = (output.stderr, std::fs::read_to_string(&path)?);
    assert_eq!(output.status, Some(1), "{log}");
    let told: Vec<Value> = events.lines().map(common::event).collect();
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
    command.arg("--login").arg(format!("@{}", login.display())).args(&LOGIN[6..]);
    let mut client =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut log = BufReader::new(client.stderr.take().expect("it is piped")).lines();
    let mut line_with = async |part: &str| {
        let mut line = String::new();
        while !line.contains(part) {
            line = log.next_line().await.expect("it is text").expect("the client runs");
        }
        line
    };

    soon(line_with("CONNECTED -> AUTHENTICATED")).await;
    std::fs::remove_file(&login)?;
    let mut stdin = client.stdin.take().expect("it is piped");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"go\n").await?; // and the server closes
    let path = login.to_str().expect("text");
    for _ in 0..2 {
        let line = soon(line_with("the login file")).await;
        assert!(line.contains(path) && line.contains("attempt="), "{line}");
    }
    // Emptied by a program that is about to write a new token.
    std::fs::write(&login, "\n")?;
    let line = soon(line_with("it is empty")).await;
    assert!(line.contains(path) && line.contains("attempt="), "{line}");
    std::fs::write(&login, "hunter2\n")?;

    soon(line_with("CONNECTED -> AUTHENTICATED")).await;
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
