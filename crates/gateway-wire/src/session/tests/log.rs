//! What is logged is logged when it happens, with the endpoint and without a secret.

use gateway_core::OpenError;

use super::*;
use crate::log::captured::logged;
use crate::settings::{Opens, Provider, Settings};

/// A session of an endpoint that is full of secrets.
fn secretive() -> Session {
    let mut settings = Settings::new("wss://ann:hunter1@gateway.example/feed?token=hunter2");
    settings.endpoint = settings.endpoint.header("X-Key", "hunter3").subprotocol("hunter4");
    settings.name = Some("feed-7".to_owned());
    settings.config = Arc::new(calm().build().unwrap());
    settings.report_sent = true;
    settings.seed = Some(7);
    settings.build(Opens::User, Provider::None).unwrap().session
}

#[test]
fn reconnects_are_logged_though_no_event_is_taken() {
    let mut session = secretive();
    let failure = OpenFailure::new(OpenError::Refused, "connection refused");

    let log = logged(tracing::Level::INFO, || {
        session.connect(at(0));
        for _ in 0..1_000 {
            let id = opens(&mut session);
            let now = session.deadline().unwrap_or(at(0));
            session.open_failed(now, id, &failure);
            session.tick(session.deadline().unwrap());
        }
    });

    let retries: Vec<_> = log.lines().filter(|line| line.contains("delay_ms=")).collect();
    assert_eq!(retries.len(), 1_000);
    for part in [
        "CONNECTING -> DISCONNECTED",
        "client{name=feed-7 endpoint=wss://gateway.example/feed}: ",
        "cause=\"open_failed\"",
        "detail=\"connection refused\"",
        "attempt=1000",
    ] {
        assert!(retries[999].contains(part), "{part} in {}", retries[999]);
    }
}

#[test]
fn every_line_names_client_and_endpoint_and_none_shows_a_secret() {
    let mut session = secretive();

    let log = logged(tracing::Level::TRACE, || {
        session.connect(at(0));
        let id = opens(&mut session);
        session.opened(at(0), id);
        session.received(at(1), id, &frame(0x81, "hunter5"));
        session.send(Message::text("hunter6")).unwrap();
        write_all(&mut session, id);
        session.send(Message::text("hunter7")).unwrap();
        session.flushed(SocketId::new(9));
        session.received(at(1), SocketId::new(9), b"?");
        session.failed(at(2), id, Failure::Reset, "reset");
        session.dropped(id);
        session.close(at(3), CloseFrame::NORMAL);
    });

    assert!(!log.contains("hunter") && !log.contains("ann"), "{log}");
    for line in log.lines() {
        assert!(
            line.contains("client{name=feed-7 endpoint=wss://gateway.example/feed}:"),
            "{line}"
        );
    }
    for part in [
        "CONNECTING -> CONNECTED",
        "ready",
        "message received",
        "messages sent",
        "out of order",
        "event of an earlier socket",
        "CONNECTED -> DISCONNECTED",
        "messages rejected",
        "DISCONNECTED -> CLOSED",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(session.has_messages(), "no event was taken");
}
