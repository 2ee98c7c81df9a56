//! A fault: its steps at a peer, and the expected result in the program.

#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Websockets,
    Ws,
    GraphqlWs,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Websockets => "websockets",
            Self::Ws => "ws",
            Self::GraphqlWs => "graphql-ws",
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
    /// `gateway connect` is started (elsewhere it runs and is ready).
    Connect,
    /// A line of its stdin.
    Type(&'static str),
    /// An event that must come.
    See(&'static str),
    /// The same, while we send without a pause.
    TypeUntil(&'static str),
    /// The close code that the peer's library reports of the connection.
    PeerSees(u64),
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
    /// Beside `BASE`, or instead of the flag of that name in it.
    pub(crate) flags: &'static [(&'static str, &'static str)],
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
