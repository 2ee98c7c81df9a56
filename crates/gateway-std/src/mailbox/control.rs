//! What other threads request of a client besides messages, and what they see of it.

use std::sync::Weak;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use gateway_core::{CloseCode, ConnectionState, Network, Verdict};
use gateway_wire::{
    EndKind, Message, NoAnswer, OnReadyError, Repeat, RequestErrorKind, ResponseHeaders, Session,
    Status,
};

use crate::clock::Countdown;

/// A request that overtakes messages.
pub(crate) enum Control {
    Close(CloseCode, String),
    Drain(CloseCode, String, Duration),
    Connect,
    Reconnect,
    /// Reconnect, also while the connection is closing.
    Restart,
    Network(Network),
    LoginAccepted,
    LoginRejected(Verdict),
    Facts(SyncSender<Facts>),
    OnReady(Setting, SyncSender<Result<bool, OnReadyError>>),
    Request(Box<Question>),
}

/// A request that waits for an answer of the server.
pub(crate) struct Question {
    pub(crate) message: Message,
    /// The time that is left to the thread.
    pub(crate) time: Countdown,
    pub(crate) repeat: Repeat,
    pub(crate) answer: SyncSender<Result<Message, NoAnswer>>,
    /// Whether the thread still waits: it holds the other end.
    pub(crate) is_awaited: Weak<()>,
}

/// A message for every ready: the one of this key, or none any more.
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) message: Option<Message>,
}

impl Control {
    /// Whether a thread waits for its answer.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self, Self::Facts(_) | Self::OnReady(..) | Self::Request(_))
    }

    /// Answers a control that is not carried out: the client is CLOSED.
    pub(super) fn refuse(self, facts: &Facts) {
        // The channel has space for the one answer, and the sender may be gone.
        match self {
            Self::Facts(answer) => drop(answer.send(facts.clone())),
            Self::OnReady(_, answer) => drop(answer.send(Err(OnReadyError::Closed))),
            Self::Request(question) => {
                let _ = question.answer.send(Err(RequestErrorKind::Closed.into()));
            }
            Self::Close(..)
            | Self::Drain(..)
            | Self::Connect
            | Self::Reconnect
            | Self::Restart
            | Self::Network(_)
            | Self::LoginAccepted
            | Self::LoginRejected(_) => {}
        }
    }

    pub(super) const fn closes(&self) -> bool {
        matches!(self, Self::Close(..) | Self::Drain(..))
    }

    pub(super) const fn connects(&self) -> bool {
        matches!(self, Self::Connect | Self::Reconnect | Self::Restart)
    }
}

/// What a sender may ask a client for.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) status: Status,
    pub(crate) subprotocol: Option<String>,
    pub(crate) response_headers: ResponseHeaders,
}

/// What senders are shown of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) state: ConnectionState,
    pub(crate) is_ready: bool,
    pub(crate) end: Option<EndKind>,
}

impl Standing {
    /// The client was dropped.
    pub(crate) const GONE: Self =
        Self { state: ConnectionState::Closed, is_ready: false, end: Some(EndKind::Gone) };

    pub(crate) fn of(session: &Session) -> Self {
        let end = session.end().map(|end| end.kind());
        Self { state: session.state(), is_ready: session.is_ready(), end }
    }
}
