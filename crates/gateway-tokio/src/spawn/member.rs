//! What a fleet does with a client that runs in a task.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream as _;
use gateway_core::CloseFrame;
use gateway_wire::{Account, ClientEvent, Counts, EndKind, Name, Source, Status};

use super::error::{HandleError, HandleErrorKind};
use super::events::Events;
use super::handle::Handle;
use super::shared::Shared;
use crate::sync::inside;

impl Handle {
    /// Opens a new socket; also if the connection is closing or CLOSED.
    pub(crate) fn restart(&self) -> Result<(), HandleError> {
        self.shared().request_socket(|engine| engine.request_restart())
    }

    /// Returns a snapshot of the client; the last one if its task is gone.
    pub(crate) fn latest_status(&self) -> Result<Status, HandleErrorKind> {
        let looked = self.shared().with(|state, _| state.status());
        looked.and_then(|status| status.ok_or(HandleErrorKind::Gone))
    }

    /// Starts to close the client, at once or after it has drained. Its task ends when it is CLOSED,
    /// although handles exist. Under a lock, this starts once the thread is outside.
    pub(crate) fn leave(&self, drain: Option<Duration>) {
        if inside::is_inside() {
            let handle = self.clone();
            return inside::defer(move || handle.leave(drain));
        }
        self.shared().retire(); // first: a handle must not connect after this has closed the client
        // This fails only if the client has ended already.
        let _ = self.shared().request(|engine| match drain {
            Some(span) => engine.drain(CloseFrame::NORMAL, span),
            None => engine.close(CloseFrame::NORMAL),
        });
    }

    /// Ends the client now, if it has not ended, and returns its account. Under the lock it ends later,
    /// and its account is not known.
    pub(crate) fn cut(&self, name: Name) -> Account {
        match Shared::cut(self.shared()) {
            Some(last) => Account::new(name, last.end, last.counts),
            None => Account::new(name, EndKind::Reentrant, Counts::default()),
        }
    }
}

/// The events of a client in a fleet. They end when its task is gone.
pub(crate) struct MemberEvents(Events);

impl MemberEvents {
    pub(crate) fn new(events: Events) -> Self {
        Self(events.until_gone())
    }
}

impl Source for MemberEvents {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ClientEvent>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}
