//! Attempts under a shared budget: each has one open, reserved before it, and none comes earlier.

use core::time::Duration;

use gateway_core::{Because, DisconnectCause, Event, Instant, Observed, RetryCause};

use crate::unlisted::unlisted;

use super::Checker;
use super::attempts::{Wait, is_purpose};
use super::retries::Loss;
use super::violation::{Invariant, Verdict, broken, hold};

/// What the machine asked for, and what it may have meant at that time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    at: Instant,
    since: Instant,
    /// The loss that this retry follows.
    loss: Option<Loss>,
    not_before: (Instant, Instant),
    reconnect: Instant,
    jump: (Instant, Instant),
}

impl Checker {
    pub(super) fn reserve_open(&mut self, at: Instant, seen: &Observed<'_>) -> Verdict {
        hold(Invariant::Order, self.config.shares_budget(), || format!("reserved {at:?}"))?;
        hold(Invariant::I4, at >= self.now, || format!("an open for the past: {at:?}"))?;
        let was_waiting = self.is_waiting();
        let is_late = self.is_late();
        let reconnect = self.next_reconnect();
        // A socket that is dropped because of a close request has no retry.
        let loss = self.loss.take().filter(|loss| loss.cause != DisconnectCause::Requested);
        let is_fit = is_late || loss.is_some() || seen.event != Event::Tick;
        hold(Invariant::I4, is_fit, || format!("an open for {at:?} on a Tick"))?;
        match loss {
            Some(loss) if is_purpose(loss.cause) => {
                hold(Invariant::I4, at == reconnect, || format!("{loss:?} opens at {at:?}"))?;
                self.reconnect_at = Some(at);
            }
            Some(loss) => {
                let is_final = self.retries.is_final(&loss, &self.config);
                hold(Invariant::I5, is_final == Ok(false), || {
                    format!("{loss:?} is retried: {is_final:?}")
                })?;
                let delay = at.saturating_duration_since(self.now);
                self.retries.count(&loss, self.now, delay, &self.config);
            }
            None if was_waiting && !is_late && seen.event == Event::ReconnectRequested => {
                self.reconnect_at = Some(at);
            }
            None => {}
        }
        // An open that has passed unused changes nothing else about the attempt.
        if !is_late || !matches!(seen.event, Event::ReconnectRequested | Event::Tick) {
            self.wait = None;
        }
        self.granted = None;
        if seen.event == Event::ConnectRequested {
            self.retries.tried(); // an attempt that the application asks for waits for the budget alone
        }
        self.asked = Some(Asked {
            at,
            since: self.now,
            loss,
            not_before: (self.retries.not_before, self.retries.not_before_most),
            reconnect,
            jump: self.jumps.retry_bounds(),
        });
        Ok(())
    }

    /// Whether a retry is scheduled, or will be as soon as its open is reserved.
    pub(super) fn is_waiting(&self) -> bool {
        self.wait.is_some() || self.asked.is_some()
    }

    pub(super) fn release_open(&mut self, seen: &Observed<'_>) -> Verdict {
        let is_close = matches!(seen.event, Event::CloseRequested(_));
        let is_held = self.asked.is_some() || self.granted.is_some();
        self.asked = None;
        self.granted = None;
        hold(Invariant::Order, is_close && is_held, || format!("released on {:?}", seen.event))
    }

    pub(super) fn open_reserved(&mut self, at: Instant) {
        if let Some(asked) = self.asked {
            self.granted = Some(at.max(asked.at));
        }
    }

    /// An attempt begins: its open was reserved, and the time for it has come.
    pub(super) fn use_open(&mut self, event: &Event<'_>) -> Verdict {
        let granted = self.granted.take();
        let is_due = granted.is_some_and(|at| at <= self.now);
        let is_unused =
            matches!(event, Event::OpenReserved(_)) || granted.is_none_or(|at| !self.is_past(at));
        hold(Invariant::I4, is_due && is_unused || !self.config.shares_budget(), || {
            format!("opens at {:?}, reserved for {granted:?}", self.now)
        })
    }

    /// Whether a reserved open has passed unused.
    fn is_late(&self) -> bool {
        self.granted.is_some_and(|at| self.is_past(at))
    }

    fn is_past(&self, at: Instant) -> bool {
        self.now.saturating_duration_since(at) > Duration::from_secs(1)
    }

    /// Checks the retry that is announced when its open is reserved.
    pub(super) fn scheduled_in_budget(
        &mut self,
        attempt: u32,
        delay: Duration,
        cause: RetryCause,
        because: Because,
    ) -> Verdict {
        let (Some(asked), Some(granted)) = (self.asked, self.granted) else {
            return broken(Invariant::I4, format!("a retry for {cause:?} without an open"));
        };
        let is_later = granted > asked.at;
        let is_told = delay == granted.saturating_duration_since(self.now)
            && (because == Because::Budget) == is_later;
        hold(Invariant::I4, is_told, || {
            format!("{delay:?} by {because:?} until {granted:?}, asked for {asked:?}")
        })?;
        let is_hint = is_later || because == Because::Hint;
        let within = |(least, most): (Instant, Instant)| {
            let (floor, most_floor) = asked.not_before;
            (least.max(floor)..=most.max(most_floor)).contains(&asked.at) && is_hint
        };
        let is_fit = match cause {
            RetryCause::Disconnected(cause) => {
                let Some(loss) = asked.loss.filter(|loss| loss.cause == cause) else {
                    return broken(Invariant::I4, format!("a retry for {cause:?}: {asked:?}"));
                };
                is_hint && is_purpose(cause) || self.is_drawn(&asked, &loss, because)
            }
            RetryCause::Online => within((asked.since, asked.since)),
            RetryCause::Reconnect => within((asked.reconnect, asked.reconnect)),
            // One that replaces an attempt comes at once.
            RetryCause::ClockJump => asked.at == asked.since || within(asked.jump),
            RetryCause::Budget => asked.at == asked.since && is_later,
            unknown => unlisted(file!(), &unknown),
        };
        hold(Invariant::I4, is_fit, || format!("{delay:?} on {cause:?}, {because:?}: {asked:?}"))?;
        hold(Invariant::I5, attempt == self.retries.attempts, || {
            format!("attempt {attempt}, counted {}", self.retries.attempts)
        })?;
        let (is_hinted, is_on_purpose) = match cause {
            RetryCause::Disconnected(cause) => (is_purpose(cause), is_purpose(cause)),
            RetryCause::Budget => (true, self.wait.is_some_and(|wait| wait.is_on_purpose)),
            cause => (true, cause == RetryCause::Reconnect),
        };
        self.wait = Some(Wait { due: granted.max(self.now), is_hinted, is_on_purpose });
        Ok(())
    }

    /// Whether the strategy or a least delay gave the time that was asked for.
    fn is_drawn(&self, asked: &Asked, loss: &Loss, because: Because) -> bool {
        let drawn = asked.at.saturating_duration_since(asked.since);
        // At the last representable instant the delay may be too short.
        let fits = |because| {
            asked.at == Instant::MAX
                || self.retries.check_delay(loss, drawn, because, &self.config).is_ok()
        };
        match because {
            Because::Budget => {
                [Because::Backoff, Because::RetryAfter, Because::Policy, Because::Spread]
                    .into_iter()
                    .any(fits)
            }
            because => fits(because),
        }
    }

    /// After an event: an open that is reserved was announced or used, and a close gave it back.
    pub(super) fn check_open(&mut self, seen: &Observed<'_>) -> Verdict {
        if let (Event::OpenReserved(_), Some(asked)) = (seen.event, self.asked) {
            self.asked = None;
            let is_used = self.granted.is_none();
            let is_told = self.wait.is_some();
            let must_tell = asked.loss.is_some() && !is_used;
            let is_due = self.granted.is_some_and(|at| at <= self.now);
            hold(Invariant::I4, !is_due && (is_used || is_told || !must_tell), || {
                format!("{:?} after {asked:?}: {:?}", seen.event, self.granted)
            })?;
        }
        let is_left = !self.is_wanted && (self.asked.is_some() || self.granted.is_some());
        hold(Invariant::Order, !is_left, || format!("an open is left: {:?}", self.granted))
    }
}
