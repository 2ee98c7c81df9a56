//! `gateway connect --dialect` at `gateway serve --dialect`: each dialect that both speak.

use futures_util::future::join_all;

use super::common::{Client, Server, words};

/// Waits are short, and a server that is silent for a second is dead.
const QUICK: &str = "--initial-delay 50ms --max-delay 100ms --close-timeout 100ms \
    --heartbeat-interval 1s --heartbeat-timeout 500ms";

/// The server pings where the dialect says so.
const PINGS: &str = "--ping-interval 200ms --ping-timeout 500ms";

struct Row {
    dialect: &'static str,
    /// The secret with the token `hunter2`.
    secret: Option<&'static str>,
    message: &'static str,
    /// A part of the answer to the message.
    answer: &'static str,
    /// The cause of `disconnected` and of `gave_up` after a refused login.
    refused: Option<[&'static str; 2]>,
}

const REFUSED: Option<[&str; 2]> = Some(["login_refused", "login_refused"]);

static ROWS: [Row; 6] = [
    Row {
        dialect: "json",
        secret: Some("token=hunter2"),
        message: "hello\n",
        answer: "hello",
        refused: REFUSED,
    },
    Row {
        dialect: "graphql-transport-ws",
        secret: Some(r#"payload={"token":"hunter2"}"#),
        message: concat!(
            r#"{"id":"1","type":"subscribe","payload":{"query":"subscription { hello }"}}"#,
            "\n"
        ),
        answer: "{ hello }",
        refused: Some(["close_received", "close_code"]),
    },
    Row {
        dialect: "home-assistant",
        secret: Some("token=hunter2"),
        message: "{\"id\":1,\"type\":\"get_states\"}\n",
        answer: r#""success":true"#,
        refused: REFUSED,
    },
    Row {
        dialect: "socket.io",
        secret: Some(r#"auth={"token":"hunter2"}"#),
        message: "42[\"hello\"]\n",
        answer: r#"42["hello"]"#,
        refused: REFUSED,
    },
    Row { dialect: "ping", secret: None, message: "hello\n", answer: "hello", refused: None },
    Row { dialect: "op-ping", secret: None, message: "hello\n", answer: "hello", refused: None },
];

impl Row {
    async fn serve(&self, flags: &str) -> Server {
        let mut arguments = vec!["--dialect", self.dialect];
        if self.secret.is_some() {
            arguments.extend(["--login", "hunter2"]);
        }
        arguments.extend(words(PINGS));
        arguments.extend(words(flags));
        Server::start(&arguments).await
    }

    fn connect(&self, server: &Server) -> Client {
        let mut arguments = vec!["--dialect", self.dialect];
        if let Some(secret) = self.secret {
            arguments.extend(["--secret", secret]);
        }
        arguments.extend(words(QUICK));
        Client::start(&server.url, &arguments)
    }

    /// Waits until the client is ready, and sends a message that is answered.
    async fn is_ready(&self, client: &mut Client) {
        client.event("ready").await;
        client.send(self.message).await;
        let line = client.line().await;
        assert!(line.contains(self.answer), "{}: {line}", self.dialect);
    }
}

/// Plays all rows at once.
async fn each(play: impl AsyncFn(&Row)) {
    join_all(ROWS.iter().map(|row| play(row))).await;
}

#[tokio::test]
async fn a_client_is_ready_again_after_a_restart() {
    each(async |row| {
        let server = row.serve("--script restart --faults 1").await;
        let mut client = row.connect(&server);

        row.is_ready(&mut client).await;

        let lost = client.event("disconnected").await;
        assert_eq!(lost["code"], 1012, "{}: {lost}", row.dialect);
        row.is_ready(&mut client).await;
    })
    .await;
}

#[tokio::test]
async fn code_1000_is_the_end_only_where_the_preset_does_not_say_otherwise() {
    each(async |row| {
        let server = row.serve("--script close-1000 --faults 1").await;
        let mut client = row.connect(&server);

        row.is_ready(&mut client).await;

        assert_eq!(client.event("disconnected").await["code"], 1000, "{}", row.dialect);
        if matches!(row.dialect, "json" | "ping" | "op-ping") {
            assert_eq!(client.event("gave_up").await["code"], 1000, "{}", row.dialect);
        } else {
            row.is_ready(&mut client).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_notices_a_server_that_goes_silent() {
    each(async |row| {
        let server = row.serve("--script go-silent --faults 1").await;
        let mut client = row.connect(&server);

        row.is_ready(&mut client).await;

        let lost = client.event("disconnected").await;
        assert_eq!(lost["cause"], "pong_timeout", "{}: {lost}", row.dialect);
        row.is_ready(&mut client).await;
    })
    .await;
}

#[tokio::test]
async fn a_client_without_another_token_gives_up_when_its_own_has_expired() {
    each(async |row| {
        let Some([lost, gave_up]) = row.refused else { return };
        let server = row.serve("--login-uses 1 --script close-1012").await;
        let mut client = row.connect(&server);

        row.is_ready(&mut client).await;
        assert_eq!(client.event("disconnected").await["code"], 1012, "{}", row.dialect);

        assert_eq!(client.event("disconnected").await["cause"], lost, "{}", row.dialect);
        assert_eq!(client.event("gave_up").await["cause"], gave_up, "{}", row.dialect);
        assert_eq!(client.end().await.0.code(), Some(1), "{}", row.dialect);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    each(async |row| {
        let Some([lost, gave_up]) = row.refused else { return };
        let server = Server::start(&["--dialect", row.dialect, "--login", "other"]).await;
        let mut client = row.connect(&server);

        assert_eq!(client.event("disconnected").await["cause"], lost, "{}", row.dialect);
        assert_eq!(client.event("gave_up").await["cause"], gave_up, "{}", row.dialect);
        assert_eq!(client.end().await.0.code(), Some(1), "{}", row.dialect);
    })
    .await;
}

#[tokio::test]
async fn heartbeats_are_answered() {
    each(async |row| {
        if row.dialect == "socket.io" {
            return; // the server pings, and no event shows it
        }
        let server = row.serve("").await;
        let mut client = row.connect(&server);

        row.is_ready(&mut client).await;

        for _ in 0..2 {
            client.event("pong").await;
        }
    })
    .await;
}
