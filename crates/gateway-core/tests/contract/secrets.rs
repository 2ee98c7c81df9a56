//! The named secrets of an attempt: their limits, what they show, and what a dialect gets of them.

use std::sync::Arc;

use gateway_core::{
    Action, Config, Connection, Dialect, Event, Exchange, Frame, Instant, Interest, Message,
    NoDialect, Received, Secret, Secrets,
};
use gateway_testkit::Fixed;
use rand_core::Rng;

use super::words::{PONG, json};

fn named(name: &str, value: &str) -> (String, Secret) {
    (name.to_owned(), value.into())
}

fn token(value: &str) -> Secrets {
    Secrets::new(vec![named("token", value)]).unwrap()
}

#[test]
fn secrets_are_found_by_name_and_listed_in_order_and_only_names_are_shown() {
    let given = vec![named("token", "hunter2"), named("App-id.2_x", "17")];

    let secrets = Secrets::new(given).unwrap();

    assert_eq!(secrets.get("token").map(Secret::reveal), Some("hunter2"));
    assert_eq!(secrets.get("Token"), None);
    assert!(secrets.names().eq(["App-id.2_x", "token"]));
    assert!(secrets.values().map(Secret::reveal).eq(["17", "hunter2"]));
    assert_eq!(format!("{secrets:?}"), r#"{"App-id.2_x", "token"}"#);
}

#[test]
fn secrets_at_their_limits_are_accepted() {
    let longest = "n".repeat(Secrets::MAX_NAME);
    let value = "x".repeat(Config::MAX_LOGIN);
    assert!(Secrets::new(vec![named(&longest, &value)]).is_ok());
    let many = (0..Secrets::MAX_COUNT).map(|number| named(&number.to_string(), ""));
    assert_eq!(Secrets::new(many.collect()).unwrap().names().count(), Secrets::MAX_COUNT);
}

#[test]
fn every_secret_outside_the_limits_is_reported_and_no_wrong_name_is_shown() {
    let too_long = "n".repeat(Secrets::MAX_NAME + 1);
    let misplaced = named("Bearer hunter2", "");
    let wrong = vec![
        named("", ""),
        named(&too_long, ""),
        named("t\u{f6}ken", ""),
        misplaced,
        named("long", &"x".repeat(Config::MAX_LOGIN + 1)),
        named("token", "hunter2"),
        named("token", "hunter3"),
    ];

    let errors = Secrets::new(wrong).unwrap_err();

    let told: Vec<_> = errors.iter().map(|error| (error.field(), error.value())).collect();
    let unnamed = ("secrets", "");
    assert_eq!(told, [unnamed, unnamed, unnamed, unnamed, unnamed, ("secrets", "token")]);
    let limits: Vec<_> = errors.iter().map(|error| error.limit()).collect();
    assert!(limits[..4].iter().all(|limit| limit.contains("names of 1 to 64 letters")));
    assert_eq!(limits[4..], ["must each be at most 65536 bytes", "must each have its own name"]);
    assert!(!format!("{errors:?}").contains("hunter"));
}

#[test]
fn too_many_secrets_are_one_error() {
    let many = (0..=Secrets::MAX_COUNT).map(|number| named(&number.to_string(), "hunter2"));

    let errors = Secrets::new(many.collect()).unwrap_err();

    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(
        (error.field(), error.value(), error.limit()),
        ("secrets", "33", "must be at most 32")
    );
}

/// It consumes texts of at most as many bytes as its token has.
struct AsLongAsItsToken(u32);

impl Dialect for AsLongAsItsToken {
    fn interest(&self) -> Interest {
        if self.0 == 0 { Interest::NONE } else { Interest::texts_up_to(self.0) }
    }

    fn secrets(&mut self, secrets: &Secrets) {
        let length = |token: &Secret| u32::try_from(token.reveal().len()).unwrap();
        self.0 = secrets.get("token").map_or(0, length);
    }

    fn received(&mut self, _: Message<'_>, _: &mut Exchange<'_>) -> Received {
        Received::Consume
    }
}

fn become_ready<R: Rng, D: Dialect>(connection: &mut Connection<R, D>) {
    let _ = connection.handle(Instant::ZERO, Event::ConnectRequested);
    let id = connection.socket().unwrap();
    let _ = connection.handle(Instant::ZERO, Event::SocketOpened(id));
    assert!(connection.is_ready());
}

/// Sends the first JSON ping.
fn ask<R: Rng, D: Dialect>(connection: &mut Connection<R, D>) {
    let asked_at = connection.next_deadline().unwrap();
    let _ = connection.handle(asked_at, Event::Tick);
    assert_eq!(connection.unanswered_pings(), 1);
}

fn hear<R: Rng, D: Dialect>(connection: &mut Connection<R, D>, text: &str) -> Vec<Action> {
    let id = connection.socket().unwrap();
    let event = Event::FrameReceived(id, Frame::Text(text));
    connection.handle(Instant::ZERO, event).into_iter().collect()
}

#[test]
fn a_dialect_gets_the_secrets_and_is_asked_for_its_interest_at_once() {
    let config = Arc::new(json().build().unwrap());
    let dialect: Box<dyn Dialect> = Box::new(AsLongAsItsToken(0));
    let mut connection = Connection::with_dialect(config, Fixed::HALF, dialect);
    become_ready(&mut connection);
    assert_eq!(hear(&mut connection, "1234567"), [Action::Deliver]);

    connection.set_secrets(&token("hunter2"));
    assert_eq!(hear(&mut connection, "1234567"), []);
    assert_eq!(hear(&mut connection, "12345678"), [Action::Deliver]);

    connection.set_secrets(&Secrets::default());
    assert_eq!(hear(&mut connection, "1"), [Action::Deliver], "the former secrets are gone");
}

#[test]
fn a_pong_is_noticed_after_secrets_with_and_without_a_dialect() {
    fn is_noticed<D: Dialect>(dialect: D) {
        let config = Arc::new(json().build().unwrap());
        let mut connection = Connection::with_dialect(config, Fixed::HALF, dialect);
        become_ready(&mut connection);
        ask(&mut connection);
        let before = connection.machine().clone();

        connection.set_secrets(&token("hunter2"));

        assert_eq!(connection.machine(), &before);
        assert!(!hear(&mut connection, PONG).contains(&Action::Deliver));
        assert_eq!(connection.unanswered_pings(), 0);
    }
    is_noticed(AsLongAsItsToken(0));
    is_noticed(NoDialect);
}
