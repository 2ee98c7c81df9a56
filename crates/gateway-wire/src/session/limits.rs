//! The limits of a client's buffers.

use gateway_core::Spoken;

/// The limits of a client's buffers, in bytes unless they say otherwise.
///
/// ```
/// use gateway_wire::Limits;
///
/// let limits = Limits::default().requests(4_096).request_bytes(4 << 20);
/// assert_eq!(limits.requests, 4_096);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The limit of the write buffer. While more outgoing bytes than this wait, no message is
    /// accepted.
    pub high_water: usize,
    /// The limit of unsent answers to the peer's pings, and of a dialect's messages. While more of
    /// them wait, nothing is read. One read may bring many messages that a dialect answers: if 512
    /// KiB more than this wait, the socket fails.
    pub owed: usize,
    /// The limit of received messages that wait for the application. While more of them wait,
    /// nothing is read. The core's [`Backlog`](gateway_core::Backlog) is another thing: the bytes
    /// before a held ping.
    pub backlog: usize,
    /// The limit of messages that are sent on every ready: a number.
    pub on_ready: usize,
    /// The limit of these messages and their keys, all together.
    pub on_ready_bytes: usize,
    /// The limit of requests that have not ended: a number.
    pub requests: usize,
    /// The limit of the messages of requests that wait, or that may be sent again.
    pub request_bytes: usize,
}

impl Limits {
    /// Sets the limit of the [write buffer](Self::high_water). The default is 256 KiB.
    #[must_use]
    pub const fn high_water(self, bytes: usize) -> Self {
        Self { high_water: bytes, ..self }
    }

    /// Sets the limit of [unsent answers](Self::owed). The default is 64 KiB.
    #[must_use]
    pub const fn owed(self, bytes: usize) -> Self {
        Self { owed: bytes, ..self }
    }

    /// Sets the limit of [received messages](Self::backlog) that wait. The default is 1 MiB.
    #[must_use]
    pub const fn backlog(self, bytes: usize) -> Self {
        Self { backlog: bytes, ..self }
    }

    /// Sets how many messages may be sent [on every ready](Self::on_ready). The default is 4,096.
    #[must_use]
    pub const fn on_ready(self, messages: usize) -> Self {
        Self { on_ready: messages, ..self }
    }

    /// Sets how many bytes [these messages](Self::on_ready_bytes) may have. The default is 1 MiB.
    #[must_use]
    pub const fn on_ready_bytes(self, bytes: usize) -> Self {
        Self { on_ready_bytes: bytes, ..self }
    }

    /// Sets how many [requests](Self::requests) may wait at a time. The default is 1,024.
    #[must_use]
    pub const fn requests(self, count: usize) -> Self {
        Self { requests: count, ..self }
    }

    /// Sets how many bytes the messages of [these requests](Self::request_bytes) may have. The
    /// default is 1 MiB.
    #[must_use]
    pub const fn request_bytes(self, bytes: usize) -> Self {
        Self { request_bytes: bytes, ..self }
    }

    /// The limit of the answers to one read. A dialect may answer eight messages in full.
    pub(super) const fn most_answers(&self) -> usize {
        self.owed.saturating_add(8 * Spoken::MAX_BYTES)
    }
}

impl Default for Limits {
    /// 256 KiB of outgoing bytes, 64 KiB of answers, 1 MiB of received messages; on every ready 4,096
    /// messages of 1 MiB together; 1,024 requests, of which 1 MiB may wait.
    fn default() -> Self {
        Self {
            high_water: 256 << 10,
            owed: 64 << 10,
            backlog: 1 << 20,
            on_ready: 4_096,
            on_ready_bytes: 1 << 20,
            requests: 1_024,
            request_bytes: 1 << 20,
        }
    }
}
