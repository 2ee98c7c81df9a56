//! Every script of the table, as one and the same client meets it.

use super::*;

const PING: &str = r#"{"type":"ping","timestamp":7}"#;

/// What the client meets: it says hello, pings, says twice more something, and closes when the
/// last of it has come back.
const MET: &[(&str, &str)] = &[
    ("echo", "hello | pong 7 | again | bye | Close(None) | end"),
    ("drop", "hello | pong 7 | again | bye | lost"),
    ("accept-then-drop", "lost"),
    ("accept-then-close", "close 1001 | end"),
    ("hang-up", "no HTTP"),
    ("half-open", "silence"),
    ("go-silent", "hello | silence"),
    ("never-answer", "silence"),
    ("slow-upgrade", "silence"),
    ("never-pong", "hello | again | bye | Close(None) | end"),
    ("late-pong", "hello | again | bye | Close(None) | end"),
    ("wrong-pong", "hello | pong 3600007 | again | bye | Close(None) | end"),
    ("close-1000", "hello | close 1000 | end"),
    ("close-1008", "hello | close 1008 | end"),
    ("close-1012", "hello | close 1012 | end"),
    ("close-4000", "hello | close 4000 | end"),
    ("refuse-login", "login failed | close 1013 | end"),
    ("restart", "hello | close 1012 | end"),
    ("http-401", "HTTP 401, www-authenticate: Bearer"),
    ("http-401-retry-after", "HTTP 401, retry-after: 2"),
    ("http-403", "HTTP 403"),
    ("http-403-retry-after", "HTTP 403, retry-after: 2"),
    ("http-404", "HTTP 404"),
    ("http-404-retry-after", "HTTP 404, retry-after: 2"),
    ("http-429", "HTTP 429"),
    ("http-429-retry-after", "HTTP 429, retry-after: 2"),
    ("http-429-retry-date", "HTTP 429, retry-after: a date"),
    ("http-503", "HTTP 503"),
    ("http-503-retry-after", "HTTP 503, retry-after: 2"),
    ("redirect", "HTTP 302, location: /elsewhere"),
    ("not-http", "no HTTP"),
    ("bad-utf8", "hello | bad UTF-8"),
    ("reserved-bits", "hello | protocol error"),
    ("oversized", "hello | too large"),
    // tungstenite takes it.
    ("long-length", "hello | hi"),
    ("length-top-bit", "hello | too large"),
    // tungstenite shows the code of its answer.
    ("close-code-1005", "hello | close 1002 | end"),
    ("close-one-byte", "hello | protocol error"),
    ("masked-frame", "hello | protocol error"),
    ("finish-mid-frame", "hello | lost"),
    ("reset-mid-frame", "hello | lost"),
    ("ping-flood", "10000 pings | hello | pong 7 | again | bye | Close(None) | end"),
    ("no-close-reply", "hello | pong 7 | again | bye | silence"),
    ("close-mute", "hello | close 1001 | silence"),
];

#[tokio::test]
async fn every_script_does_what_its_row_says() {
    for script in Script::all() {
        let row = MET.iter().find(|(name, _)| *name == script.name);
        let (_, expected) = row.unwrap_or_else(|| panic!("no row for {}", script.name));
        let server = start_script(script.name);

        let met = meet(&server).await;

        assert_eq!(met, *expected, "{}", script.name);
        server.stop().await;
    }
    assert_eq!(MET.len(), Script::all().len());
}

#[tokio::test]
async fn faults_end_after_the_number_asked_for() {
    for script in Script::all() {
        let options = Options { script, faults: Some(1), beat: STILL, ..Options::default() };
        let server = start(options);
        let _first = server.dial().await.expect("it listens");

        let mut second = server.connect().await;

        say(&mut second, "hello").await;
        assert_eq!(hear(&mut second).await, "hello", "{}", script.name);
        say(&mut second, PING).await;
        assert_eq!(hear(&mut second).await, r#"{"type":"pong","timestamp":7}"#);
    }
}

#[tokio::test]
async fn a_fault_comes_after_a_beat_where_the_client_says_nothing() {
    let beat = Duration::from_millis(5);
    for (name, expected) in [
        ("drop", "lost"),
        ("close-4000", "close 4000"),
        ("refuse-login", r#"{"type":"login_failed"}"#),
    ] {
        let server = start(Options { script: script(name), beat, ..Options::default() });
        let mut client = server.connect().await;

        assert_eq!(hear(&mut client).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_late_pong_comes_after_what_was_said_later() {
    let beat = Duration::from_millis(150);
    let server = start(Options { script: script("late-pong"), beat, ..Options::default() });
    let mut client = server.connect().await;

    say(&mut client, PING).await;
    say(&mut client, "hello").await;

    assert_eq!(hear(&mut client).await, "hello");
    assert!(is_silent(client.next()).await);
    assert_eq!(hear(&mut client).await, r#"{"type":"pong","timestamp":7}"#);
}

#[tokio::test]
async fn a_restart_closes_every_connection_and_refuses_new_ones() {
    let server = start_script("restart");
    let (mut first, mut second) = (server.connect().await, server.connect().await);

    say(&mut first, "hello").await;

    assert_eq!(hear(&mut first).await, "hello");
    assert_eq!(hear(&mut first).await, "close 1012");
    assert_eq!(hear(&mut second).await, "close 1012");
    let error = server.dial().await.expect_err("refused");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_restarts_is_back_after_two_beats() {
    let (script, beat) = (script("restart"), Duration::from_millis(5));
    let server = start(Options { script, beat, faults: Some(1), ..Options::default() });
    let mut client = server.connect().await;
    assert_eq!(hear(&mut client).await, "close 1012");
    drop(client);

    let back = async {
        loop {
            if let Ok((client, _)) = server.try_connect(server.request()).await {
                return client;
            }
            tokio::task::yield_now().await;
        }
    };

    let mut client = soon(back).await;
    say(&mut client, "hello").await;
    assert_eq!(hear(&mut client).await, "hello");
}

/// Plays the client, and tells what it met.
async fn meet(server: &Running) -> String {
    let tcp = server.dial().await.expect("it listens");
    let connecting = client_async(server.request(), tcp);
    let mut client = match clock::within(SILENCE, connecting).await {
        Some(Ok((client, _))) => client,
        Some(Err(error)) => return unopened(&error),
        None => return "silence".to_owned(),
    };
    for text in ["hello", PING, "again", "bye"] {
        // The server may be gone already; what it did is then read below.
        let _ = soon(client.send(Message::text(text))).await;
    }
    let mut met = Vec::new();
    let mut pings = 0;
    loop {
        let heard = match clock::within(SILENCE * 4, hear(&mut client)).await {
            Some(heard) if heard.starts_with("Ping") => {
                pings += 1;
                continue;
            }
            Some(heard) => heard
                .replace(envelope::LOGIN_FAILED, "login failed")
                .replace(r#"{"type":"pong","timestamp":"#, "pong ")
                .replace('}', ""),
            None => "silence".to_owned(),
        };
        if pings > 0 {
            met.push(format!("{pings} pings"));
            pings = 0;
        }
        let is_last = !["hello", "again", "bye", "Close(None)", "login failed"]
            .contains(&heard.as_str())
            && !heard.starts_with("pong")
            && !heard.starts_with("close ");
        if heard == "bye" {
            let _ = soon(client.close(None)).await;
        }
        met.push(heard);
        if is_last {
            return met.join(" | ");
        }
    }
}

fn unopened(error: &Error) -> String {
    match error {
        Error::Http(response) => {
            let mut met = format!("HTTP {}", response.status().as_u16());
            for name in ["retry-after", "location", "www-authenticate"] {
                if let Some(value) = response.headers().get(name) {
                    let value = value.to_str().expect("ASCII");
                    let is_date = httpdate::parse_http_date(value).is_ok();
                    let value = if is_date { "a date" } else { value };
                    met.push_str(&format!(", {name}: {value}"));
                }
            }
            met
        }
        Error::Protocol(_) => "no HTTP".to_owned(),
        other => format!("{other:?}"),
    }
}
