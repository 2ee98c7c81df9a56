//! What a peer can violate, each with the section of the RFC that forbids it.

use gateway_core::Failure;
use thiserror::Error;

/// A violation of RFC 6455 by the peer, or a message over the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Breach {
    /// Section 5.1: a server must not mask its frames.
    #[error("a server's frame is masked (RFC 6455, 5.1)")]
    Masked,
    /// Section 5.1: a client must mask its frames.
    #[error("a client's frame is not masked (RFC 6455, 5.1)")]
    Unmasked,
    /// Section 5.2: RSV1 to RSV3 are 0, unless an extension defines them. An extension defines its bit
    /// only for the first frame of a message (RFC 7692, section 6).
    #[error("a reserved bit is set (RFC 6455, 5.2)")]
    ReservedBit,
    /// Section 5.2: the opcodes 3–7 and 11–15 are reserved.
    #[error("the opcode {0} is reserved (RFC 6455, 5.2)")]
    ReservedOpcode(u8),
    /// Section 5.2: a length takes the least number of bytes, and its highest bit is 0.
    #[error(
        "a length is coded in more bytes than it needs, or its highest bit is set (RFC 6455, 5.2)"
    )]
    Length,
    /// Section 5.4: the fragments of two messages do not mix.
    #[error("a message begins before the last fragment of the one before (RFC 6455, 5.4)")]
    Interrupted,
    /// Section 5.4: a continuation follows a first fragment.
    #[error("a continuation without a first fragment (RFC 6455, 5.4)")]
    NothingToContinue,
    /// Section 5.5: a control frame is not fragmented.
    #[error("a control frame is fragmented (RFC 6455, 5.5)")]
    FragmentedControl,
    /// Section 5.5: a control frame's payload has at most 125 bytes.
    #[error("a control frame's payload is longer than 125 bytes (RFC 6455, 5.5)")]
    LongControl,
    /// Section 5.5.1: the payload of a Close is empty, or has at least two bytes.
    #[error("a Close frame of one byte (RFC 6455, 5.5.1)")]
    CloseOfOneByte,
    /// Section 7.4: this code may not be sent.
    #[error("a Close frame with the code {0}, which may not be sent (RFC 6455, 7.4)")]
    CloseCode(u16),
    /// Section 5.5.1: the reason of a Close is UTF-8.
    #[error("the reason of a Close frame is not UTF-8 (RFC 6455, 5.5.1)")]
    CloseReason,
    /// Sections 5.6 and 8.1: a text is UTF-8.
    #[error("a text is not UTF-8 (RFC 6455, 8.1)")]
    Text,
    /// The message exceeds the limit that the codec was given.
    #[error(
        "a message of {size} bytes{} is longer than max_message_size, {limit} bytes",
        if *is_whole { "" } else { " so far, without its last fragment," }
    )]
    TooLong {
        /// The bytes that the heads of its frames have announced.
        size: u64,
        /// Whether its last fragment was announced.
        is_whole: bool,
        /// The limit.
        limit: usize,
    },
    /// The messages of one read ask the client's dialect for more answers than it may owe.
    #[error("the server asks for answers of more than {limit} bytes at once")]
    Answers {
        /// The limit.
        limit: usize,
    },
    /// The extension could not decode a message.
    #[error("the extension cannot decode a message: {0}")]
    Extension(&'static str),
}

impl Breach {
    /// Returns the class of failure, which decides about the code of the Close that answers it.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        match self {
            Self::Text | Self::CloseReason => Failure::InvalidUtf8,
            Self::TooLong { .. } => Failure::TooBig,
            Self::Masked
            | Self::Unmasked
            | Self::ReservedBit
            | Self::ReservedOpcode(_)
            | Self::Length
            | Self::Interrupted
            | Self::NothingToContinue
            | Self::FragmentedControl
            | Self::LongControl
            | Self::CloseOfOneByte
            | Self::CloseCode(_)
            | Self::Answers { .. }
            | Self::Extension(_) => Failure::Protocol,
        }
    }
}
