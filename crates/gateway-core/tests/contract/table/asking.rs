//! What the provider gives for an attempt: its request, or an error with a verdict.

use core::time::Duration;

use gateway_core::ConnectionState as State;
use gateway_core::{Because, Credentials, DisconnectCause, Event, GiveUpCause, Instant, Verdict};

use super::rows::{ONE, Row, given_up, lost, lost_until, open, row, stale, timer};
use super::situation::Situation::{
    self, Asking, Closed, Closing, Connecting, Idle, LoggingIn, Ready, ReadyAfterLogin, Refused,
    Waiting,
};

/// No situation of the table shares a budget, so nobody asked.
pub(crate) fn open_reserved(situation: Situation) -> Vec<Row> {
    match situation {
        Idle | Waiting | Asking | Connecting | LoggingIn | Refused | Ready | ReadyAfterLogin
        | Closing | Closed => {
            vec![row(Event::OpenReserved(Instant::from_millis(1_000)), situation.state(), [])]
        }
    }
}

/// The socket opens, and only now the connect timeout starts.
pub(crate) fn answered(situation: Situation) -> Vec<Row> {
    let event = Event::ProviderAnswered(ONE);
    match situation {
        Asking => {
            let actions = [open(ONE, Credentials::Cached), timer(11_000)];
            vec![row(event, State::Connecting, actions)]
        }
        Idle | Waiting | Connecting | LoggingIn | Refused | Ready | ReadyAfterLogin | Closing
        | Closed => stale(event, situation.state()),
    }
}

/// The error's verdict decides.
pub(crate) fn failed(situation: Situation) -> Vec<Row> {
    let (from, cause) = (State::Connecting, DisconnectCause::Provider);
    let fails = |verdict, next, actions| row(Event::ProviderFailed(ONE, verdict), next, actions);
    let least = Verdict::RetryNoSoonerThan(Duration::from_secs(45));
    match situation {
        Asking => vec![
            fails(Verdict::Retry, State::Disconnected, lost(from, cause)),
            fails(Verdict::RefreshCredentials, State::Disconnected, lost(from, cause)),
            fails(least, State::Disconnected, lost_until(from, cause, 49_500, Because::Policy)),
            fails(Verdict::Fatal, State::Closed, given_up(from, cause, GiveUpCause::Provider)),
        ],
        Idle | Waiting | Connecting | LoggingIn | Refused | Ready | ReadyAfterLogin | Closing
        | Closed => stale(Event::ProviderFailed(ONE, Verdict::Fatal), situation.state()),
    }
}
