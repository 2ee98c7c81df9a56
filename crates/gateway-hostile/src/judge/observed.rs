//! What a client did: its attempts and the waits between them.

use std::time::Duration;

/// How many pings of an attempt are recorded with their times. Further ones are only counted.
const MAX_PINGS: usize = 256;

/// What a client did in a span of time. All times are relative to its start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) span: Duration,
    pub(crate) attempts: Vec<Attempt>,
    /// Attempts beyond the recorded ones.
    pub(crate) unrecorded: u64,
}

/// One TCP connection of the client. Each time is that of the first such event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) started: Duration,
    /// When the upgrade was complete.
    pub(crate) opened: Option<Duration>,
    /// The status of a response that does not upgrade.
    pub(crate) http_status: Option<u16>,
    /// When the script broke the protocol.
    pub(crate) fault: Option<Duration>,
    /// When the flood of pings began.
    pub(crate) flood: Option<Duration>,
    /// When the pong for the last ping of the flood came.
    pub(crate) flood_answered: Option<Duration>,
    /// When the server last wrote, up to the client's Close frame.
    pub(crate) last_sent: Option<Duration>,
    /// The server's own Close frame, not its answer to the client's.
    pub(crate) server_close: Option<(Duration, u16)>,
    pub(crate) client_close: Option<(Duration, Option<u16>)>,
    pub(crate) end: Option<(Duration, End)>,
    pub(crate) messages: u64,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) pings: Pings,
    /// WebSocket pongs.
    pub(crate) pongs: u64,
}

/// Who ended TCP, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    ClientFinished,
    ClientReset,
    ServerFinished,
    ServerReset,
}

/// The pings of the client, of both kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pings {
    pub(crate) first: Vec<(Duration, PingKind)>,
    pub(crate) count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PingKind {
    /// A text message `{"type":"ping"}`.
    Application,
    /// A control frame.
    WebSocket,
}

/// The time from the loss of an attempt to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The number of the attempt that was lost, from 1.
    pub(crate) after: usize,
    pub(crate) length: Duration,
}

impl Pings {
    pub(crate) fn add(&mut self, at: Duration, kind: PingKind) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < MAX_PINGS {
            self.first.push((at, kind));
        }
    }
}

impl End {
    fn is_of_client(self) -> bool {
        match self {
            Self::ClientFinished | Self::ClientReset => true,
            Self::ServerFinished | Self::ServerReset => false,
        }
    }
}

impl Attempt {
    /// When the attempt ended for the client.
    pub(crate) fn lost_at(&self) -> Option<Duration> {
        let closes = [self.server_close.map(|(at, _)| at), self.client_close.map(|(at, _)| at)];
        closes.into_iter().flatten().chain(self.end.map(|(at, _)| at)).min()
    }

    /// When the client left: by its Close frame or its end of TCP.
    pub(crate) fn left_at(&self) -> Option<Duration> {
        let closed = self.client_close.map(|(at, _)| at);
        closed.into_iter().chain(self.client_hung_up_at()).min()
    }

    /// When the client ended TCP.
    pub(crate) fn client_hung_up_at(&self) -> Option<Duration> {
        self.end.filter(|(_, end)| end.is_of_client()).map(|(at, _)| at)
    }
}

impl Observed {
    /// The wait before attempt `index`: since the loss of the previous one, or since its start if it was not
    /// lost.
    pub(crate) fn wait_before(&self, index: usize) -> Option<Wait> {
        let after = index.checked_sub(1)?;
        let (before, next) = (self.attempts.get(after)?, self.attempts.get(index)?);
        let lost = before.lost_at().filter(|at| *at <= next.started).unwrap_or(before.started);
        Some(Wait { after: index, length: next.started.saturating_sub(lost) })
    }

    /// The waits that ended in another attempt.
    pub(crate) fn waits(&self) -> Vec<Wait> {
        (1..self.attempts.len()).filter_map(|index| self.wait_before(index)).collect()
    }

    /// The wait that has not ended: `None` if the last attempt is not lost, or was not recorded.
    pub(crate) fn open_wait(&self) -> Option<Wait> {
        if self.unrecorded > 0 {
            return None;
        }
        let lost = self.attempts.last()?.lost_at()?;
        Some(Wait { after: self.attempts.len(), length: self.span.saturating_sub(lost) })
    }
}
