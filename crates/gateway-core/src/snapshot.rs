//! How snapshots of a connection are written by serde: as the program's JSON events are. Names end
//! with the unit, and causes are objects with the fields of the event `disconnected`.

use core::time::Duration;

use serde::{Serialize, Serializer};

use crate::action::{DisconnectCause, GiveUpCause};
use crate::close::CloseCode;
use crate::event::OpenError;

/// A cause, and the numbers that belong to it.
#[derive(Default, Serialize)]
struct Described {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'static str>,
}

/// Writes whole milliseconds.
///
/// # Errors
/// The serializer's.
pub fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// Writes whole milliseconds, of a span that is there.
///
/// # Errors
/// The serializer's.
pub fn optional_millis<S: Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => millis(span, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes milliseconds with three decimals, of a round trip that is there.
#[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years are exact")]
#[expect(clippy::ref_option, reason = "serde requires this signature")]
pub(crate) fn fraction<S: Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        // Without std there is no `round`. A quotient of two integers is the nearest such number.
        Some(span) => serializer.serialize_f64(rounded_micros(*span) as f64 / 1e3),
        None => serializer.serialize_none(),
    }
}

fn rounded_micros(span: Duration) -> u128 {
    span.as_nanos().saturating_add(500) / 1_000
}

/// Writes why a socket ended.
#[expect(clippy::ref_option, reason = "serde requires this signature")]
pub(crate) fn disconnect<S: Serializer>(
    cause: &Option<DisconnectCause>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    cause.map(of_disconnect).serialize(serializer)
}

/// Writes why a socket could not be opened.
#[expect(clippy::ref_option, reason = "serde requires this signature")]
pub(crate) fn open_error<S: Serializer>(
    error: &Option<OpenError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    error.map(of_open_error).serialize(serializer)
}

/// Writes why the connection was given up.
///
/// # Errors
/// The serializer's.
pub fn give_up<S: Serializer>(
    cause: &Option<GiveUpCause>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    cause.map(of_give_up).serialize(serializer)
}

fn of_disconnect(cause: DisconnectCause) -> Described {
    let of_close = |code: Option<CloseCode>| Described {
        code: code.map(CloseCode::number),
        ..Described::default()
    };
    let described = match cause {
        DisconnectCause::CloseReceived(code) | DisconnectCause::LoginRefused(code) => {
            of_close(code)
        }
        DisconnectCause::Lost(how) | DisconnectCause::ProtocolError(how) => {
            Described { failure: Some(how.name()), ..Described::default() }
        }
        DisconnectCause::OpenFailed(how) => of_open_error(how),
        DisconnectCause::Provider
        | DisconnectCause::AttemptTimeout
        | DisconnectCause::ConnectTimeout
        | DisconnectCause::PongTimeout
        | DisconnectCause::WriteStall
        | DisconnectCause::Dialect
        | DisconnectCause::DataTimeout
        | DisconnectCause::LoginTimeout
        | DisconnectCause::CloseTimeout
        | DisconnectCause::Requested
        | DisconnectCause::Reconnect
        | DisconnectCause::Renewal => Described::default(),
    };
    Described { cause: Some(cause.name()), ..described }
}

fn of_open_error(error: OpenError) -> Described {
    match error {
        OpenError::Http { status, .. } => {
            Described { http_status: Some(status), ..Described::default() }
        }
        OpenError::Dns
        | OpenError::Refused
        | OpenError::Unreachable
        | OpenError::Io
        | OpenError::Certificate
        | OpenError::Tls
        | OpenError::Proxy
        | OpenError::ProxyCredentials
        | OpenError::NotHttp
        | OpenError::Upgrade
        | OpenError::Configuration => {
            Described { failure: Some(error.name()), ..Described::default() }
        }
    }
}

fn of_give_up(cause: GiveUpCause) -> Described {
    let (code, http_status) = match cause {
        GiveUpCause::CloseCode(code) => (Some(code), None),
        GiveUpCause::HttpStatus(status) => (None, Some(status)),
        GiveUpCause::LoginRefused
        | GiveUpCause::Provider
        | GiveUpCause::Dialect
        | GiveUpCause::AttemptsSpent
        | GiveUpCause::Configuration => (None, None),
    };
    Described { cause: Some(cause.name()), code, http_status, failure: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::every;

    fn json(described: &Described) -> serde_json::Value {
        serde_json::to_value(described).unwrap()
    }

    #[test]
    fn every_cause_is_written_under_the_name_that_events_have() {
        for cause in every::disconnect_causes() {
            assert_eq!(json(&of_disconnect(cause))["cause"], cause.name());
        }
        for cause in every::give_up_causes() {
            assert_eq!(json(&of_give_up(cause))["cause"], cause.name());
        }
    }

    #[test]
    fn a_cause_has_its_numbers_and_no_empty_field() {
        let close = DisconnectCause::CloseReceived(Some(CloseCode::GOING_AWAY));
        let http = OpenError::Http { status: 503, retry_after: None };
        for (described, expected) in [
            (of_disconnect(close), r#"{"cause":"close_received","code":1001}"#),
            (of_disconnect(DisconnectCause::PongTimeout), r#"{"cause":"pong_timeout"}"#),
            (
                of_disconnect(DisconnectCause::OpenFailed(http)),
                r#"{"cause":"open_failed","http_status":503}"#,
            ),
            (of_open_error(OpenError::Dns), r#"{"failure":"dns"}"#),
            (of_give_up(GiveUpCause::CloseCode(4004)), r#"{"cause":"close_code","code":4004}"#),
        ] {
            assert_eq!(serde_json::to_string(&described).unwrap(), expected);
        }
    }
}
