//! How actions are written as JSON: readable, exact, and read back as they were.

use std::time::Duration;

use gateway_core::{
    Action, Because, CloseCode, Credentials, DisconnectCause, EventKind, Failure, GiveUpCause,
    Instant, Notice, OpenError, Outgoing, RetryCause, SendRejection, SocketId, UnixMillis,
};

fn json(action: Action) -> String {
    let json = serde_json::to_string(&action).unwrap();
    assert_eq!(serde_json::from_str::<Action>(&json).unwrap(), action, "{json}");
    json
}

#[test]
fn actions_are_readable_json_with_units_in_the_names() {
    let socket = SocketId::new(3);
    let cause = DisconnectCause::OpenFailed(OpenError::Http { status: 503, retry_after: None });
    let retry = Notice::RetryScheduled {
        attempt: 2,
        delay: Duration::from_millis(1_500),
        cause: RetryCause::Disconnected(cause),
        because: Because::RetryAfter,
    };
    for (action, expected) in [
        (
            Action::OpenSocket { id: socket, credentials: Credentials::Refresh },
            r#"{"open_socket":{"socket":3,"credentials":"refresh"}}"#,
        ),
        (
            Action::Send(socket, Outgoing::Ping(Some(UnixMillis(17)))),
            r#"{"send":{"socket":3,"frame":{"ping":17}}}"#,
        ),
        (
            Action::Send(socket, Outgoing::Close(CloseCode::GOING_AWAY)),
            r#"{"send":{"socket":3,"frame":{"close":1001}}}"#,
        ),
        (Action::CloseSocket(socket), r#"{"close_socket":3}"#),
        (Action::AbortSocket(socket), r#"{"abort_socket":3}"#),
        (Action::ScheduleTimer(Instant::from_millis(2)), r#"{"schedule_timer_at_ns":2000000}"#),
        (Action::CancelTimer, r#""cancel_timer""#),
        (
            Action::Notify(retry),
            r#"{"notify":{"retry_scheduled":{"attempt":2,"delay_ns":1500000000,"cause":{"disconnected":{"open_failed":{"http":{"status":503}}}},"because":"retry_after"}}}"#,
        ),
        (
            Action::Notify(Notice::PongReceived { socket, round_trip: None }),
            r#"{"notify":{"pong_received":{"socket":3}}}"#,
        ),
        (
            Action::Notify(Notice::PongReceived {
                socket,
                round_trip: Some(Duration::from_nanos(1_234_567)),
            }),
            r#"{"notify":{"pong_received":{"socket":3,"round_trip_ns":1234567}}}"#,
        ),
        (
            Action::Notify(Notice::ClockJumped { by: Duration::MAX }),
            r#"{"notify":{"clock_jumped":{"by_ns":18446744073709551615999999999}}}"#,
        ),
    ] {
        assert_eq!(json(action), expected);
    }
}

#[test]
fn names_in_json_are_the_names_in_logs() {
    let of = |json: String| json.split('"').nth(1).map(ToString::to_string).unwrap_or_default();
    for cause in [
        DisconnectCause::CloseReceived(None),
        DisconnectCause::Lost(Failure::Eof),
        DisconnectCause::ProtocolError(Failure::InvalidUtf8),
        DisconnectCause::OpenFailed(OpenError::Dns),
        DisconnectCause::ConnectTimeout,
        DisconnectCause::PongTimeout,
        DisconnectCause::WriteStall,
        DisconnectCause::DataTimeout,
        DisconnectCause::LoginTimeout,
        DisconnectCause::LoginRefused(None),
        DisconnectCause::CloseTimeout,
        DisconnectCause::Requested,
    ] {
        assert_eq!(of(serde_json::to_string(&cause).unwrap()), cause.name());
    }
    for cause in [
        GiveUpCause::CloseCode(1000),
        GiveUpCause::HttpStatus(404),
        GiveUpCause::LoginRefused,
        GiveUpCause::AttemptsSpent,
        GiveUpCause::Configuration,
    ] {
        assert_eq!(of(serde_json::to_string(&cause).unwrap()), cause.name());
    }
    for error in [OpenError::NotHttp, OpenError::Http { status: 500, retry_after: None }] {
        assert_eq!(of(serde_json::to_string(&error).unwrap()), error.name());
    }
    for failure in [Failure::InvalidUtf8, Failure::TooBig] {
        assert_eq!(of(serde_json::to_string(&failure).unwrap()), failure.name());
    }
    for why in [
        SendRejection::NotReady,
        SendRejection::Closed,
        SendRejection::WriteBlocked,
        SendRejection::Stalled,
    ] {
        assert_eq!(of(serde_json::to_string(&why).unwrap()), why.name());
    }
    for kind in [EventKind::ConnectRequested, EventKind::WallClock, EventKind::Tick] {
        assert_eq!(of(serde_json::to_string(&kind).unwrap()), kind.name());
    }
}

#[test]
fn a_code_that_may_not_be_sent_and_a_field_that_is_unknown_are_no_action() {
    for json in [
        r#"{"send":{"socket":3,"frame":{"close":1006}}}"#,
        r#"{"send":{"socket":3,"frame":"login","to":4}}"#,
        r#"{"close_socket":-1}"#,
        r#"{"open_door":1}"#,
    ] {
        assert!(serde_json::from_str::<Action>(json).is_err(), "{json}");
    }
}
