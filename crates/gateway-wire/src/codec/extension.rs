//! Where an extension such as permessage-deflate (RFC 7692) attaches. None is built in.

use std::fmt;

use super::breach::Breach;

/// An extension that transforms messages whose first frame has the bit RSV1 ([RFC 6455 section
/// 9](https://www.rfc-editor.org/rfc/rfc6455#section-9)).
///
/// For it, the payloads of a message's frames are one stream.
pub trait Extension: fmt::Debug + Send + Sync {
    /// Decodes a part of a message's stream, and appends at most `room` bytes to `output`. `is_last`
    /// says that `part` ends the message.
    ///
    /// Returns how many bytes of `part` it used. It keeps what it cannot decode yet, and counts it as
    /// used. It may stop early, because it needs more room or to bound its work: it then leaves at
    /// least one byte of `part`, and the codec returns to its caller and continues in the next call.
    ///
    /// The codec refuses the message if a call appends more than `room` bytes, or if a call with a part
    /// neither uses nor appends a byte.
    ///
    /// # Errors
    /// Returns a breach if the stream is invalid.
    fn decode(
        &mut self,
        part: &[u8],
        is_last: bool,
        room: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Breach>;
}
