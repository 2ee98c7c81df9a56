//! The text form of what a peer sees, the same in every harness.

use gateway_core::{Instant, SocketId};

use crate::peer::Saw;
use crate::stage::millis_of;

/// A frame of the client.
pub(crate) fn saw(now: Instant, id: SocketId, saw: &Saw) -> String {
    let what = match saw {
        Saw::Text(text) => format!("text {text}"),
        Saw::Binary(bytes) => format!("binary {}", bytes.escape_ascii()),
        Saw::Ping(payload) => format!("ping {}", payload.escape_ascii()),
        Saw::Pong(payload) => format!("pong {}", payload.escape_ascii()),
        // The machine sends no reason with these codes. A codec that fails the peer itself may.
        Saw::Close(Some((code @ (1002 | 1007 | 1009), _))) => format!("close {code}"),
        Saw::Close(Some((code, reason))) => format!("close {code} {reason}"),
        Saw::Close(None) => "close".to_owned(),
    };
    format!("{} socket {id}: {}", millis_of(now), what.trim_end())
}

/// The client has dropped the socket, open or still opening.
pub(crate) fn gone(now: Instant, id: SocketId) -> String {
    format!("{} socket {id}: gone", millis_of(now))
}

/// The client has aborted the socket: the peer sees a reset.
pub(crate) fn aborted(now: Instant, id: SocketId) -> String {
    format!("{} socket {id}: aborted", millis_of(now))
}

/// Whether a line is one of a frame.
pub(crate) fn is_frame(line: &str) -> bool {
    !line.ends_with(": gone") && !line.ends_with(": aborted")
}
