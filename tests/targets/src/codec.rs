//! What the two targets of the codec share: a side of the connection, bytes in pieces, and
//! tungstenite over memory.

mod peer;

use std::fmt;

use gateway_core::Failure;
use gateway_wire::codec::{Breach, Codec, Incoming, Input, Role};
use serde::{Deserialize, Serialize};
use tungstenite::protocol::Role as PeerRole;

pub(crate) use self::peer::Peer;

/// A side of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    #[default]
    Client,
    Server,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    pub(crate) const fn role(self) -> Role {
        match self {
            Self::Client => Role::Client,
            Self::Server => Role::Server,
        }
    }

    const fn peer_role(self) -> PeerRole {
        match self {
            Self::Client => PeerRole::Client,
            Self::Server => PeerRole::Server,
        }
    }
}

/// What was read of some bytes, and how that ended.
#[derive(Debug)]
pub(crate) struct Reading<E> {
    pub(crate) incoming: Vec<Incoming>,
    pub(crate) error: Option<E>,
    /// The bytes that were not used, up to which the error came.
    pub(crate) left: usize,
}

/// How the reading of some bytes ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Waits,
    Closed,
    Failed(Failure),
}

impl<E: Class + fmt::Debug> Reading<E> {
    pub(crate) fn end(&self) -> End {
        match (&self.error, self.incoming.last()) {
            (Some(error), _) => End::Failed(error.class()),
            (None, Some(Incoming::Close(_))) => End::Closed,
            (None, _) => End::Waits,
        }
    }
}

/// An error of either codec.
pub(crate) trait Class {
    fn class(&self) -> Failure;
}

impl Class for Breach {
    fn class(&self) -> Failure {
        self.failure()
    }
}

/// So many pieces have the sizes that a plan says. Those of more bytes are longer, or a run takes long.
const PIECES: usize = 4 << 10;

/// Reads `bytes` in pieces of these sizes, over and over; in one piece if there are none.
pub(crate) fn read(codec: &mut Codec, bytes: &[u8], cuts: &[u8]) -> Reading<Breach> {
    let mut incoming = Vec::new();
    let times = bytes.len().div_ceil(PIECES);
    let mut sizes = cuts.iter().map(|size| usize::from(*size).max(1) * times).cycle();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).min(rest.len());
        let (piece, after) = rest.split_at(size);
        let mut input = Input::new(piece);
        loop {
            let before = input.rest().len();
            match codec.decode(&mut input) {
                Ok(Some(next)) => incoming.push(next),
                Ok(None) if input.rest().is_empty() => break,
                // An extension stopped early.
                Ok(None) => assert!(input.rest().len() < before, "nothing is read"),
                Err(breach) => {
                    let left = after.len() + input.rest().len();
                    return Reading { incoming, error: Some(breach), left };
                }
            }
        }
        rest = after;
    }
    Reading { incoming, error: None, left: 0 }
}
