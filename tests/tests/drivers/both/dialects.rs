//! Each dialect that the hostile server plays, with the preset for it: logins that are refused or
//! expire, restarts, silence, and the messages on every ready.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gateway_dialects::{Preset, preset};
use gateway_hostile::{Builder, Running, ServedDialect, Server};
use gateway_tests::{Driver, Either, Provided as _, client};
use gateway_tokio::core::{
    CloseCode, Config, ConfigBuilder, ConnectionState, Dialect, DisconnectCause, GiveUpCause,
    HeartbeatKind,
};
use gateway_tokio::{Attempt, ClientEvent, ProviderError, Request};

gateway_tests::on_every_driver! {
    after_a_restart_the_client_logs_in_again
    a_server_that_goes_silent_is_noticed_and_the_client_logs_in_again
    a_refused_login_is_tried_with_one_more_token_and_then_given_up
    an_expired_token_is_renewed_by_the_provider
    what_is_set_on_ready_is_sent_again_in_order_and_may_change
}

/// A dialect, and what its client does.
struct Row {
    served: ServedDialect,
    login: Option<Login>,
    /// A message, and the beginning of its answer. The number grows on a connection.
    message: fn(u32) -> (String, String),
}

/// A login, and how it is refused.
struct Login {
    /// The secret of the preset, and its value with this token.
    secret: &'static str,
    value: fn(&str) -> String,
    /// What a refused login ends with: the cause, and its details for a wrong and an expired token.
    refused: fn() -> DisconnectCause,
    wrong: &'static str,
    expired: &'static str,
    gave_up: GiveUpCause,
}

const ROWS: &[Row] = &[
    Row {
        served: ServedDialect::Json,
        login: Some(Login {
            secret: "token",
            value: str::to_owned,
            refused: || DisconnectCause::LoginRefused(CloseCode::new(1008).ok()),
            wrong: "wrong token",
            expired: "token expired",
            gave_up: GiveUpCause::LoginRefused,
        }),
        message: echoed,
    },
    Row {
        served: ServedDialect::GraphqlTransportWs,
        login: Some(Login {
            secret: "payload",
            value: token_object,
            refused: || DisconnectCause::CloseReceived(CloseCode::new(4403).ok()),
            wrong: "Forbidden",
            expired: "Forbidden",
            gave_up: GiveUpCause::CloseCode(4403),
        }),
        message: |number| {
            let payload = r#"{"query":"subscription { news }"}"#;
            let subscribe =
                format!(r#"{{"id":"{number}","type":"subscribe","payload":{payload}}}"#);
            (subscribe, format!(r#"{{"id":"{number}","payload":"#))
        },
    },
    Row {
        served: ServedDialect::HomeAssistant,
        login: Some(Login {
            secret: "token",
            value: str::to_owned,
            refused: || DisconnectCause::LoginRefused(Some(CloseCode::NORMAL)),
            wrong: "Invalid access token or password",
            expired: "Invalid access token or password",
            gave_up: GiveUpCause::LoginRefused,
        }),
        message: |id| {
            (format!(r#"{{"id":{id},"type":"get_states"}}"#), format!(r#"{{"id":{id},"result":[]"#))
        },
    },
    Row {
        served: ServedDialect::SocketIo,
        login: Some(Login {
            secret: "auth",
            value: token_object,
            refused: || DisconnectCause::LoginRefused(None),
            wrong: "not authorized",
            expired: "not authorized: token expired",
            gave_up: GiveUpCause::LoginRefused,
        }),
        message: |number| {
            let event = format!(r#"42["hello",{number}]"#);
            (event.clone(), event)
        },
    },
    Row { served: ServedDialect::Ping, login: None, message: echoed },
    Row { served: ServedDialect::OpPing, login: None, message: echoed },
];

fn echoed(number: u32) -> (String, String) {
    let message = format!("hello {number}");
    (message.clone(), message)
}

fn token_object(token: &str) -> String {
    format!(r#"{{"token":"{token}"}}"#)
}

/// Where the server pings, its client treats it as dead after both.
const PING_INTERVAL: Duration = Duration::from_millis(100);
const PING_TIMEOUT: Duration = Duration::from_millis(1_900);
/// The heartbeat's interval and timeout: long enough for a machine with much else to do.
const BEAT: Duration = Duration::from_secs(1);

/// Plays all rows at once.
fn each(play: impl Fn(&'static Row) + Sync) {
    thread::scope(|scope| {
        for row in ROWS {
            scope.spawn(|| play(row));
        }
    });
}

/// Plays the rows that log in.
fn each_login(play: impl Fn(&'static Row, &'static Login) + Sync) {
    each(|row| {
        if let Some(login) = &row.login {
            play(row, login);
        }
    });
}

impl Row {
    fn name(&self) -> &'static str {
        self.served.name()
    }

    fn preset(&self) -> Preset {
        preset(self.name()).expect("a preset of the same name")
    }

    /// A server that accepts these tokens, if the dialect has a login.
    fn server(&self, tokens: &[&str]) -> Builder {
        let server = Server::builder().dialect(self.served).pings(PING_INTERVAL, PING_TIMEOUT);
        let tokens = if self.login.is_some() { tokens } else { &[] };
        tokens.iter().fold(server, |server, token| server.login(token.parse().expect("not empty")))
    }

    fn start(&self) -> Running {
        self.server(&["sesame"]).start().expect("a free port")
    }

    /// Retries that no test waits for, and what the preset says of close codes.
    fn config(&self) -> ConfigBuilder {
        let mut config = Config::builder()
            .initial_delay(Duration::from_millis(1))
            .max_delay(Duration::from_millis(5))
            .heartbeat_interval(BEAT)
            .heartbeat_timeout(BEAT);
        if self.served == ServedDialect::SocketIo {
            config = config
                .heartbeat(HeartbeatKind::Off) // only the server's pings are missed
                .close_timeout(Duration::from_millis(1)); // no Close follows its refusal
        }
        self.preset().suggestions().policy.into_iter().fold(config, ConfigBuilder::rule)
    }

    fn dialect(&self) -> impl Fn() -> Box<dyn Dialect + Send + Sync> + use<> {
        let preset = self.preset();
        move || preset.dialect()
    }

    /// Gives the next of these tokens each time that the server has refused one; the last one stays.
    fn provider(
        &self,
        tokens: &'static [&'static str],
    ) -> impl Fn(Attempt) -> Result<Request, ProviderError> + Send + Sync + use<> {
        let subprotocols = self.preset().suggestions().subprotocols;
        let secret = self.login.as_ref().map(|login| (login.secret, login.value));
        let refusals = AtomicUsize::new(0);
        move |attempt| {
            let more = usize::from(attempt.refresh);
            let refused = refusals.fetch_add(more, Ordering::Relaxed) + more;
            let token = tokens[refused.min(tokens.len() - 1)];
            let request = subprotocols.iter().fold(Request::new(), Request::subprotocol);
            Ok(match secret {
                Some((name, value)) => request.secret(name, value(token)),
                None => request,
            })
        }
    }

    fn client(&self, driver: Driver, server: &Running, tokens: &'static [&'static str]) -> Either {
        client!(driver, server.url(), self.config(),
            .dialect(self.dialect()).provided_by(self.provider(tokens)))
    }

    /// Waits until the client is ready, which it is behind its login.
    fn is_ready(&self, client: &mut Either) {
        client.until_ready();
        let state = match self.login {
            Some(_) => ConnectionState::Authenticated,
            None => ConnectionState::Connected,
        };
        assert_eq!(client.state(), state, "{}", self.name());
    }

    fn send(&self, client: &mut Either, number: u32) {
        client.send((self.message)(number).0).unwrap();
    }

    /// The next messages are the answers to those of these numbers.
    fn answers(&self, client: &mut Either, numbers: &[u32]) {
        for number in numbers {
            let message = client.message();
            let text = message.as_text().unwrap_or_default();
            let answer = (self.message)(*number).1;
            assert!(text.starts_with(&answer), "{}: {text}, not {answer}", self.name());
        }
    }

    /// Waits until the client is ready, and sends a message that is answered.
    fn is_in_use(&self, client: &mut Either) {
        self.is_ready(client);
        self.send(client, 1);
        self.answers(client, &[1]);
    }

    fn restart(&self, server: &Running, client: &mut Either) {
        server.control().restart();
        let restarted = DisconnectCause::CloseReceived(Some(CloseCode::SERVICE_RESTART));
        assert_eq!(client.lost(), restarted, "{}", self.name());
    }
}

/// The ends of sockets among the events: the cause and the detail.
fn ends(events: &[ClientEvent]) -> Vec<(DisconnectCause, &str)> {
    let end = |event| match event {
        &ClientEvent::Disconnected { cause, ref detail, .. } => Some((cause, &**detail)),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

#[test]
fn every_served_dialect_has_a_row() {
    let dialects: Vec<_> = ROWS.iter().map(|row| row.served).collect();
    assert_eq!(dialects, ServedDialect::ALL);
}

fn after_a_restart_the_client_logs_in_again(driver: Driver) {
    each(|row| {
        let server = row.start();
        let mut client = row.client(driver, &server, &["sesame"]);

        for _ in 0..2 {
            row.is_in_use(&mut client);
            row.restart(&server, &mut client);
        }
        row.is_in_use(&mut client);

        assert_eq!(server.control().tally().upgrades, 3, "{}", row.name());
    });
}

fn a_server_that_goes_silent_is_noticed_and_the_client_logs_in_again(driver: Driver) {
    each(|row| {
        let server = row.start();
        let mut client = row.client(driver, &server, &["sesame"]);

        row.is_in_use(&mut client);
        server.control().go_silent();

        assert_eq!(client.lost(), DisconnectCause::PongTimeout, "{}", row.name());
        row.is_in_use(&mut client);
    });
}

fn a_refused_login_is_tried_with_one_more_token_and_then_given_up(driver: Driver) {
    each_login(|row, login| {
        let server = row.start();
        let mut client = row.client(driver, &server, &["letmein-1", "letmein-2", "sesame"]);

        let events = client.drain();

        let refused = ((login.refused)(), login.wrong);
        assert_eq!(ends(&events), [refused; 2], "{}", row.name());
        assert_eq!(client.gave_up(), Some(login.gave_up), "{}", row.name());
        assert!(!format!("{events:?} {client:?}").contains("letmein"), "{}", row.name());
    });
}

fn an_expired_token_is_renewed_by_the_provider(driver: Driver) {
    each_login(|row, login| {
        let server = row.server(&["sesame-1", "sesame-2"]);
        let server = server.login_uses(NonZeroU32::MIN).start().expect("a free port");
        let mut client = row.client(driver, &server, &["sesame-1", "sesame-2"]);

        row.is_in_use(&mut client);
        row.restart(&server, &mut client);
        let events = client.until(|event| matches!(event, ClientEvent::Disconnected { .. }));
        let refused = ((login.refused)(), login.expired);
        assert_eq!(ends(&events), [refused], "{}", row.name());

        row.is_in_use(&mut client);
    });
}

/// All of a dialect's numbers grow, so each answer shows the place of its message.
fn what_is_set_on_ready_is_sent_again_in_order_and_may_change(driver: Driver) {
    each(|row| {
        let server = row.start();
        let text = |number| (row.message)(number).0;
        let mut client = client!(driver, server.url(), row.config(),
            .dialect(row.dialect()).provided_by(row.provider(&["sesame"]))
            .on_ready("b", text(1)).on_ready("a", text(2)));

        for _ in 0..2 {
            row.is_ready(&mut client);
            row.send(&mut client, 3);
            row.answers(&mut client, &[1, 2, 3]);
            row.restart(&server, &mut client);
        }

        // What is set while ready is sent now as well.
        row.is_ready(&mut client);
        row.answers(&mut client, &[1, 2]);
        client.set_on_ready("b", text(4)).unwrap();
        assert!(client.remove_on_ready("a") && !client.remove_on_ready("a"));
        client.set_on_ready("c", text(5)).unwrap();
        row.answers(&mut client, &[4, 5]);
        row.restart(&server, &mut client);
        row.is_ready(&mut client);
        row.send(&mut client, 6);
        row.answers(&mut client, &[4, 5, 6]);

        // What is set while disconnected is sent once.
        row.restart(&server, &mut client);
        client.set_on_ready("a", text(6)).unwrap();
        row.is_ready(&mut client);
        row.send(&mut client, 7);
        row.answers(&mut client, &[4, 5, 6, 7]);
    });
}

/// A sender does so from another thread.
#[test]
fn a_sender_changes_what_is_set_on_ready() {
    each(|row| {
        let server = row.start();
        let mut client = row.client(Driver::Std, &server, &["sesame"]);
        let Either::Std(blocking) = &client else { unreachable!("a blocking client") };
        let sender = blocking.sender();
        let user = thread::spawn(move || {
            let text = |number| (row.message)(number).0;
            sender.ready().unwrap();
            sender.set_on_ready("b", text(1)).unwrap();
            sender.set_on_ready("a", text(2)).unwrap();
            sender.set_on_ready("c", text(3)).unwrap();
            assert!(sender.remove_on_ready("a").unwrap());
            assert!(!sender.remove_on_ready("a").unwrap());
            sender.send(text(4)).unwrap();
        });

        row.answers(&mut client, &[1, 2, 3, 4]);
        user.join().unwrap();
        row.restart(&server, &mut client);
        row.is_ready(&mut client);
        row.send(&mut client, 4);

        row.answers(&mut client, &[1, 3, 4]);
    });
}
