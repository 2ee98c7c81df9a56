//! The client's task: does the IO, and keeps the deadlines.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gateway_core::{CloseFrame, Instant};
use gateway_wire::{
    ClientEvent, DeferredLog, EndKind, Engine, Host as _, Left, LogLines, Progress,
};

use super::events::Events;
use super::handle::Handle;
use super::shared::{Shared, State};
use crate::clock::{Clock, Timer, yield_to_others};
use crate::host::Tokio;
use crate::outside::{self, Outside};
use crate::sync::{Arc, inside};
use crate::wakers::Wakers;

/// After this many rounds without a pause, the task yields to others.
const ROUNDS: u32 = 64;

/// The task. It ends when the connection is CLOSED, and there is no handle and no `Events` any more,
/// or the client has left its fleet.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    log: DeferredLog,
    timer: Timer,
    clock: Clock,
    /// Wakes this task, whatever its current waker.
    waker: Waker,
    /// The attempts that are under way.
    outside: Vec<Outside>,
    /// Whether the client was closed because it has no users.
    is_abandoned: bool,
}

/// What follows from a round.
enum Next {
    /// Another round.
    Round,
    /// Another round, after other tasks had their turn: messages wait for the application.
    Yield,
    /// Nothing, until this task is woken, or at this deadline.
    Wait(Option<Instant>),
    /// Nothing: the connection is CLOSED.
    Over,
    /// Nothing: code of the application's has panicked under the lock.
    Gone,
}

/// Splits a client into a handle, its events, and its driver.
pub(crate) fn split(
    mut engine: Box<Engine<Tokio>>,
    wakers: std::sync::Arc<Wakers>,
) -> (Handle, Events, Driver) {
    engine.end_wait(); // of a future that was dropped before
    engine.register_for_suspends(); // this may log, which must not be under the lock
    engine.host_mut().poll_outside();
    engine.drop_elsewhere();
    let mut log = engine.session_mut().defer_log();
    let _ = log.span(); // its parent is the current span
    let (clock, waker) = (engine.host().clock().clone(), engine.host().waker().clone());
    let shared = Shared::new(engine, wakers);
    let driver = Driver {
        shared: Arc::clone(&shared),
        log,
        timer: Timer::new(),
        clock,
        waker,
        outside: Vec::new(),
        is_abandoned: false,
    };
    (Handle::first(Arc::clone(&shared)), Events::only(shared), driver)
}

impl Driver {
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if inside::is_inside() {
            // An observer or a dialect polls this task, maybe under this very lock.
            yield_to_others(cx);
            return Poll::Pending;
        }
        self.shared.register_driver(cx);
        let users = self.shared.users();
        let is_abandoned = !users.exist() && !std::mem::replace(&mut self.is_abandoned, true);
        let mut dropped = Vec::new();
        // A result that is there counts before a deadline that is due, as bytes that have arrived do.
        outside::poll_all(&mut self.outside, &mut Context::from_waker(&self.waker));
        for round in 0..ROUNDS {
            let shared = &self.shared;
            let done = shared.with(|state, wakes| {
                if round == 0 {
                    state.answer_driver();
                    if users.left() {
                        shared.clear_leavings(state, wakes);
                    }
                    if is_abandoned {
                        state.abandon();
                    }
                }
                let next = state.round();
                if !users.read() {
                    state.take_unread(&mut dropped);
                }
                state.settle(shared, wakes);
                (next, state.take_log_lines(), state.take_outside(), state.take_left())
            });
            dropped.clear();
            let Ok((next, lines, outside, left)) = done else { return Poll::Ready(()) }; // it has panicked
            drop(left);
            self.write_log(lines);
            self.outside.extend(outside);
            let has_result =
                outside::poll_all(&mut self.outside, &mut Context::from_waker(&self.waker));
            match next {
                Next::Wait(_) if has_result => {}
                Next::Round => {}
                Next::Yield => break,
                Next::Wait(deadline) => {
                    self.timer.arm(&self.waker, &self.clock, deadline);
                    return Poll::Pending;
                }
                Next::Over if users.exist() && !users.retired() => {
                    self.timer.arm(&self.waker, &self.clock, None);
                    return Poll::Pending;
                }
                Next::Over | Next::Gone => return Poll::Ready(()),
            }
        }
        yield_to_others(cx);
        Poll::Pending
    }

    fn write_log(&mut self, lines: LogLines) {
        if !lines.is_empty() {
            self.log.write(lines);
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        let span = driver.log.span();
        let _entered = span.enter();
        let mut polled = Poll::Pending;
        // Without a budget, a socket that seems to wait does wait. So what has arrived is read
        // before a deadline fires. Rounds are bounded instead.
        Tokio::without_budget(|| polled = driver.run(cx));
        polled
    }
}

/// The runtime was shut down, the task is over, or it has panicked.
impl Drop for Driver {
    fn drop(&mut self) {
        Shared::end(&self.shared, EndKind::Gone);
        // A thread that unwinds must not panic again, and a subscriber or a recorder may.
        if !std::thread::panicking()
            && let Ok(lines) = self.shared.with(|state, _| state.take_log_lines())
        {
            self.write_log(lines);
        }
    }
}

impl State {
    /// No one uses the client any more. A drain goes on: it has its own end.
    fn abandon(&mut self) {
        if let Some(engine) = &mut self.engine
            && !engine.session().is_draining()
        {
            engine.close(CloseFrame::NORMAL);
        }
    }

    /// Carries out what was ordered, then makes one step on the socket.
    fn round(&mut self) -> Next {
        let Some(engine) = &mut self.engine else { return Next::Gone };
        engine.begin();
        let _ = engine.carry_out_orders();
        if engine.has_left() {
            return Next::Round; // once it is dropped
        }
        if engine.session().is_over() {
            return Next::Over;
        }
        if engine.look() == Progress::Made {
            engine.fire_if_busy(); // others may send without a pause
            // The application answers what one read has brought before the next read. So its
            // answers are written together, and the messages are still in the cache.
            return if engine.session().has_messages() { Next::Yield } else { Next::Round };
        }
        match engine.due() {
            None => Next::Wait(engine.session().deadline()),
            Some(now) => {
                engine.fire(now);
                Next::Round
            }
        }
    }

    fn take_outside(&mut self) -> Vec<Outside> {
        self.engine.as_mut().map(|engine| engine.host_mut().take_outside()).unwrap_or_default()
    }

    fn take_left(&mut self) -> Option<Left<Tokio>> {
        self.engine.as_mut().and_then(|engine| engine.take_left())
    }

    /// Takes the events that no one else takes.
    fn take_unread(&mut self, into: &mut Vec<ClientEvent>) {
        if let Some(engine) = &mut self.engine {
            engine.session_mut().end_loan(); // what was lent is dropped, too
            into.extend(std::iter::from_fn(|| engine.take_event()));
        }
    }
}
