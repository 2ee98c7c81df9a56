//! Close codes and close frames (RFC 6455 sections 5.5.1 and 7.4).

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A status code that may appear in a Close frame: 1000–1003, 1007–1014, 3000–4999.
///
/// Source: [RFC 6455 section 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4) and IANA's
/// registry of close codes. 1004–1006 and 1015 are reserved and never sent.
///
/// ```
/// use gateway_core::CloseCode;
/// assert_eq!(CloseCode::new(4000)?.number(), 4000);
/// assert!(CloseCode::new(1006).is_err());
/// # Ok::<(), gateway_core::InvalidCloseFrame>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the connection has fulfilled its purpose.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server goes down, or the client leaves.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the other side violated the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1007: a text message was not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: the message or its sender violates a policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message is larger than this side accepts.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: an unexpected condition prevents this side from going on.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);

    /// Parses a code.
    ///
    /// # Errors
    /// Returns [`InvalidCloseFrame::Code`] for a code that may not be sent.
    pub const fn new(code: u16) -> Result<Self, InvalidCloseFrame> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(Self(code)),
            _ => Err(InvalidCloseFrame::Code(code)),
        }
    }

    /// The code as a number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseFrame;

    fn try_from(code: u16) -> Result<Self, InvalidCloseFrame> {
        Self::new(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.number()
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The body of a Close frame: a code that may be sent and a reason of at most 123 bytes.
///
/// ```
/// use gateway_core::{CloseCode, CloseFrame};
/// let frame = CloseFrame::new(1000, "bye")?;
/// assert_eq!(frame.code(), CloseCode::NORMAL);
/// assert!(CloseFrame::new(1000, &"x".repeat(124)).is_err());
/// # Ok::<(), gateway_core::InvalidCloseFrame>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame<'a> {
    code: CloseCode,
    reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// The longest reason, in bytes. A control frame holds 125 bytes, and the code takes two of
    /// them ([RFC 6455 section 5.5](https://www.rfc-editor.org/rfc/rfc6455#section-5.5)).
    pub const MAX_REASON: usize = 123;

    /// Code 1000 without a reason.
    pub const NORMAL: CloseFrame<'static> = CloseFrame { code: CloseCode::NORMAL, reason: "" };

    /// Parses a code and a reason.
    ///
    /// # Errors
    /// Returns [`InvalidCloseFrame`] if the code may not be sent or the reason is too long.
    pub const fn new(code: u16, reason: &'a str) -> Result<Self, InvalidCloseFrame> {
        let code = match CloseCode::new(code) {
            Ok(code) => code,
            Err(error) => return Err(error),
        };
        if reason.len() > Self::MAX_REASON {
            return Err(InvalidCloseFrame::Reason(reason.len()));
        }
        Ok(Self { code, reason })
    }

    /// The status code.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason. It is empty if none was given.
    #[must_use]
    pub const fn reason(&self) -> &'a str {
        self.reason
    }
}

/// Why a Close frame may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidCloseFrame {
    /// The code is reserved or out of range.
    #[error("close code {0} may not be sent: use 1000-1003, 1007-1014 or 3000-4999")]
    Code(u16),
    /// The reason is too long. The number is its length in bytes.
    #[error("a close reason of {0} bytes is too long: the limit is 123")]
    Reason(usize),
}
