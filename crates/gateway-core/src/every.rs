//! One value of each variant of the core's enums. Other crates cannot match an enum exhaustively that may
//! grow, so their tests go through these values instead.

use alloc::vec::Vec;
use core::time::Duration;

use crate::action::{Because, DisconnectCause, GiveUpCause, Notice, RetryCause, SendRejection};
use crate::close::{CloseCode, CloseFrame};
use crate::event::{
    Backlog, Event, EventKind, Failure, Frame, Message, Network, OpenError, RetryAfter,
};
use crate::policy::Verdict;
use crate::sending::{MessageFate, RequestEnd, SendingFact};
use crate::state::{ConnectionState, SocketId};
use crate::time::{Instant, UnixMillis};

/// Defines a function that returns one value of each variant. It does not compile while a variant is
/// missing.
macro_rules! every {
    (
        $(#[$doc:meta])*
        $name:ident $(($argument:ident: $type:ty))?: $enum:ty { $($pattern:pat => $value:expr,)* }
    ) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name($($argument: $type)?) -> Vec<$enum> {
            let _is_complete = |value: $enum| match value { $($pattern => {})* };
            alloc::vec![$($value),*]
        }
    };
}

const SOCKET: SocketId = SocketId::new(1);

every!(
    /// Every event, of this socket.
    events(socket: SocketId): Event<'static> {
        Event::ConnectRequested => Event::ConnectRequested,
        Event::ReconnectRequested => Event::ReconnectRequested,
        Event::CloseRequested(_) => Event::CloseRequested(CloseFrame::NORMAL),
        Event::SendRequested(_) => Event::SendRequested(Message::Text("x")),
        Event::LoginAccepted => Event::LoginAccepted,
        Event::LoginRejected(_) => Event::LoginRejected(Verdict::Retry),
        Event::OpenReserved(_) => Event::OpenReserved(Instant::ZERO),
        Event::ProviderAnswered(_) => Event::ProviderAnswered(socket),
        Event::ProviderFailed(..) => Event::ProviderFailed(socket, Verdict::Retry),
        Event::SocketOpened(_) => Event::SocketOpened(socket),
        Event::OpenFailed(..) => Event::OpenFailed(socket, OpenError::Refused),
        Event::SocketFailed(..) => Event::SocketFailed(socket, Failure::Eof),
        Event::FrameReceived(..) => {
            Event::FrameReceived(socket, Frame::Text(r#"{"type":"pong"}"#))
        },
        Event::BytesReceived(_) => Event::BytesReceived(socket),
        Event::WriteBlocked(_) => Event::WriteBlocked(socket),
        Event::Flushed(_) => Event::Flushed(socket),
        Event::ReadingPaused(_) => Event::ReadingPaused(socket),
        Event::ReadingResumed(_) => Event::ReadingResumed(socket),
        Event::PingHeld(..) => {
            Event::PingHeld(socket, Backlog { bytes: 0, idle: Duration::ZERO })
        },
        Event::WriteProgressed(_) => Event::WriteProgressed(socket),
        Event::PingHanded(..) => Event::PingHanded(socket, 0),
        Event::Drained(_) => Event::Drained(socket),
        Event::WallClock(_) => Event::WallClock(UnixMillis(u64::MAX)),
        Event::NetworkChanged(_) => Event::NetworkChanged(Network::Online),
        Event::Tick => Event::Tick,
    }
);

every!(
    /// Every notice.
    notices: Notice {
        Notice::StateChanged { .. } => Notice::StateChanged {
            from: ConnectionState::Connecting,
            to: ConnectionState::Connected,
            socket: Some(SOCKET),
        },
        Notice::Ready { .. } => Notice::Ready { socket: SOCKET, after: Duration::ZERO },
        Notice::LoginRefused { .. } => {
            Notice::LoginRefused { socket: SOCKET, verdict: Verdict::Retry }
        },
        Notice::Disconnected { .. } => {
            Notice::Disconnected { socket: SOCKET, cause: DisconnectCause::Requested }
        },
        Notice::RetryScheduled { .. } => Notice::RetryScheduled {
            attempt: 1,
            delay: Duration::ZERO,
            cause: RetryCause::Online,
            because: Because::Hint,
        },
        Notice::PingSent { .. } => Notice::PingSent { socket: SOCKET },
        Notice::PongReceived { .. } => Notice::PongReceived { socket: SOCKET, round_trip: None },
        Notice::Stale { .. } => Notice::Stale { what: EventKind::Tick, socket: SOCKET },
        Notice::ClockJumped { .. } => Notice::ClockJumped { by: Duration::ZERO },
        Notice::GaveUp { .. } => Notice::GaveUp { cause: GiveUpCause::AttemptsSpent },
        Notice::EffectIgnored { .. } => Notice::EffectIgnored { socket: SOCKET },
        Notice::SendRejected(_) => Notice::SendRejected(SendRejection::NotReady),
    }
);

every!(
    /// Every cause of a disconnection.
    disconnect_causes: DisconnectCause {
        DisconnectCause::CloseReceived(_) => {
            DisconnectCause::CloseReceived(Some(CloseCode::GOING_AWAY))
        },
        DisconnectCause::Lost(_) => DisconnectCause::Lost(Failure::Eof),
        DisconnectCause::ProtocolError(_) => DisconnectCause::ProtocolError(Failure::TooBig),
        DisconnectCause::Provider => DisconnectCause::Provider,
        DisconnectCause::AttemptTimeout => DisconnectCause::AttemptTimeout,
        DisconnectCause::OpenFailed(_) => DisconnectCause::OpenFailed(OpenError::Dns),
        DisconnectCause::ConnectTimeout => DisconnectCause::ConnectTimeout,
        DisconnectCause::PongTimeout => DisconnectCause::PongTimeout,
        DisconnectCause::WriteStall => DisconnectCause::WriteStall,
        DisconnectCause::Dialect => DisconnectCause::Dialect,
        DisconnectCause::DataTimeout => DisconnectCause::DataTimeout,
        DisconnectCause::LoginTimeout => DisconnectCause::LoginTimeout,
        DisconnectCause::LoginRefused(_) => DisconnectCause::LoginRefused(None),
        DisconnectCause::CloseTimeout => DisconnectCause::CloseTimeout,
        DisconnectCause::Requested => DisconnectCause::Requested,
        DisconnectCause::Reconnect => DisconnectCause::Reconnect,
        DisconnectCause::Renewal => DisconnectCause::Renewal,
    }
);

every!(
    /// Every cause of a retry.
    retry_causes: RetryCause {
        RetryCause::Disconnected(_) => RetryCause::Disconnected(DisconnectCause::PongTimeout),
        RetryCause::ClockJump => RetryCause::ClockJump,
        RetryCause::Online => RetryCause::Online,
        RetryCause::Reconnect => RetryCause::Reconnect,
        RetryCause::Budget => RetryCause::Budget,
    }
);

every!(
    /// Every rule that determines a delay.
    reasons: Because {
        Because::Backoff => Because::Backoff,
        Because::RetryAfter => Because::RetryAfter,
        Because::Policy => Because::Policy,
        Because::Hint => Because::Hint,
        Because::Budget => Because::Budget,
        Because::Spread => Because::Spread,
    }
);

every!(
    /// Every cause of giving up.
    give_up_causes: GiveUpCause {
        GiveUpCause::CloseCode(_) => GiveUpCause::CloseCode(1008),
        GiveUpCause::HttpStatus(_) => GiveUpCause::HttpStatus(403),
        GiveUpCause::LoginRefused => GiveUpCause::LoginRefused,
        GiveUpCause::Provider => GiveUpCause::Provider,
        GiveUpCause::Dialect => GiveUpCause::Dialect,
        GiveUpCause::AttemptsSpent => GiveUpCause::AttemptsSpent,
        GiveUpCause::Configuration => GiveUpCause::Configuration,
    }
);

every!(
    /// Every reason to reject a message.
    send_rejections: SendRejection {
        SendRejection::NotReady => SendRejection::NotReady,
        SendRejection::Closed => SendRejection::Closed,
        SendRejection::WriteBlocked => SendRejection::WriteBlocked,
        SendRejection::OutcomesUnread => SendRejection::OutcomesUnread,
        SendRejection::Stalled => SendRejection::Stalled,
        SendRejection::LongerThanReserved => SendRejection::LongerThanReserved,
        SendRejection::Gone => SendRejection::Gone,
        SendRejection::Reentrant => SendRejection::Reentrant,
        SendRejection::OutboxFull => SendRejection::OutboxFull,
        SendRejection::Paced => SendRejection::Paced,
    }
);

every!(
    /// Every failure to open a socket.
    open_errors: OpenError {
        OpenError::Dns => OpenError::Dns,
        OpenError::Refused => OpenError::Refused,
        OpenError::Unreachable => OpenError::Unreachable,
        OpenError::Io => OpenError::Io,
        OpenError::Certificate => OpenError::Certificate,
        OpenError::Tls => OpenError::Tls,
        OpenError::Http { .. } => {
            OpenError::Http { status: 503, retry_after: Some(RetryAfter::Seconds(7)) }
        },
        OpenError::NotHttp => OpenError::NotHttp,
        OpenError::Upgrade => OpenError::Upgrade,
        OpenError::Proxy => OpenError::Proxy,
        OpenError::ProxyCredentials => OpenError::ProxyCredentials,
        OpenError::Configuration => OpenError::Configuration,
    }
);

every!(
    /// Every failure of an open socket.
    failures: Failure {
        Failure::Eof => Failure::Eof,
        Failure::Reset => Failure::Reset,
        Failure::Io => Failure::Io,
        Failure::Tls => Failure::Tls,
        Failure::Protocol => Failure::Protocol,
        Failure::InvalidUtf8 => Failure::InvalidUtf8,
        Failure::TooBig => Failure::TooBig,
    }
);

every!(
    /// Every fact about a message or a request.
    sending_facts: SendingFact {
        SendingFact::MessageQueued { .. } => SendingFact::MessageQueued { number: 7, bytes: 5 },
        SendingFact::MessageBuffered { .. } => SendingFact::MessageBuffered { number: 7 },
        SendingFact::MessagesReturned { .. } => SendingFact::MessagesReturned { first: 7, last: 9 },
        SendingFact::MessagesSettled { .. } => {
            SendingFact::MessagesSettled { first: 7, last: 9, fate: MessageFate::MaybeSent }
        },
        SendingFact::MessageRefused { .. } => {
            SendingFact::MessageRefused { bytes: 5, why: SendRejection::OutboxFull }
        },
        SendingFact::RequestMade { .. } => {
            SendingFact::RequestMade {
                request: 3,
                bytes: 5,
                is_idempotent: true,
                timeout: Duration::from_secs(10),
            }
        },
        SendingFact::RequestBuffered { .. } => SendingFact::RequestBuffered { request: 3, id: 12 },
        SendingFact::RequestEnded { .. } => {
            SendingFact::RequestEnded { request: 3, end: RequestEnd::TimedOut }
        },
        SendingFact::AnswerUnmatched => SendingFact::AnswerUnmatched,
        SendingFact::RateLimited { .. } => {
            SendingFact::RateLimited { until: Instant::from_millis(61_000) }
        },
        SendingFact::DrainStarted { .. } => {
            SendingFact::DrainStarted { until: Instant::from_millis(12_000) }
        },
    }
);

every!(
    /// Every outcome of a message.
    message_fates: MessageFate {
        MessageFate::Sent => MessageFate::Sent,
        MessageFate::MaybeSent => MessageFate::MaybeSent,
        MessageFate::Rejected => MessageFate::Rejected,
        MessageFate::Expired => MessageFate::Expired,
    }
);

every!(
    /// Every end of a request.
    request_ends: RequestEnd {
        RequestEnd::Answered => RequestEnd::Answered,
        RequestEnd::TimedOut => RequestEnd::TimedOut,
        RequestEnd::NotSent => RequestEnd::NotSent,
        RequestEnd::MaybeSent => RequestEnd::MaybeSent,
        RequestEnd::Correlation => RequestEnd::Correlation,
        RequestEnd::Forgotten => RequestEnd::Forgotten,
    }
);
