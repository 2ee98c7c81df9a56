//! A client of a fleet: its thread hands its events over, and obeys the fleet.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use gateway_core::{CloseFrame, ConnectionState};
use gateway_wire::{ClientEvent, EndKind};

use super::Client;
use crate::fleet::{BATCH, BATCH_BYTES, Last, Member, Order};
use crate::system::System as _;

impl Client {
    /// Prepares a client for its thread.
    pub(crate) fn member(&self) -> Member {
        Member::new(self.mailbox.waker().clone(), self.snapshot())
    }

    /// Runs the client until it has left its fleet.
    pub(crate) fn run(mut self, member: &Member) {
        let _ends = Ends(member);
        let has_panicked = catch_unwind(AssertUnwindSafe(|| self.live(member))).is_err();
        let kind = if has_panicked { EndKind::Gone } else { EndKind::CutOff };
        let end = self.engine.session().end().map_or(kind, |end| end.kind());
        let unread = self.engine.abandon(has_panicked);
        self.answer_requests();
        let mut last = self.snapshot();
        (last.status.state, last.status.is_ready) = (ConnectionState::Closed, false);
        (last.status.socket, last.status.retry_in) = (None, None);
        member.end(end, last, unread);
        drop(self); // code of the application's may run
    }

    fn live(&mut self, member: &Member) {
        loop {
            self.drive(|session| {
                member.has_order() || session.has_events() && member.takes_batch()
            });
            match member.take_order() {
                Some(Order::Cut) => return,
                Some(Order::Leave { drain }) => self.leave(drain),
                None => {}
            }
            self.hand_over(member);
            if self.engine.session().is_over() {
                if self.is_leaving {
                    return;
                }
                if !self.engine.session().has_events() {
                    self.mailbox.retire(self.facts());
                } else if member.takes_batch() {
                    continue;
                }
                self.rest(member);
            }
        }
    }

    /// Starts to leave the fleet.
    fn leave(&mut self, drain: Option<Duration>) {
        let _ = self.open_mail(); // other threads asked for this before
        self.is_leaving = true;
        match drain {
            Some(span) => self.start_drain(CloseFrame::NORMAL, span),
            None => self.close(CloseFrame::NORMAL),
        }
    }

    /// Hands some events over, if there is space.
    fn hand_over(&mut self, member: &Member) {
        if !self.engine.session().has_events() || !member.takes_batch() {
            return;
        }
        let (mut batch, mut bytes) = (VecDeque::new(), 0);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            if self.engine.is_look_due() {
                self.look_around();
            }
            let Some(event) = self.engine.take_event() else { break };
            if let ClientEvent::Message(message) = &event {
                bytes += message.len();
            }
            batch.push_back(event);
        }
        member.hand_over(batch, self.snapshot());
    }

    /// Waits for other threads while the connection is CLOSED.
    fn rest(&mut self, member: &Member) {
        if self.mailbox.fall_asleep(self.letters_wait()) {
            if !member.has_order() {
                self.engine.host_mut().wait(None);
            }
            self.mailbox.wake_up();
        }
    }

    fn snapshot(&self) -> Last {
        Last { status: self.engine.status(), counts: self.engine.session().counts() }
    }
}

/// Reports that the thread ends, also if code of the application's panics when it is dropped.
struct Ends<'a>(&'a Member);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end_thread();
    }
}
