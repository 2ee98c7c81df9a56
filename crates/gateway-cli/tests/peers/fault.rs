//! A fault: its steps at a peer, and the expected result in the program.

use serde_json::{Value, json};

#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Websockets,
    Ws,
    GraphqlWs,
    SocketIo,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Websockets => "websockets",
            Self::Ws => "ws",
            Self::GraphqlWs => "graphql-ws",
            Self::SocketIo => "socket.io",
        }
    }

    /// The secret of the dialect's preset that carries the login token, if the peer wants one.
    pub(crate) fn secret(self) -> Option<&'static str> {
        match self {
            Self::Websockets | Self::Ws => None,
            Self::GraphqlWs => Some("payload"),
            Self::SocketIo => Some("auth"),
        }
    }
}

pub(crate) enum Step {
    /// A command to the peer.
    Steer(&'static str),
    /// kill -9 of the peer.
    Kill,
    /// The peer is started again on its port.
    Start,
    /// SIGSTOP of the peer: its kernel keeps the sockets, and nobody reads or writes.
    Stop,
    /// SIGCONT.
    Continue,
    /// `gateway connect` is started (elsewhere it runs and is ready).
    Connect,
    /// A line of its stdin.
    Type(&'static str),
    /// An event that must come.
    See(&'static str),
    /// The connection is lost to a Close frame with this code.
    Closed(u64),
    /// The upgrade is refused with this status.
    Refused(u64),
    /// `Closed`, and the client gives up because of it.
    FatalClose(u64),
    /// `Refused`, and the client gives up because of it.
    FatalStatus(u64),
    /// The same, while we send without a pause.
    TypeUntil(&'static str),
    /// The close code that the peer's library reports of the connection.
    PeerSees(u64),
}

impl Step {
    /// The events that must come, in order.
    pub(crate) fn events(&self) -> Vec<Value> {
        let closed =
            |code| json!({ "event": "disconnected", "cause": "close_received", "code": code });
        let refused = |status| json!({ "event": "disconnected", "cause": "open_failed", "http_status": status });
        match *self {
            Self::See(pattern) | Self::TypeUntil(pattern) => {
                vec![serde_json::from_str(pattern).expect("the table is JSON")]
            }
            Self::Closed(code) => vec![closed(code)],
            Self::Refused(status) => vec![refused(status)],
            Self::FatalClose(code) => {
                vec![
                    closed(code),
                    json!({ "event": "gave_up", "cause": "close_code", "code": code }),
                ]
            }
            Self::FatalStatus(status) => {
                vec![
                    refused(status),
                    json!({ "event": "gave_up", "cause": "http_status", "http_status": status }),
                ]
            }
            Self::Steer(_)
            | Self::Kill
            | Self::Start
            | Self::Stop
            | Self::Continue
            | Self::Connect
            | Self::Type(_)
            | Self::PeerSees(_) => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Ready again.
    Ready,
    /// gave_up, and exit status 1, though stdin is still open.
    GaveUp,
}

pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) steps: &'static [Step],
    pub(crate) then: Then,
}

/// One server process, with one client for as long as it lives.
pub(crate) struct Run {
    /// The flags in addition to `BASE`. A flag replaces the one of the same name in `BASE`.
    pub(crate) flags: &'static [&'static [(&'static str, &'static str)]],
    pub(crate) faults: &'static [&'static [Fault]],
}

pub(crate) struct Program {
    pub(crate) peer: Peer,
    pub(crate) runs: &'static [Run],
}

impl Program {
    pub(crate) fn faults(&self) -> impl Iterator<Item = &'static Fault> {
        self.runs.iter().flat_map(|run| run.faults.iter().copied().flatten())
    }
}
