//! Events of a provider, and of a socket on the network, and which of them are in flight.

use core::time::Duration;

use gateway_core::{CloseCode, CloseFrame, Event, Failure, Frame, OpenError, SocketId, Verdict};

/// An event of a provider, or of a socket on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Provided,
    ProviderFailed,
    ProviderBusy,
    ProviderClosed,
    Opened,
    Refused,
    Unauthorized,
    Unavailable,
    Data,
    Pong,
    LoginAccepted,
    LoginRefused,
    CloseNormal,
    CloseGoingAway,
    CloseRestart,
    Reset,
}

impl Message {
    pub(crate) const ALL: [Self; 16] = [
        Self::Provided,
        Self::ProviderFailed,
        Self::ProviderBusy,
        Self::ProviderClosed,
        Self::Opened,
        Self::Refused,
        Self::Unauthorized,
        Self::Unavailable,
        Self::Data,
        Self::Pong,
        Self::LoginAccepted,
        Self::LoginRefused,
        Self::CloseNormal,
        Self::CloseGoingAway,
        Self::CloseRestart,
        Self::Reset,
    ];

    /// Whether the dialect gets it.
    pub(crate) const fn may_call(self) -> bool {
        matches!(
            self,
            Self::Opened | Self::Data | Self::Pong | Self::LoginAccepted | Self::LoginRefused
        )
    }

    /// The event with which the driver reports it.
    pub(crate) fn event(self, id: SocketId) -> Event<'static> {
        let failed = |status| OpenError::Http { status, retry_after: None };
        let text = |text| Event::FrameReceived(id, Frame::Text(text));
        let close = |frame| Event::FrameReceived(id, Frame::Close(frame));
        let busy = Verdict::RetryNoSoonerThan(Duration::from_secs(5));
        match self {
            Self::Provided => Event::ProviderAnswered(id),
            Self::ProviderFailed => Event::ProviderFailed(id, Verdict::Retry),
            Self::ProviderBusy => Event::ProviderFailed(id, busy),
            Self::ProviderClosed => Event::ProviderFailed(id, Verdict::Fatal),
            Self::Opened => Event::SocketOpened(id),
            Self::Refused => Event::OpenFailed(id, OpenError::Refused),
            Self::Unauthorized => Event::OpenFailed(id, failed(401)),
            Self::Unavailable => Event::OpenFailed(id, failed(503)),
            Self::Data => text("data"),
            Self::Pong => text(r#"{"type":"pong"}"#),
            Self::LoginAccepted => text(r#"{"type":"login_ok"}"#),
            Self::LoginRefused => text(r#"{"type":"login_refused"}"#),
            Self::CloseNormal => close(Some(CloseFrame::NORMAL)),
            Self::CloseGoingAway => close(CloseFrame::new(CloseCode::GOING_AWAY.number(), "").ok()),
            Self::CloseRestart => {
                close(CloseFrame::new(CloseCode::SERVICE_RESTART.number(), "").ok())
            }
            Self::Reset => Event::SocketFailed(id, Failure::Reset),
        }
    }

    /// The text for the provider, the server or the network that creates it.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Provided => "answers for the provider",
            Self::ProviderFailed => "fails for the provider",
            Self::ProviderBusy => "is busy for the provider",
            Self::ProviderClosed => "refuses for good for the provider",
            Self::Opened => "accepts",
            Self::Refused => "refuses",
            Self::Unauthorized => "answers 401",
            Self::Unavailable => "answers 503",
            Self::Data => "sends data",
            Self::Pong => "sends a pong",
            Self::LoginAccepted => "accepts the login",
            Self::LoginRefused => "refuses the login",
            Self::CloseNormal => "closes with 1000",
            Self::CloseGoingAway => "closes with 1001",
            Self::CloseRestart => "closes with 1012",
            Self::Reset => "drops the connection",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Messages, at most one of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Messages(u16);

impl Messages {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn has(self, message: Message) -> bool {
        self.0 & message.bit() != 0
    }

    pub(crate) const fn count(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) const fn add(&mut self, message: Message) {
        self.0 |= message.bit();
    }

    pub(crate) const fn remove(&mut self, message: Message) {
        self.0 &= !message.bit();
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Message> {
        Message::ALL.into_iter().filter(move |message| self.has(*message))
    }
}
