//! Formats a line of a journal for people: a line of `gateway replay` and of a trace.

use std::fmt;

use gateway_core::{
    Action, ConnectionState, Credentials, DisconnectCause, Instant, Notice, Observed, OpenError,
    Outgoing, Part, Recognised, RetryCause, SendingFact, Verdict,
};

use crate::entry::SendingEntry;
use crate::fact::{Fact, FrameFact, Kind};

/// An event as text in four columns. `Display` aligns the columns.
///
/// ```
/// use gateway_core::{Action, ConnectionState, Instant, SocketId};
/// use gateway_journal::{Description, Fact};
///
/// let event = Fact::SocketOpened { socket: SocketId::new(1) };
/// let line = Description::new(Instant::from_millis(40), &event, &[], ConnectionState::Connected);
/// let expected = "    0.040000  1 opened                                 CONNECTED      -";
/// assert_eq!(line.to_string(), expected);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The time in seconds, rounded down to the microsecond.
    pub time: String,
    /// The event. If it is about a socket, it begins with the socket's number.
    pub event: String,
    /// The state after the event.
    pub state: ConnectionState,
    /// The actions in order, separated by semicolons; a dash if there are none.
    pub actions: String,
}

impl Description {
    /// The width of the event's column, in characters.
    pub const EVENT_WIDTH: usize = 40;

    /// The width of the state's column, in characters.
    pub const STATE_WIDTH: usize = 13;

    /// Describes an event, the core's actions, and the state after it.
    #[must_use]
    pub fn new(now: Instant, event: &Fact, actions: &[Action], state: ConnectionState) -> Self {
        let words: Vec<String> =
            actions.iter().map(|action| action_words(action).to_string()).collect();
        let actions = if words.is_empty() { "-".to_owned() } else { words.join("; ") };
        Self { time: time(now), event: event.to_string(), state, actions }
    }

    /// Describes what an observer has received.
    #[must_use]
    pub fn of(observed: &Observed<'_>) -> Self {
        let event = Fact::of(observed);
        Self::new(observed.now, &event, observed.actions, observed.state)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, event, state, actions } = self;
        let (wide, narrow) = (Self::EVENT_WIDTH, Self::STATE_WIDTH);
        write!(f, "{time}  {event:wide$} {state:narrow$}  {actions}")
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ConnectRequested => f.write_str("connect requested"),
            Self::ReconnectRequested => f.write_str("reconnect requested"),
            Self::CloseRequested { code, .. } => write!(f, "close requested, {code}"),
            Self::SendRequested { kind, bytes } => {
                let kind = match kind {
                    Kind::Text => "text",
                    Kind::Binary => "binary",
                };
                write!(f, "send requested, {kind} of {bytes} B")
            }
            Self::LoginAccepted => f.write_str("login accepted"),
            Self::LoginRejected { verdict } => {
                write!(f, "login rejected: {}", VerdictWords(verdict))
            }
            Self::OpenReserved { at } => write!(f, "open reserved for {}", Seconds(at)),
            Self::ProviderAnswered { socket } => write!(f, "{socket} provider answered"),
            Self::ProviderFailed { socket, verdict } => {
                write!(f, "{socket} provider failed: {}", VerdictWords(verdict))
            }
            Self::SocketOpened { socket } => write!(f, "{socket} opened"),
            Self::OpenFailed { socket, error } => {
                write!(f, "{socket} open failed: {}", Open(error))
            }
            Self::SocketFailed { socket, failure } => {
                write!(f, "{socket} failed: {}", failure.name())
            }
            Self::FrameReceived { socket, frame } => write!(f, "{socket} received {frame}"),
            Self::BytesReceived { socket } => write!(f, "{socket} received part of a message"),
            Self::WriteBlocked { socket } => write!(f, "{socket} write blocked"),
            Self::Flushed { socket } => write!(f, "{socket} flushed"),
            Self::ReadingPaused { socket } => write!(f, "{socket} reading paused"),
            Self::ReadingResumed { socket } => write!(f, "{socket} reading resumed"),
            Self::PingHeld { socket, bytes, idle } => {
                write!(f, "{socket} ping held: {bytes} B before it, idle {idle:?}")
            }
            Self::WriteProgressed { socket } => write!(f, "{socket} write progressed"),
            Self::PingHanded { socket, unproven } => {
                write!(f, "{socket} ping handed over: {unproven} B unproven")
            }
            Self::Drained { socket } => write!(f, "{socket} write buffer empty"),
            Self::WallClock { unix_ms } => write!(f, "wall clock {}", unix_ms.0),
            Self::NetworkChanged { network } => write!(f, "network {network:?}"),
            Self::Tick => f.write_str("tick"),
        }
    }
}

impl fmt::Display for FrameFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text { bytes, recognised, login } => {
                write!(f, "text of {bytes} B")?;
                match recognised {
                    Recognised::Ping(_) => f.write_str(", a ping")?,
                    Recognised::Pong(_) => f.write_str(", a pong")?,
                    Recognised::Other => {}
                }
                match login {
                    gateway_core::LoginAnswer::Accepted
                    | gateway_core::LoginAnswer::AcceptedAndDelivered => {
                        f.write_str(", login accepted")
                    }
                    gateway_core::LoginAnswer::Refused(verdict) => {
                        write!(f, ", login refused: {}", VerdictWords(verdict))
                    }
                    gateway_core::LoginAnswer::NotAnAnswer => Ok(()),
                }
            }
            Self::Binary { bytes } => write!(f, "binary of {bytes} B"),
            Self::Ping { bytes } => write!(f, "Ping of {bytes} B"),
            Self::Pong { number: Some(number), .. } => write!(f, "Pong {number}"),
            Self::Pong { bytes, number: None } => write!(f, "Pong of {bytes} B"),
            Self::Close { code: Some(code), .. } => write!(f, "Close {code}"),
            Self::Close { code: None, .. } => f.write_str("Close without a code"),
        }
    }
}

/// The time in the first column, and what happened. It has no state and no actions.
impl fmt::Display for SendingEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.time(), sending_words(&self.fact))
    }
}

impl SendingEntry {
    /// Returns the time in seconds, as in [`Description::time`].
    #[must_use]
    pub fn time(&self) -> String {
        time(self.now)
    }
}

/// Describes what was done with a message or a request in a few words.
#[must_use]
pub fn sending_words(fact: &SendingFact) -> impl fmt::Display + use<> {
    SendingWords(*fact)
}

struct SendingWords(SendingFact);

impl fmt::Display for SendingWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SendingFact::MessageQueued { number, bytes } => {
                write!(f, "message {number} of {bytes} B queued in the outbox")
            }
            SendingFact::MessageBuffered { number } => {
                write!(f, "message {number} left the outbox")
            }
            SendingFact::MessagesReturned { first, last } => {
                write!(f, "{} back in the outbox", Messages(first, last))
            }
            SendingFact::MessagesSettled { first, last, fate } => {
                write!(f, "{} {}", Messages(first, last), Spaced(fate.name()))
            }
            SendingFact::MessageRefused { bytes, why } => {
                write!(f, "message of {bytes} B refused: {}", Spaced(why.name()))
            }
            SendingFact::RequestMade { request, bytes, is_idempotent, timeout } => {
                let kind = if is_idempotent { ", idempotent" } else { "" };
                write!(f, "request {request} of {bytes} B made, timeout {timeout:?}{kind}")
            }
            SendingFact::RequestBuffered { request, id } => {
                write!(f, "request {request} in the write buffer, with the id {id}")
            }
            SendingFact::RequestEnded { request, end } => {
                write!(f, "request {request} ended: {}", Spaced(end.name()))
            }
            SendingFact::AnswerUnmatched => f.write_str("answer to no pending request"),
            SendingFact::RateLimited { until } => {
                write!(f, "rate limit reached until {}", Seconds(until))
            }
            SendingFact::DrainStarted { until } => {
                write!(f, "drain started, closes at {} at the latest", Seconds(until))
            }
            // A fact of a later version of the core.
            other => write!(f, "{other:?}"),
        }
    }
}

/// The messages with the numbers from the first to the last.
pub(crate) struct Messages(pub(crate) u64, pub(crate) u64);

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(first, last) if first == last => write!(f, "message {first}"),
            Self(first, last) => write!(f, "messages {first} to {last}"),
        }
    }
}

/// A name with spaces in place of underscores.
struct Spaced(&'static str);

impl fmt::Display for Spaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.replace('_', " "))
    }
}

/// Describes an action in a few words.
#[must_use]
pub fn action_words(action: &Action) -> impl fmt::Display + use<> {
    Words(*action)
}

struct Words(Action);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Action::AskProvider { id, credentials: Credentials::Cached } => {
                write!(f, "ask the provider for {id}")
            }
            Action::AskProvider { id, credentials: Credentials::Refresh } => {
                write!(f, "ask the provider for {id} with new credentials")
            }
            Action::OpenSocket { id, credentials: Credentials::Cached } => write!(f, "open {id}"),
            Action::OpenSocket { id, credentials: Credentials::Refresh } => {
                write!(f, "open {id} with new credentials")
            }
            Action::Send(id, outgoing) => match outgoing {
                Outgoing::Requested => write!(f, "send it on {id}"),
                Outgoing::RequestedClose => write!(f, "send the Close on {id}"),
                Outgoing::Close(code) => write!(f, "send Close {code} on {id}"),
                Outgoing::Login => write!(f, "send the login on {id}"),
                Outgoing::Dialect(Part { len, .. }) => {
                    write!(f, "send {len} B of the dialect on {id}")
                }
                Outgoing::DialectPing(_) => write!(f, "send the dialect's ping on {id}"),
                Outgoing::Ping(_) => write!(f, "send a ping on {id}"),
                Outgoing::WebSocketPing(number) => write!(f, "send Ping {number} on {id}"),
                Outgoing::Pong(_) => write!(f, "send a pong on {id}"),
            },
            Action::CloseSocket(id) => write!(f, "drop {id}"),
            Action::AbortSocket(id) => write!(f, "abort {id}"),
            Action::Drain(id) => write!(f, "drain {id}"),
            Action::ResumeAt(Part { len: 0, .. }) => f.write_str("resume at the endpoint"),
            Action::ResumeAt(_) => f.write_str("resume at the dialect's URL"),
            Action::ReserveOpen(at) => write!(f, "reserve an open at {} or later", Seconds(at)),
            Action::ReleaseOpen => f.write_str("release the reserved open"),
            Action::ScheduleTimer(at) => write!(f, "timer at {}", Seconds(at)),
            Action::CancelTimer => f.write_str("no timer"),
            Action::Deliver => f.write_str("deliver"),
            Action::Notify(notice) => notice_words(&notice, f),
        }
    }
}

fn notice_words(notice: &Notice, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match *notice {
        Notice::StateChanged { from, to, .. } => write!(f, "{from} -> {to}"),
        Notice::Ready { after, .. } => write!(f, "ready after {after:?}"),
        Notice::LoginRefused { verdict, .. } => {
            write!(f, "login refused: {}", VerdictWords(verdict))
        }
        Notice::Disconnected { socket, cause } => write!(f, "{socket} gone: {}", Cause(cause)),
        Notice::RetryScheduled { attempt, delay, cause, because } => {
            write!(f, "retry {attempt} in {delay:?} (")?;
            match cause {
                // The `Disconnected` before this has described it.
                RetryCause::Disconnected(_) => {}
                other => write!(f, "{}, ", other.name())?,
            }
            write!(f, "{})", because.name())
        }
        Notice::PingSent { .. } => f.write_str("ping sent"),
        Notice::PongReceived { round_trip: Some(span), .. } => write!(f, "round trip {span:?}"),
        Notice::PongReceived { round_trip: None, .. } => f.write_str("pong, round trip unknown"),
        Notice::Stale { what, socket } => write!(f, "stale: {} of {socket}", what.name()),
        Notice::ClockJumped { by } => write!(f, "clock jumped by {by:?}"),
        Notice::GaveUp { cause } => write!(f, "gave up: {cause}"),
        Notice::EffectIgnored { .. } => f.write_str("ignored a heartbeat interval of zero"),
        Notice::SendRejected(why) => write!(f, "rejected: {}", why.name()),
        // A notice of a later version of the core.
        other => write!(f, "{other:?}"),
    }
}

struct Cause(DisconnectCause);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name();
        match self.0 {
            DisconnectCause::CloseReceived(Some(code))
            | DisconnectCause::LoginRefused(Some(code)) => write!(f, "{name} {code}"),
            DisconnectCause::Lost(how) | DisconnectCause::ProtocolError(how) => {
                write!(f, "{name} ({})", how.name())
            }
            DisconnectCause::OpenFailed(error) => write!(f, "{name} ({})", Open(error)),
            // For all other causes, the name is enough.
            _ => f.write_str(name),
        }
    }
}

struct Open(OpenError);

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            OpenError::Http { status, .. } => write!(f, "{} {status}", self.0.name()),
            other => f.write_str(other.name()),
        }
    }
}

struct VerdictWords(Verdict);

impl fmt::Display for VerdictWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Verdict::Retry => f.write_str("retry"),
            Verdict::RetryNoSoonerThan(least) => write!(f, "retry after {least:?}"),
            Verdict::RefreshCredentials => f.write_str("refresh"),
            Verdict::Fatal => f.write_str("fatal"),
        }
    }
}

/// The first column of a line.
fn time(now: Instant) -> String {
    format!("{:>12}", Seconds(now).to_string())
}

/// An instant in seconds since the epoch, to the microsecond.
struct Seconds(Instant);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_nanos() / 1_000;
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::every;

    use super::*;

    #[test]
    fn every_notice_has_words() {
        for notice in every::notices() {
            let words = action_words(&Action::Notify(notice)).to_string();
            assert_ne!(words, format!("{notice:?}"), "add this notice to description.rs");
        }
    }

    #[test]
    fn every_fact_about_messages_and_requests_has_words() {
        for fact in every::sending_facts() {
            let words = sending_words(&fact).to_string();
            assert_ne!(words, format!("{fact:?}"), "add this fact to description.rs");
        }
    }

    #[test]
    fn every_cause_is_described_with_its_data() {
        for cause in every::disconnect_causes() {
            let words = Cause(cause).to_string();
            let shown = format!("{cause:?}");
            let has_data = shown.contains('(') && !shown.contains("None");
            assert_eq!(words.len() > cause.name().len(), has_data, "add {shown} to description.rs");
        }
        for cause in every::give_up_causes() {
            let words = action_words(&Action::Notify(Notice::GaveUp { cause })).to_string();
            let has_data = format!("{cause:?}").contains('(');
            let is_bare = words.ends_with(cause.name());
            assert_ne!(is_bare, has_data, "add {cause:?} to description.rs");
        }
    }
}
