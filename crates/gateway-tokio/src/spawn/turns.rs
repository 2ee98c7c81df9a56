//! The tasks that wait for space in the write buffer, first come, first served.

use std::collections::VecDeque;
use std::task::Waker;

use gateway_core::SocketId;

use super::wakes::Wakes;

/// A place in the queue. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Ticket {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// To send on this socket.
    Send(Option<SocketId>),
    /// To reserve space. This outlives the socket.
    Reserve,
}

/// The answer to a waiting task that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is the task's turn.
    Now,
    /// Others are before it, or there is no space.
    Later,
    /// It has waited in vain.
    Refused(Refusal),
}

/// Why a task has waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The transport took no byte for too long.
    Stalled,
    /// The socket was lost, or takes no messages any more.
    Lost,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    wants: Wants,
    /// `None` while the task is woken and has not yet looked.
    waker: Option<Waker>,
}

/// The queue. Each entry is a future that waits.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: VecDeque<Waiting>,
    /// Those that have waited in vain and have not yet looked.
    refused: Vec<(Ticket, Refusal)>,
    tickets: u64,
}

impl Turns {
    /// Whether no one waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Joins the end of the queue.
    pub(crate) fn join(&mut self, wants: Wants, waker: Waker) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.push_back(Waiting { ticket, wants, waker: Some(waker) });
        ticket
    }

    /// Returns whether it is the task's turn. If it is, the ticket is used up. If not, `waker` wakes
    /// the task later.
    pub(crate) fn look(
        &mut self,
        ticket: Ticket,
        waker: &Waker,
        has_space: impl FnOnce(Wants) -> bool,
        wakes: &mut Wakes,
    ) -> Turn {
        if let Some(index) = self.refused.iter().position(|(other, _)| *other == ticket) {
            let (_, why) = self.refused.swap_remove(index);
            self.free_if_empty();
            return Turn::Refused(why);
        }
        let Ok(index) = self.index(ticket) else { return Turn::Refused(Refusal::Lost) };
        if index == 0 && has_space(self.waiting[0].wants) {
            self.remove(index, wakes);
            return Turn::Now;
        }
        wakes.renew(&mut self.waiting[index].waker, waker);
        Turn::Later
    }

    /// Leaves the queue.
    pub(crate) fn leave(&mut self, ticket: Ticket, wakes: &mut Wakes) {
        self.refused.retain(|(other, _)| *other != ticket);
        self.free_if_empty();
        if let Ok(index) = self.index(ticket) {
            self.remove(index, wakes);
        }
    }

    fn remove(&mut self, index: usize, wakes: &mut Wakes) {
        wakes.spend(self.waiting.remove(index).and_then(|waiting| waiting.waker));
        self.free_if_empty();
    }

    /// What the first one waits for.
    pub(crate) fn first(&self) -> Option<Wants> {
        self.waiting.front().map(|first| first.wants)
    }

    /// Wakes the first one, whose turn it is.
    pub(crate) fn call_first(&mut self, wakes: &mut Wakes) {
        if let Some(first) = self.waiting.front_mut() {
            wakes.push(first.waker.take());
        }
    }

    /// Refuses those to whom this applies, and wakes them.
    pub(crate) fn refuse(
        &mut self,
        why: Refusal,
        applies: impl Fn(Wants) -> bool,
        wakes: &mut Wakes,
    ) {
        let refused = &mut self.refused;
        self.waiting.retain_mut(|waiting| {
            let keeps = !applies(waiting.wants);
            if !keeps {
                refused.push((waiting.ticket, why));
                wakes.push(waiting.waker.take());
            }
            keeps
        });
        self.free_if_empty();
    }

    /// Wakes all of them.
    pub(crate) fn call_all(&mut self, wakes: &mut Wakes) {
        for waiting in &mut self.waiting {
            wakes.push(waiting.waker.take());
        }
    }

    fn index(&self, ticket: Ticket) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket)
    }

    fn free_if_empty(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
        if self.refused.is_empty() && self.refused.capacity() > 0 {
            self.refused = Vec::new();
        }
    }
}
