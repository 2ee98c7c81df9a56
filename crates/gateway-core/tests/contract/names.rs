//! Names and words that users read: in logs, in JSON, in errors. Each is part of the contract, so each stands here.

use core::time::Duration;

use gateway_core::{
    Because, CloseCode, CloseFrame, ConnectionState, DisconnectCause, EventKind, Failure,
    GiveUpCause, HeartbeatKind, Instant, InvalidCloseFrame, JsonRule, OpenError, Policy,
    RetryCause, Rule, SendRejection, SocketId, Strategy, Verdict,
};

/// The names in the order of the values.
fn names<T: Copy>(values: &[T], name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    values.iter().map(|value| name(*value)).collect()
}

#[test]
fn states_are_named_as_logs_show_them() {
    use ConnectionState::{Authenticated, Closed, Closing, Connected, Connecting, Disconnected};
    let states = [Disconnected, Connecting, Connected, Authenticated, Closing, Closed];

    let expected =
        ["DISCONNECTED", "CONNECTING", "CONNECTED", "AUTHENTICATED", "CLOSING", "CLOSED"];
    assert_eq!(names(&states, ConnectionState::name), expected);
    assert_eq!(states.map(|state| state.to_string()), expected);
    assert_eq!(format!("{:>13}|", Disconnected), " DISCONNECTED|", "padded as asked");
}

#[test]
fn causes_are_named_as_json_logs_show_them() {
    let disconnects = [
        DisconnectCause::CloseReceived(None),
        DisconnectCause::Lost(Failure::Eof),
        DisconnectCause::ProtocolError(Failure::Protocol),
        DisconnectCause::OpenFailed(OpenError::Dns),
        DisconnectCause::ConnectTimeout,
        DisconnectCause::PongTimeout,
        DisconnectCause::WriteStall,
        DisconnectCause::DataTimeout,
        DisconnectCause::LoginTimeout,
        DisconnectCause::LoginRefused(None),
        DisconnectCause::CloseTimeout,
        DisconnectCause::Requested,
    ];
    let expected = [
        "close_received",
        "lost",
        "protocol_error",
        "open_failed",
        "connect_timeout",
        "pong_timeout",
        "write_stall",
        "data_timeout",
        "login_timeout",
        "login_refused",
        "close_timeout",
        "requested",
    ];
    assert_eq!(names(&disconnects, DisconnectCause::name), expected);
    let retries = disconnects.map(|cause| RetryCause::Disconnected(cause).name());
    assert_eq!(retries, expected);
    assert_eq!(RetryCause::ClockJump.name(), "clock_jump");
    assert_eq!(RetryCause::Online.name(), "online");

    let reasons = [Because::Backoff, Because::RetryAfter, Because::Policy, Because::Hint];
    assert_eq!(names(&reasons, Because::name), ["backoff", "retry_after", "policy", "hint"]);

    let ends = [
        GiveUpCause::CloseCode(1008),
        GiveUpCause::HttpStatus(404),
        GiveUpCause::LoginRefused,
        GiveUpCause::AttemptsSpent,
        GiveUpCause::Configuration,
    ];
    let expected =
        ["close_code", "http_status", "login_refused", "attempts_spent", "configuration"];
    assert_eq!(names(&ends, GiveUpCause::name), expected);

    let rejections = [
        SendRejection::NotReady,
        SendRejection::Closed,
        SendRejection::WriteBlocked,
        SendRejection::OutcomesUnread,
        SendRejection::Stalled,
    ];
    let expected = ["not_ready", "closed", "write_blocked", "outcomes_unread", "stalled"];
    assert_eq!(names(&rejections, SendRejection::name), expected);
}

#[test]
fn events_and_failures_are_named_as_json_logs_show_them() {
    let kinds = [
        EventKind::ConnectRequested,
        EventKind::CloseRequested,
        EventKind::SendRequested,
        EventKind::LoginAccepted,
        EventKind::LoginRejected,
        EventKind::SocketOpened,
        EventKind::OpenFailed,
        EventKind::SocketFailed,
        EventKind::FrameReceived,
        EventKind::BytesReceived,
        EventKind::WriteBlocked,
        EventKind::Flushed,
        EventKind::ReadingPaused,
        EventKind::ReadingResumed,
        EventKind::PingHeld,
        EventKind::WriteProgressed,
        EventKind::PingHanded,
        EventKind::WallClock,
        EventKind::NetworkChanged,
        EventKind::Tick,
    ];
    let expected = [
        "connect_requested",
        "close_requested",
        "send_requested",
        "login_accepted",
        "login_rejected",
        "socket_opened",
        "open_failed",
        "socket_failed",
        "frame_received",
        "bytes_received",
        "write_blocked",
        "flushed",
        "reading_paused",
        "reading_resumed",
        "ping_held",
        "write_progressed",
        "ping_handed",
        "wall_clock",
        "network_changed",
        "tick",
    ];
    assert_eq!(names(&kinds, EventKind::name), expected);

    let errors = [
        OpenError::Dns,
        OpenError::Refused,
        OpenError::Unreachable,
        OpenError::Io,
        OpenError::Certificate,
        OpenError::Tls,
        OpenError::Http { status: 503, retry_after: None },
        OpenError::NotHttp,
        OpenError::Upgrade,
        OpenError::Configuration,
    ];
    let expected = [
        "dns",
        "refused",
        "unreachable",
        "io",
        "certificate",
        "tls",
        "http",
        "not_http",
        "upgrade",
        "configuration",
    ];
    assert_eq!(names(&errors, OpenError::name), expected);

    let failures = [
        Failure::Eof,
        Failure::Reset,
        Failure::Io,
        Failure::Tls,
        Failure::Protocol,
        Failure::InvalidUtf8,
        Failure::TooBig,
    ];
    let expected = ["eof", "reset", "io", "tls", "protocol", "invalid_utf8", "too_big"];
    assert_eq!(names(&failures, Failure::name), expected);
}

#[test]
fn settings_are_named_as_a_configuration_writes_them() {
    let kinds = [HeartbeatKind::Json, HeartbeatKind::Ping, HeartbeatKind::Off];
    assert_eq!(names(&kinds, HeartbeatKind::name), ["json", "ping", "off"]);
    for strategy in Strategy::ALL {
        assert_eq!(Strategy::parse(strategy.name()), Some(strategy));
    }
    assert_eq!(JsonRule::parse("/a/b=c=d").unwrap().to_string(), "/a/b=c=d");
}

#[test]
fn verdicts_are_words_and_rules_say_what_their_codes_mean() {
    let least = Duration::from_secs(30);
    for (verdict, words) in [
        (Verdict::Retry, "retry"),
        (Verdict::RetryNoSoonerThan(least), "retry, no sooner than 30s"),
        (Verdict::RefreshCredentials, "refresh credentials once, then fatal"),
        (Verdict::Fatal, "fatal"),
    ] {
        assert_eq!(verdict.to_string(), words);
    }
    assert_eq!(Policy::default().judge(1012).meaning(), "service restart");
    let rule = Rule::new(4000, 4099, Verdict::Fatal).unwrap();
    assert_eq!((rule.first(), rule.last()), (4000, 4099));
    assert_eq!(rule.meaning(), "from the configuration");
}

#[test]
fn numbers_are_shown_as_numbers() {
    assert_eq!(SocketId::new(7).to_string(), "7");
    assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001");
    assert_eq!(format!("{:?}", Instant::from_nanos(5)), "Instant(5ns)");
}

#[test]
fn a_close_frame_that_may_not_be_sent_says_why() {
    let longest = "x".repeat(CloseFrame::MAX_REASON);
    let frame = CloseFrame::new(4000, &longest).unwrap();
    assert_eq!((frame.code().number(), frame.reason().len()), (4000, 123));

    let too_long = CloseFrame::new(4000, &"x".repeat(124)).unwrap_err();
    assert_eq!(too_long, InvalidCloseFrame::Reason(124));
    assert!(too_long.to_string().contains("123"), "{too_long}");
    let reserved = CloseFrame::new(1006, "").unwrap_err();
    assert!(reserved.to_string().contains("1006"), "{reserved}");
}
