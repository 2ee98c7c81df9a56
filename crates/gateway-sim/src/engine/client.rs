//! A client: a real connection, and what the simulation keeps about it.

use gateway_core::{Connection, ConnectionState};

/// The state of a client, as a curve counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    Waiting,
    Connecting,
    LoggingIn,
    Ready,
    Closed,
}

/// There is no timer.
pub(super) const NEVER: u32 = u32::MAX;

/// It starts at a cache line, so that what the simulation keeps is in one of them.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Client {
    pub(super) connection: Connection,
    /// The millisecond of the timer's entry in the wheel, or later than the horizon. The
    /// connection's deadline is never before it.
    pub(super) armed: u32,
    /// Counts sockets. An entry of the wheel or of a queue with another number is void.
    pub(super) life: u32,
    /// The number of the last ping.
    pub(super) ping: u32,
    /// The millisecond of the last open.
    pub(super) opened_at: u32,
    /// Nothing arrives at the client before this millisecond: messages do not overtake each other.
    pub(super) inbox_at: u32,
    pub(super) group: u16,
    /// The node of the last attempt.
    pub(super) node: u16,
    /// How often the kernel has sent the last message again.
    pub(super) tries: u8,
    pub(super) phase: Phase,
    pub(super) link: Link,
}

/// What the server knows of the client's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Link {
    /// There is no connection: not yet, or not any more. The client may not have noticed.
    None,
    /// The server serves the connection.
    Served,
    /// The server has the connection, and says nothing.
    Silent,
}

impl Client {
    pub(super) const fn new(connection: Connection, group: u16) -> Self {
        Self {
            connection,
            armed: NEVER,
            life: 0,
            ping: 0,
            opened_at: NEVER,
            inbox_at: 0,
            group,
            node: 0,
            tries: 0,
            phase: Phase::Waiting,
            link: Link::None,
        }
    }

    /// Reads a word of each part that an event needs.
    pub(super) fn touch(&self) -> u64 {
        let deadline = self.connection.next_deadline().map_or(0, gateway_core::Instant::as_nanos);
        u64::from(self.armed) ^ deadline
    }

    pub(super) fn is_served(&self) -> bool {
        self.phase == Phase::Ready && self.link == Link::Served
    }

    pub(super) fn current_phase(&self) -> Phase {
        match self.connection.state() {
            ConnectionState::Disconnected => Phase::Waiting,
            ConnectionState::Connecting => Phase::Connecting,
            ConnectionState::Connected if !self.connection.is_ready() => Phase::LoggingIn,
            ConnectionState::Connected | ConnectionState::Authenticated => Phase::Ready,
            _ => Phase::Closed,
        }
    }
}
