//! The words that the scenarios are told in.

use core::time::Duration;

use gateway_core::{
    AcceptanceRule, Action, Because, Config, ConfigBuilder, Credentials, DisconnectCause, Event,
    Failure, Frame, GiveUpCause, HeartbeatKind, Login, Notice, OpenError, RefusalRule, RetryAfter,
};

use gateway_testkit::{Rig, pings};

pub(crate) const WALL: u64 = 1_700_000_000_000;
pub(crate) const PONG: &str = r#"{"type":"pong"}"#;

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The default settings, with the JSON heartbeat.
pub(crate) fn json() -> ConfigBuilder {
    Config::builder().heartbeat(HeartbeatKind::Json)
}

pub(crate) fn with_login() -> Config {
    let login = Login::Message {
        send: "open sesame".into(),
        accepted: AcceptanceRule::parse("/type=welcome").unwrap(),
        refused: RefusalRule::parse("/type=refused").into_iter().collect(),
        timeout: seconds(10),
    };
    json().login(login).build().unwrap()
}

pub(crate) fn http(status: u16, retry_after: Option<RetryAfter>) -> OpenError {
    OpenError::Http { status, retry_after }
}

/// The opening socket fails with this error.
pub(crate) fn fail_to_open(rig: &mut Rig, error: OpenError) -> Vec<Action> {
    let id = rig.socket();
    rig.on(Event::OpenFailed(id, error))
}

/// The open socket is lost.
pub(crate) fn lose(rig: &mut Rig) -> Vec<Action> {
    let id = rig.socket();
    rig.on(Event::SocketFailed(id, Failure::Reset))
}

pub(crate) fn receive(rig: &mut Rig, text: &str) -> Vec<Action> {
    let id = rig.socket();
    rig.on(Event::FrameReceived(id, Frame::Text(text)))
}

/// Lets time pass with a pong to each ping.
pub(crate) fn live_for(rig: &mut Rig, span: Duration) {
    let until = rig.now.saturating_add(span);
    let id = rig.socket();
    receive(rig, PONG);
    while rig.connection.next_deadline().is_some_and(|at| at <= until) {
        if pings(&rig.tick()) > 0 {
            receive(rig, PONG);
        }
        assert_eq!(rig.connection.socket(), Some(id), "the peer answers every ping");
    }
    rig.run_for(until.saturating_duration_since(rig.now));
}

pub(crate) fn cause(actions: &[Action]) -> Option<DisconnectCause> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::Disconnected { cause, .. }) => Some(*cause),
        _ => None,
    })
}

pub(crate) fn gave_up(actions: &[Action]) -> Option<GiveUpCause> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::GaveUp { cause }) => Some(*cause),
        _ => None,
    })
}

pub(crate) fn because(actions: &[Action]) -> Option<Because> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::RetryScheduled { because, .. }) => Some(*because),
        _ => None,
    })
}

pub(crate) fn credentials(actions: &[Action]) -> Option<Credentials> {
    actions.iter().find_map(|action| match action {
        Action::OpenSocket { credentials, .. } => Some(*credentials),
        _ => None,
    })
}
