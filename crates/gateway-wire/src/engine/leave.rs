//! How the engine leaves a socket: it drops it, and reports that to the session.

use std::fmt;

use gateway_core::SocketId;

use super::{Engine, Host, Io};
use crate::open_failure::OpenFailure;

/// A socket that the engine has left. Dropping this drops it.
#[must_use = "drop it outside of the lock"]
pub struct Left<H: Host>(Io<H>);

impl<H: Host> fmt::Debug for Left<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Left").field(&self.0.id()).finish()
    }
}

/// Where the engine drops the sockets that it leaves.
pub(super) enum Drops<H: Host> {
    /// Where it leaves them.
    Here,
    /// The driver drops them. The report follows with the next step after that.
    Elsewhere { left: Option<Left<H>>, report: Option<Report> },
}

/// What is reported once a socket is dropped.
pub(super) enum Report {
    /// The socket was dropped, as ordered.
    Dropped(SocketId),
    /// The socket could not be opened.
    Failed(SocketId, OpenFailure),
}

impl<H: Host> Engine<H> {
    /// From now on leaves the drop of sockets to [`take_left`](Self::take_left). For a driver whose
    /// engine is behind a lock: dropping a stream may run code of the application's.
    pub fn drop_elsewhere(&mut self) {
        self.drops = Drops::Elsewhere { left: None, report: None };
    }

    /// Returns the socket that the engine has left since the last call, if it
    /// [drops sockets elsewhere](Self::drop_elsewhere). Drop it before the next step.
    pub fn take_left(&mut self) -> Option<Left<H>> {
        match &mut self.drops {
            Drops::Here => None,
            Drops::Elsewhere { left, .. } => left.take(),
        }
    }

    /// Whether the engine has left a socket and waits until it is dropped. Then
    /// [take](Self::take_left) and drop it, and make another step.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        matches!(self.drops, Drops::Elsewhere { left: Some(_), .. })
    }

    /// Leaves the current socket.
    pub(super) fn leave(&mut self, then: Report) {
        let io = std::mem::replace(&mut self.io, Io::None);
        match &mut self.drops {
            Drops::Elsewhere { left, report } if io.may_hold_stream() => {
                *left = Some(Left(io));
                *report = Some(then);
            }
            Drops::Elsewhere { .. } | Drops::Here => {
                drop(io);
                self.report_left(then);
            }
        }
    }

    /// Reports the socket that was left, if it was dropped meanwhile. Returns whether there was one.
    pub(super) fn report_dropped(&mut self) -> bool {
        let report = match &mut self.drops {
            Drops::Elsewhere { left: None, report } => report.take(),
            Drops::Elsewhere { left: Some(_), .. } | Drops::Here => None,
        };
        report.map(|report| self.report_left(report)).is_some()
    }

    fn report_left(&mut self, report: Report) {
        match report {
            Report::Dropped(id) => self.session.dropped(id),
            Report::Failed(id, failure) => {
                self.session.open_failed(self.host.now(), id, &failure);
            }
        }
    }
}
