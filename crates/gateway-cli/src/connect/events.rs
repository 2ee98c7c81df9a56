//! `--events`: what happens to the connection, one JSON object a line.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use gateway_tokio::core::{
    Because, CloseCode, ConnectionState, DisconnectCause, GiveUpCause, Notice, OpenError,
    RetryCause, SocketId,
};
use serde::Serialize;

use super::form::ascii_controls;
use crate::{
    clock::Stopwatch,
    diagnostics::{self, Lines},
};

/// The destination of events, and the start of their times.
pub(crate) struct Events {
    since: Stopwatch,
    /// The time of the current events.
    at: Duration,
    /// The client's name.
    name: Option<String>,
    into: Option<Lines>,
    /// The refused login that ended the last socket: the code of the following Close, and its text.
    refusal: (Option<u16>, String),
}

impl Events {
    /// Opens a file, or stderr for `-`. Without a path the events are discarded.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub(crate) fn open(
        path: Option<&Path>,
        name: Option<&str>,
        since: Stopwatch,
    ) -> io::Result<Self> {
        let own = name.map(str::to_owned);
        let note = move |count| {
            let (t_ms, event) = (millis(since.elapsed()), &Event::Missed { count });
            Line { t_ms, name: own.as_deref(), event }.text()
        };
        let into = match path {
            None => None,
            Some(path) if path == Path::new("-") => {
                diagnostics::stderr().set_note(note);
                Some(diagnostics::stderr().clone())
            }
            Some(path) => {
                let shown = format!("--events {}", path.display());
                Some(Lines::open(shown, File::create(path)?, note)?)
            }
        };
        let name = name.map(str::to_owned);
        Ok(Self { since, at: since.elapsed(), name, into, refusal: Default::default() })
    }

    /// Sets the time of the following events to now, however long writing takes.
    pub(crate) fn stamp(&mut self) {
        self.at = self.since.elapsed();
    }

    /// Writes a notice of the connection.
    pub(crate) fn notice(&mut self, notice: Notice) {
        if let Notice::GaveUp { cause } = notice {
            let (code, reason) = std::mem::take(&mut self.refusal);
            return self.write(&Event::of_end(cause, code, &reason));
        }
        if let Some(event) = Event::of_notice(notice) {
            self.write(&event);
        }
        if let Notice::StateChanged { to: ConnectionState::Authenticated, socket, .. } = notice {
            self.write(&Event::Login { outcome: "accepted", socket, reason: None });
        }
    }

    /// Writes the end of a socket. `detail` is the reason of a Close frame, the refusal of a login, or an
    /// error text.
    pub(crate) fn disconnected(&mut self, socket: SocketId, cause: DisconnectCause, detail: &str) {
        self.write(&Event::of_disconnect(socket, cause, detail));
        self.refusal = match cause {
            DisconnectCause::LoginRefused(code) => (code.map(CloseCode::number), detail.to_owned()),
            DisconnectCause::Dialect | DisconnectCause::Provider => (None, detail.to_owned()),
            _ => (None, String::new()),
        };
    }

    /// Writes that the login was refused with this text.
    pub(crate) fn login_refused(&mut self, socket: SocketId, reason: &str) {
        let (socket, reason) = (Some(socket), non_empty(reason));
        self.write(&Event::Login { outcome: "refused", socket, reason });
    }

    /// Writes the number of dropped events.
    pub(crate) fn missed(&mut self, count: u64) {
        self.write(&Event::Missed { count });
    }

    /// Writes that received messages were dropped, because stdout accepted none.
    pub(crate) fn messages_dropped(&mut self, count: u64) {
        self.write(&Event::MessagesDropped { count });
    }

    /// Writes that the connection has not been ready for this long.
    pub(crate) fn lost(&mut self, away: Duration) {
        self.write(&Event::Lost { away_ms: millis(away) });
    }

    /// Writes that a message with this many bytes waits until the connection is ready.
    pub(crate) fn queued(&mut self, bytes: u64) {
        self.write(&Event::Queued { bytes });
    }

    /// Writes the outcome of a message with this many bytes.
    pub(crate) fn send(&mut self, outcome: &'static str, bytes: u64) {
        self.write(&Event::Send { outcome, bytes });
    }

    fn write(&mut self, event: &Event<'_>) {
        let Some(into) = &mut self.into else { return };
        let line = Line { t_ms: millis(self.at), name: self.name.as_deref(), event }.text();
        // Never fails: the queue counts lines that cannot be written.
        let _ = into.write_all(line.as_bytes());
    }
}

#[derive(Serialize)]
struct Line<'a> {
    t_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Line<'_> {
    /// The line as JSON, with its newline.
    fn text(&self) -> String {
        let text = serde_json::to_string(self).expect("its keys are strings, its numbers finite");
        // A terminal would execute C1 controls.
        ascii_controls(&text).into_owned() + "\n"
    }
}

/// One line without its time. A field without a value is omitted.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    State {
        from: ConnectionState,
        to: ConnectionState,
        #[serde(skip_serializing_if = "Option::is_none")]
        socket: Option<SocketId>,
    },
    Retry {
        attempt: u32,
        delay_ms: u64,
        cause: &'static str,
        because: &'static str,
    },
    Disconnected {
        cause: &'static str,
        socket: SocketId,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        http_status: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<&'static str>,
    },
    Ping {
        socket: SocketId,
    },
    Pong {
        socket: SocketId,
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_ms: Option<f64>,
    },
    Login {
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        socket: Option<SocketId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    Ready {
        socket: SocketId,
        after_ms: u64,
    },
    Stale {
        what: &'static str,
        socket: SocketId,
    },
    ClockJump {
        by_ms: u64,
    },
    GaveUp {
        cause: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        http_status: Option<u16>,
    },
    Queued {
        bytes: u64,
    },
    Send {
        outcome: &'static str,
        bytes: u64,
    },
    Lost {
        away_ms: u64,
    },
    EffectIgnored {
        socket: SocketId,
    },
    MessagesDropped {
        count: u64,
    },
    Missed {
        count: u64,
    },
}

impl<'a> Event<'a> {
    fn of_notice(notice: Notice) -> Option<Self> {
        Some(match notice {
            Notice::StateChanged { from, to, socket } => Self::State { from, to, socket },
            Notice::Ready { socket, after } => Self::Ready { socket, after_ms: millis(after) },
            Notice::Disconnected { socket, cause } => Self::of_disconnect(socket, cause, ""),
            Notice::RetryScheduled { attempt, delay, cause, because } => Self::Retry {
                attempt,
                delay_ms: millis(delay),
                cause: RetryCause::name(cause),
                because: Because::name(because),
            },
            Notice::PingSent { socket } => Self::Ping { socket },
            Notice::PongReceived { socket, round_trip } => {
                Self::Pong { socket, rtt_ms: round_trip.map(fraction) }
            }
            Notice::Stale { what, socket } => Self::Stale { what: what.name(), socket },
            Notice::ClockJumped { by } => Self::ClockJump { by_ms: millis(by) },
            Notice::GaveUp { cause } => Self::of_end(cause, None, ""),
            Notice::LoginRefused { socket, .. } => {
                Self::Login { outcome: "refused", socket: Some(socket), reason: None }
            }
            Notice::EffectIgnored { socket } => Self::EffectIgnored { socket },
            // The program tries a rejected line again, or reports it when it gives up.
            Notice::SendRejected(_) => return None,
            // Notices of a later core have no event yet.
            _ => return None,
        })
    }

    /// The end of the connection, with the Close of a refused login, and the text of the last end.
    fn of_end(cause: GiveUpCause, refused_with: Option<u16>, reason: &'a str) -> Self {
        let (code, http_status) = match cause {
            GiveUpCause::CloseCode(code) => (Some(code), None),
            GiveUpCause::HttpStatus(status) => (None, Some(status)),
            // Other causes have no code.
            _ => (refused_with, None),
        };
        Self::GaveUp { cause: cause.name(), code, reason: non_empty(reason), http_status }
    }

    fn of_disconnect(socket: SocketId, cause: DisconnectCause, detail: &'a str) -> Self {
        let (mut code, mut reason, mut http_status, mut failure) = (None, None, None, None);
        match cause {
            DisconnectCause::CloseReceived(received) | DisconnectCause::LoginRefused(received) => {
                code = received.map(CloseCode::number);
                reason = non_empty(detail);
            }
            DisconnectCause::Lost(how) | DisconnectCause::ProtocolError(how) => {
                failure = Some(how.name());
            }
            DisconnectCause::OpenFailed(how) => {
                match how {
                    OpenError::Http { status, .. } => http_status = Some(status),
                    how => failure = Some(how.name()),
                }
                reason = non_empty(detail);
            }
            DisconnectCause::Dialect | DisconnectCause::Provider => reason = non_empty(detail),
            // The names of the others are complete.
            _ => {}
        }
        Self::Disconnected { cause: cause.name(), socket, code, reason, http_status, failure }
    }
}

fn non_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Whole milliseconds.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds to the microsecond.
fn fraction(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use gateway_tokio::core::Failure;

    use super::*;

    const SOCKET: SocketId = SocketId::new(3);

    fn json(event: &Event<'_>) -> String {
        Line { t_ms: 17, name: None, event }.text().trim_end().to_owned()
    }

    #[test]
    fn a_line_has_its_time_its_name_and_no_field_without_a_value() {
        let pong = |round_trip| Notice::PongReceived { socket: SOCKET, round_trip };
        let changed =
            |to, socket| Notice::StateChanged { from: ConnectionState::Connecting, to, socket };
        let ready = Notice::Ready { socket: SOCKET, after: Duration::from_micros(40_900) };
        for (notice, expected) in [
            (pong(None), r#"{"t_ms":17,"event":"pong","socket":3}"#),
            (
                pong(Some(Duration::from_nanos(1_234_567))),
                r#"{"t_ms":17,"event":"pong","socket":3,"rtt_ms":1.235}"#,
            ),
            (ready, r#"{"t_ms":17,"event":"ready","socket":3,"after_ms":40}"#),
            (
                changed(ConnectionState::Authenticated, None),
                r#"{"t_ms":17,"event":"state","from":"CONNECTING","to":"AUTHENTICATED"}"#,
            ),
            (
                Notice::GaveUp { cause: GiveUpCause::HttpStatus(404) },
                r#"{"t_ms":17,"event":"gave_up","cause":"http_status","http_status":404}"#,
            ),
            (
                Notice::GaveUp { cause: GiveUpCause::AttemptsSpent },
                r#"{"t_ms":17,"event":"gave_up","cause":"attempts_spent"}"#,
            ),
        ] {
            assert_eq!(json(&Event::of_notice(notice).unwrap()), expected);
        }
    }

    #[test]
    fn what_waits_what_was_dropped_and_a_long_absence_are_lines() {
        let away_ms = millis(Duration::from_micros(30_000_900));
        for (event, expected) in [
            (Event::Queued { bytes: 5 }, r#""queued","bytes":5"#),
            (Event::Lost { away_ms }, r#""lost","away_ms":30000"#),
            (Event::MessagesDropped { count: 7 }, r#""messages_dropped","count":7"#),
        ] {
            assert_eq!(json(&event), format!(r#"{{"t_ms":17,"event":{expected}}}"#));
        }
    }

    #[test]
    fn events_that_were_dropped_are_a_line_with_their_count() {
        let expected = r#"{"t_ms":17,"event":"missed","count":64}"#;
        assert_eq!(json(&Event::Missed { count: 64 }), expected);
    }

    #[test]
    fn a_retry_tells_its_number_its_delay_and_both_causes() {
        let notice = Notice::RetryScheduled {
            attempt: 2,
            delay: Duration::from_millis(1_500),
            cause: RetryCause::Disconnected(DisconnectCause::PongTimeout),
            because: Because::RetryAfter,
        };

        let expected = r#"{"t_ms":17,"event":"retry","attempt":2,"delay_ms":1500,"cause":"pong_timeout","because":"retry_after"}"#;
        assert_eq!(json(&Event::of_notice(notice).unwrap()), expected);
    }

    #[test]
    fn a_disconnect_tells_what_belongs_to_its_cause() {
        let code = CloseCode::new(4000).ok();
        let http = OpenError::Http { status: 503, retry_after: None };
        for (cause, detail, expected) in [
            (
                DisconnectCause::CloseReceived(code),
                "come \"back\"",
                r#""close_received","socket":3,"code":4000,"reason":"come \"back\"""#,
            ),
            (DisconnectCause::CloseReceived(None), "", r#""close_received","socket":3"#),
            (
                DisconnectCause::CloseReceived(None),
                "\u{1b}\u{7f}\u{9b}31m",
                r#""close_received","socket":3,"reason":"\u001b\u007f\u009b31m""#,
            ),
            (
                DisconnectCause::Lost(Failure::Eof),
                "the end",
                r#""lost","socket":3,"failure":"eof""#,
            ),
            (
                DisconnectCause::OpenFailed(http),
                "503",
                r#""open_failed","socket":3,"reason":"503","http_status":503"#,
            ),
            (
                DisconnectCause::OpenFailed(OpenError::Refused),
                "",
                r#""open_failed","socket":3,"failure":"refused""#,
            ),
            (DisconnectCause::LoginRefused(None), "", r#""login_refused","socket":3"#),
            (
                DisconnectCause::Dialect,
                "login.send[0]: `${session}` was not captured",
                r#""dialect","socket":3,"reason":"login.send[0]: `${session}` was not captured""#,
            ),
            (
                DisconnectCause::LoginRefused(CloseCode::new(1013).ok()),
                "starting",
                r#""login_refused","socket":3,"code":1013,"reason":"starting""#,
            ),
        ] {
            let event = Event::of_disconnect(SOCKET, cause, detail);
            let expected = format!(r#"{{"t_ms":17,"event":"disconnected","cause":{expected}}}"#);
            assert_eq!(json(&event), expected);
        }
    }

    #[test]
    fn every_notice_is_an_event_but_a_rejected_message() {
        for notice in gateway_tokio::core::every::notices() {
            let is_told = Event::of_notice(notice).is_some();
            let is_rejection = matches!(notice, Notice::SendRejected(_));
            assert_ne!(is_told, is_rejection, "add {notice:?} to connect/events.rs");
        }
    }

    #[test]
    fn every_cause_is_written_with_its_data() {
        for cause in gateway_tokio::core::every::disconnect_causes() {
            let written = json(&Event::of_disconnect(SOCKET, cause, ""));
            let shown = format!("{cause:?}");
            let has_data = shown.contains('(') && !shown.contains("None");
            let bare = json(&Event::of_disconnect(SOCKET, DisconnectCause::PongTimeout, ""));
            let bare = bare.replace("pong_timeout", cause.name());
            assert_eq!(written != bare, has_data, "add {shown} to connect/events.rs");
        }
        for cause in gateway_tokio::core::every::give_up_causes() {
            let written = json(&Event::of_end(cause, None, ""));
            let is_bare = written.ends_with(&format!(r#""{}"}}"#, cause.name()));
            let has_data = format!("{cause:?}").contains('(');
            assert_ne!(is_bare, has_data, "add {cause:?} to connect/events.rs");
        }
    }
}
