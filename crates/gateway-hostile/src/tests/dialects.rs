//! Each dialect on real sockets: a login, a refusal, faults between, a token that expires.

use std::num::NonZeroU32;

use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::*;

const TOKEN: &str = "sesame";
const NEXT_TOKEN: &str = "simsim";

/// What a client of a dialect says, and what it hears.
struct Row {
    dialect: ServedDialect,
    subprotocol: Option<&'static str>,
    /// The beginning of the greeting, if there is one.
    greeting: Option<&'static str>,
    login: fn(&str) -> String,
    /// The beginning of the answer to a login.
    accepted: &'static str,
    /// All that is heard after a wrong token, and after an expired one.
    wrong: &'static [&'static str],
    expired: &'static [&'static str],
    /// The refusal of a script, whatever the token. `None` if the close code is all.
    refusal: Option<&'static str>,
    /// An ordinary message and its answer, the beginning of it. The number grows on a connection.
    message: fn(u32) -> (String, String),
    /// A ping with its right and its wrong pong.
    ping: fn(u32) -> Option<[String; 3]>,
}

const ROWS: &[Row] = &[
    Row {
        dialect: ServedDialect::Json,
        subprotocol: None,
        greeting: None,
        login: |token| format!(r#"{{"type":"POST_LOGIN","token":"{token}"}}"#),
        accepted: r#"{"type":"RTN_LOGIN"}"#,
        wrong: &[r#"{"type":"RTN_ERR","reason":"wrong token"}"#, "close 1008", "end"],
        expired: &[r#"{"type":"RTN_ERR","reason":"token expired"}"#, "close 1008", "end"],
        refusal: Some(r#"{"type":"RTN_ERR","reason":"login refused"}"#),
        message: echoed,
        ping: |_| {
            Some([
                r#"{"type":"ping","timestamp":7}"#.to_owned(),
                r#"{"type":"pong","timestamp":7}"#.to_owned(),
                r#"{"type":"pong","timestamp":3600007}"#.to_owned(),
            ])
        },
    },
    Row {
        dialect: ServedDialect::GraphqlTransportWs,
        subprotocol: Some("graphql-transport-ws"),
        greeting: None,
        login: |token| format!(r#"{{"type":"connection_init","payload":{{"token":"{token}"}}}}"#),
        accepted: r#"{"type":"connection_ack"}"#,
        wrong: &["close 4403", "end"],
        expired: &["close 4403", "end"],
        refusal: None,
        message: |number| {
            let subscribe = r#""type":"subscribe","payload":{"query":"subscription { a }"}"#;
            (
                format!(r#"{{"id":"{number}",{subscribe}}}"#),
                format!(r#"{{"id":"{number}","payload":"#),
            )
        },
        ping: |_| {
            let pong = r#"{"type":"pong"}"#.to_owned();
            Some([r#"{"type":"ping"}"#.to_owned(), pong.clone(), pong])
        },
    },
    Row {
        dialect: ServedDialect::HomeAssistant,
        subprotocol: None,
        greeting: Some(r#"{"type":"auth_required""#),
        login: |token| format!(r#"{{"type":"auth","access_token":"{token}"}}"#),
        accepted: r#"{"type":"auth_ok""#,
        wrong: AUTH_INVALID,
        expired: AUTH_INVALID,
        refusal: Some(AUTH_INVALID[0]),
        message: |id| {
            (format!(r#"{{"id":{id},"type":"get_states"}}"#), format!(r#"{{"id":{id},"result":[]"#))
        },
        ping: |id| {
            let pong = |id| format!(r#"{{"id":{id},"type":"pong"}}"#);
            Some([format!(r#"{{"id":{id},"type":"ping"}}"#), pong(id), pong(id + 1)])
        },
    },
    Row {
        dialect: ServedDialect::SocketIo,
        subprotocol: None,
        greeting: Some(r#"0{"#),
        login: |token| format!(r#"40{{"token":"{token}"}}"#),
        accepted: r#"40{"sid":"#,
        wrong: &[r#"44{"message":"not authorized"}"#],
        expired: &[r#"44{"message":"not authorized: token expired"}"#],
        refusal: Some(r#"44{"message":"not authorized"}"#),
        message: |number| {
            let event = format!(r#"42["hello",{number}]"#);
            (event.clone(), event)
        },
        ping: |_| None,
    },
    Row {
        dialect: ServedDialect::Ping,
        subprotocol: None,
        greeting: None,
        login: |token| token.to_owned(),
        accepted: envelope::LOGIN_OK,
        wrong: PLAIN_REFUSAL,
        expired: PLAIN_REFUSAL,
        refusal: Some(envelope::LOGIN_FAILED),
        message: echoed,
        ping: |_| Some(["ping".to_owned(), "pong".to_owned(), "pong".to_owned()]),
    },
    Row {
        dialect: ServedDialect::OpPing,
        subprotocol: None,
        greeting: None,
        login: |token| token.to_owned(),
        accepted: envelope::LOGIN_OK,
        wrong: PLAIN_REFUSAL,
        expired: PLAIN_REFUSAL,
        refusal: Some(envelope::LOGIN_FAILED),
        message: echoed,
        ping: |_| {
            Some([
                r#"{"op":"ping","req_id":"7"}"#.to_owned(),
                r#"{"op":"pong","req_id":"7"}"#.to_owned(),
                r#"{"op":"pong","req_id":"wrong"}"#.to_owned(),
            ])
        },
    },
];

const AUTH_INVALID: &[&str] = &[
    r#"{"type":"auth_invalid","message":"Invalid access token or password"}"#,
    "close 1000",
    "end",
];
const PLAIN_REFUSAL: &[&str] = &[envelope::LOGIN_FAILED, "close 1008", "end"];

fn echoed(number: u32) -> (String, String) {
    let message = format!("hello {number}");
    (message.clone(), message)
}

impl Row {
    /// A server that accepts two tokens, whose beats do not pass.
    fn start(&self, script_name: &str) -> Running {
        self.start_with(LoginRules::default(), script_name)
    }

    fn start_with(&self, rules: LoginRules, script_name: &str) -> Running {
        let tokens = [TOKEN, NEXT_TOKEN].map(|token| token.parse().expect("not empty"));
        let logins = LoginRules { tokens: tokens.to_vec(), ..rules };
        start(Options {
            dialect: Some(self.dialect),
            logins,
            script: script(script_name),
            beat: STILL,
            ..Options::default()
        })
    }

    /// Connects, and hears the greeting.
    async fn greeted(&self, server: &Running) -> Client {
        let mut request = server.request();
        if let Some(subprotocol) = self.subprotocol {
            let subprotocol = HeaderValue::from_static(subprotocol);
            request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol);
        }
        let (mut client, _) = server.try_connect(request).await.expect("an upgrade");
        if let Some(greeting) = self.greeting {
            self.hears(&mut client, greeting).await;
        }
        client
    }

    /// Connects and logs in.
    async fn ready(&self, server: &Running) -> Client {
        let mut client = self.greeted(server).await;
        say(&mut client, &(self.login)(TOKEN)).await;
        self.hears(&mut client, self.accepted).await;
        client
    }

    async fn hears(&self, client: &mut Client, start: &str) {
        let heard = hear(client).await;
        assert!(heard.starts_with(start), "{:?}: {heard}, not {start}", self.dialect);
    }

    async fn hears_all(&self, client: &mut Client, expected: &[&str]) {
        for expected in expected {
            assert_eq!(hear(client).await, *expected, "{:?}", self.dialect);
        }
    }

    async fn is_answered(&self, client: &mut Client, number: u32) {
        let (message, answer) = (self.message)(number);
        say(client, &message).await;
        self.hears(client, &answer).await;
    }
}

#[test]
fn every_dialect_has_a_row() {
    let dialects: Vec<_> = ROWS.iter().map(|row| row.dialect).collect();
    assert_eq!(dialects, ServedDialect::ALL);
}

#[tokio::test]
async fn after_a_login_messages_and_pings_are_answered() {
    for row in ROWS {
        let server = row.start("echo");

        let mut client = row.ready(&server).await;

        row.is_answered(&mut client, 1).await;
        if let Some([ping, pong, _]) = (row.ping)(2) {
            say(&mut client, &ping).await;
            row.hears_all(&mut client, &[&pong]).await;
            assert_eq!(server.control.tally().pongs, 1, "{:?}", row.dialect);
        }
        assert_eq!(server.control.tally().echoes, 1, "{:?}", row.dialect);
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    for row in ROWS {
        let server = row.start("echo");
        let mut client = row.greeted(&server).await;

        say(&mut client, &(row.login)("Sesame")).await;

        row.hears_all(&mut client, row.wrong).await;
        row.ready(&server).await;
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_refused_and_the_next_one_accepted() {
    for row in ROWS {
        let rules = LoginRules { uses: NonZeroU32::new(1), ..LoginRules::default() };
        let server = row.start_with(rules, "echo");
        let mut first = row.ready(&server).await;

        let mut second = row.greeted(&server).await;
        say(&mut second, &(row.login)(TOKEN)).await;
        row.hears_all(&mut second, row.expired).await;
        let mut third = row.greeted(&server).await;
        say(&mut third, &(row.login)(NEXT_TOKEN)).await;
        row.hears(&mut third, row.accepted).await;

        row.is_answered(&mut first, 1).await;
        row.is_answered(&mut third, 1).await;
    }
}

#[tokio::test]
async fn after_a_restart_the_client_logs_in_again() {
    for row in ROWS {
        let server = row.start("echo");
        let mut client = row.ready(&server).await;
        row.is_answered(&mut client, 1).await;

        server.control.restart();

        row.hears_all(&mut client, &["close 1012", "end"]).await;
        let mut client = row.ready(&server).await;
        row.is_answered(&mut client, 1).await;
    }
}

#[tokio::test]
async fn a_half_open_connection_says_nothing_and_the_next_one_works() {
    for row in ROWS {
        let server = row.start("echo");
        let mut client = row.ready(&server).await;
        row.is_answered(&mut client, 1).await;

        server.control.go_silent();

        say(&mut client, &(row.message)(2).0).await;
        assert!(is_silent(client.next()).await, "{:?}", row.dialect);
        let mut next = row.ready(&server).await;
        row.is_answered(&mut next, 1).await;
        server.control.drop_all();
        row.hears_all(&mut client, &["lost"]).await;
    }
}

#[tokio::test]
async fn a_fault_of_a_script_comes_after_the_login_and_one_answer() {
    for row in ROWS {
        for (name, ends) in [
            ("close-4000", &["close 4000", "end"][..]),
            ("restart", &["close 1012", "end"]),
            ("bad-utf8", &["bad UTF-8"]),
            ("reset-mid-frame", &["lost"]),
            ("go-silent", &[]),
        ] {
            let server = row.start(name);
            let mut client = row.ready(&server).await;

            row.is_answered(&mut client, 1).await;

            row.hears_all(&mut client, ends).await;
            if name == "go-silent" {
                assert!(is_silent(client.next()).await, "{:?}", row.dialect);
            }
        }
    }
}

#[tokio::test]
async fn pings_are_answered_as_the_script_says() {
    for row in ROWS {
        let Some([ping, _, wrong]) = (row.ping)(1) else { continue };
        for (name, pong) in [("never-pong", None), ("late-pong", None), ("wrong-pong", Some(wrong))]
        {
            let server = row.start(name);
            let mut client = row.ready(&server).await;

            say(&mut client, &ping).await;

            if let Some(pong) = pong {
                row.hears_all(&mut client, &[&pong]).await;
            }
            row.is_answered(&mut client, 2).await;
        }
    }
}

#[tokio::test]
async fn a_script_refuses_a_good_login_in_the_words_of_the_dialect() {
    for row in ROWS {
        let server = row.start("refuse-login");
        let mut client = row.greeted(&server).await;

        say(&mut client, &(row.login)(TOKEN)).await;

        if let Some(refusal) = row.refusal {
            row.hears_all(&mut client, &[refusal]).await;
        }
        row.hears_all(&mut client, &["close 1013", "end"]).await;
    }
}

#[tokio::test]
async fn a_script_without_a_step_greets_nobody() {
    for row in ROWS {
        let server = row.start("half-open");
        let (mut client, _) = server.try_connect(server.request()).await.expect("an upgrade");

        assert!(is_silent(client.next()).await, "{:?}", row.dialect);
    }
}

#[tokio::test]
async fn the_subprotocol_of_the_dialect_is_selected_wherever_it_is_offered() {
    let dialect = Some(ServedDialect::GraphqlTransportWs);
    let server = start(Options { dialect, ..Options::default() });
    let mut request = server.request();
    let offered = HeaderValue::from_static("graphql-ws, graphql-transport-ws");
    request.headers_mut().insert("Sec-WebSocket-Protocol", offered);

    let (_client, response) = server.try_connect(request).await.expect("an upgrade");

    assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "graphql-transport-ws");
    assert_eq!(hear(&mut server.connect().await).await, "close 4406");
}

#[tokio::test]
async fn a_server_that_pings_closes_a_client_that_does_not_answer() {
    let dialect = Some(ServedDialect::SocketIo);
    let (ping_interval, ping_timeout) = (Duration::from_millis(2), Duration::from_millis(2));
    let server = start(Options { dialect, ping_interval, ping_timeout, ..Options::default() });
    let mut client = server.connect().await;
    assert!(hear(&mut client).await.starts_with(r#"0{"maxPayload":"#));

    assert_eq!(hear(&mut client).await, "2");
    assert_eq!(hear(&mut client).await, "Close(None)");
}

#[tokio::test]
async fn a_client_that_does_not_log_in_is_closed() {
    let beat = Duration::from_millis(1);
    for (dialect, expected) in [
        (ServedDialect::GraphqlTransportWs, "close 4408"),
        (ServedDialect::HomeAssistant, "close 1000"),
        (ServedDialect::SocketIo, "Close(None)"),
    ] {
        let dialect = Some(dialect);
        let server = start(Options { dialect, beat, ..Options::default() });
        let mut request = server.request();
        let subprotocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol);
        let (mut client, _) = server.try_connect(request).await.expect("an upgrade");

        let mut heard = hear(&mut client).await;
        while !heard.to_lowercase().starts_with("close") {
            heard = hear(&mut client).await;
        }

        assert_eq!(heard, expected);
    }
}
