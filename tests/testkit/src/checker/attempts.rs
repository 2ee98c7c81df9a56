//! When an attempt may be made: its announced delay, the event that starts it, and the last attempt.

use core::time::Duration;

use gateway_core::{
    Because, Credentials, DisconnectCause, Event, GiveUpCause, Instant, Network, RetryCause,
    SocketId,
};

use crate::unlisted::unlisted;

use super::violation::{Invariant, Verdict, Violation, broken, hold};
use super::{Checker, Socket};

/// The retry that was announced last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) due: Instant,
    pub(super) is_hinted: bool,
    pub(super) is_on_purpose: bool,
}

/// Whether the socket was replaced on purpose.
pub(super) const fn is_purpose(cause: DisconnectCause) -> bool {
    matches!(cause, DisconnectCause::Reconnect | DisconnectCause::Renewal)
}

impl Checker {
    /// The provider is asked for an attempt.
    pub(super) fn ask(
        &mut self,
        id: SocketId,
        credentials: Credentials,
        event: &Event<'_>,
    ) -> Verdict {
        hold(Invariant::Order, self.config.asks_provider(), || format!("asked for {id}"))?;
        let is_on_purpose = self.begin(id, credentials, event)?;
        self.socket = Socket::Asked { id, is_on_purpose };
        self.stage_due = Some(self.now.saturating_add(self.config.attempt_timeout()));
        Ok(())
    }

    /// A socket is opened: that of the attempt whose request is there, or without a provider that of a new
    /// attempt.
    pub(super) fn open(
        &mut self,
        id: SocketId,
        credentials: Credentials,
        event: &Event<'_>,
    ) -> Verdict {
        let is_on_purpose = match self.socket {
            Socket::Asked { id: asked, is_on_purpose } => {
                let is_answered = asked == id && *event == Event::ProviderAnswered(id);
                hold(Invariant::Order, is_answered, || format!("{event:?} opened {id}"))?;
                let expected = self.retries.credentials();
                hold(Invariant::I5, credentials == expected, || {
                    format!("{credentials:?} for {id}")
                })?;
                is_on_purpose
            }
            Socket::None | Socket::Opening(_) | Socket::Open { .. } => {
                hold(Invariant::Order, !self.config.asks_provider(), || {
                    format!("{id} is opened, and the provider is not asked")
                })?;
                self.begin(id, credentials, event)?
            }
        };
        if is_on_purpose {
            self.check_spacing(id)?;
        }
        self.socket = Socket::Opening(id);
        self.opened_at = Some(self.now);
        self.stage_due = Some(self.now.saturating_add(self.retries.connect_timeout(&self.config)));
        Ok(())
    }

    /// Starts an attempt. Returns whether it is a reconnect on purpose.
    fn begin(
        &mut self,
        id: SocketId,
        credentials: Credentials,
        event: &Event<'_>,
    ) -> Result<bool, Violation> {
        let live = self.live();
        hold(Invariant::I1, live.is_none() && id.number() > self.last_socket, || {
            format!("attempt {id} after {} with {live:?} live", self.last_socket)
        })?;
        hold(Invariant::I7, self.is_wanted, || format!("attempt {id} though nobody asked"))?;
        self.use_open(event)?;
        let wait = self.wait.take();
        self.check_turn(id, wait, event)?;
        let is_on_purpose = match event {
            Event::Drained(_) => true,
            Event::ReconnectRequested | Event::OpenReserved(_) | Event::Tick => {
                wait.is_some_and(|wait| wait.is_on_purpose)
            }
            _ => false,
        };
        if is_on_purpose {
            self.reconnect_at = Some(self.now);
        }
        self.retries.tried();
        let expected = self.retries.credentials();
        hold(Invariant::I5, credentials == expected, || format!("{credentials:?} for {id}"))?;
        self.last_socket = id.number();
        Ok(is_on_purpose)
    }

    /// Reconnects on purpose open their sockets no closer than the initial delay.
    fn check_spacing(&mut self, id: SocketId) -> Verdict {
        let spacing = self.config.backoff().initial();
        let last = self.replaced_at.replace(self.now);
        let is_apart = last.is_none_or(|last| last.saturating_add(spacing) <= self.now);
        self.reconnect_at = Some(self.now);
        hold(Invariant::I4, is_apart || self.now == Instant::MAX, || {
            format!("{id} opens at {:?}, and the reconnect before opened at {last:?}", self.now)
        })
    }

    /// Checks that this event may start an attempt now. `wait` is the retry that was announced.
    pub(super) fn check_turn(
        &self,
        id: SocketId,
        wait: Option<Wait>,
        event: &Event<'_>,
    ) -> Verdict {
        let is_due = wait.is_some_and(|wait| wait.due <= self.now);
        match *event {
            // `use_open` has checked its time.
            Event::ConnectRequested | Event::OpenReserved(_) => Ok(()),
            // Before the first connect request and when CLOSED, nothing was announced.
            Event::ReconnectRequested => hold(Invariant::I4, is_due || wait.is_none(), || {
                format!("opened {id} early: {wait:?}")
            }),
            // A hint shortens the wait, but not below the least delay: the retry that it announces keeps that.
            // A renewal announces its retry, too.
            Event::NetworkChanged(Network::Online) | Event::Drained(_) => {
                hold(Invariant::I4, is_due, || format!("opened {id} early: {wait:?}"))
            }
            // This attempt replaces one that a suspend has aborted, or whose request is not needed any more.
            Event::WallClock(_) => {
                let replaced = SocketId::new(self.last_socket);
                let is_left = [self.aborted, self.unasked].contains(&Some(replaced));
                hold(Invariant::I4, is_left, || {
                    format!("opened {id} in place of {replaced}, aborted: {:?}", self.aborted)
                })
            }
            Event::Tick => {
                hold(Invariant::I4, is_due, || format!("opened {id} early: {wait:?}"))?;
                let gap = self.opened_at.map(|at| self.now.saturating_duration_since(at));
                let least = self.retries.least_gap(&self.config);
                let is_hinted = wait.is_some_and(|wait| wait.is_hinted);
                // At the last representable instant the gap may be too short.
                let is_free = is_hinted || self.now == Instant::MAX;
                let is_apart = is_free || gap.is_none_or(|gap| gap >= least);
                hold(Invariant::I4, is_apart, || format!("{gap:?} after the last, not {least:?}"))
            }
            _ => broken(Invariant::I4, format!("{event:?} opened {id}")),
        }
    }

    /// Checks the delay of a retry that is announced.
    pub(super) fn scheduled(
        &mut self,
        attempt: u32,
        delay: Duration,
        cause: RetryCause,
        because: Because,
    ) -> Verdict {
        if self.config.shares_budget() {
            return self.scheduled_in_budget(attempt, delay, cause, because);
        }
        let is_hinted = because == Because::Hint;
        if let RetryCause::Disconnected(DisconnectCause::Reconnect | DisconnectCause::Renewal) =
            cause
        {
            self.loss = None;
            let due = self.next_reconnect();
            self.reconnect_at = Some(due);
            let is_fit = is_hinted && self.now.saturating_add(delay) == due;
            hold(Invariant::I4, is_fit, || format!("{delay:?} on {cause:?}, {because:?}"))?;
        } else if let RetryCause::Disconnected(cause) = cause {
            let Some(loss) = self.loss.take() else {
                return broken(Invariant::I4, format!("a retry for {cause:?} without a loss"));
            };
            let is_final = self.retries.is_final(&loss, &self.config);
            hold(Invariant::I5, is_final == Ok(false) && loss.cause == cause, || {
                format!("{loss:?} is retried: {is_final:?}")
            })?;
            self.retries.count(&loss, self.now, delay, &self.config);
            let checked = self.retries.check_delay(&loss, delay, because, &self.config);
            checked.or_else(|what| broken(Invariant::I4, what))?;
        } else {
            let due = self.now.saturating_add(delay);
            let (least, most) = match cause {
                RetryCause::Online => (self.now, self.now),
                RetryCause::Reconnect => (self.next_reconnect(), self.next_reconnect()),
                RetryCause::ClockJump => self.jumps.retry_bounds(),
                RetryCause::Budget => return broken(Invariant::I4, format!("{cause:?}")),
                unknown => unlisted(file!(), &unknown),
            };
            let (least, most) =
                (least.max(self.retries.not_before), most.max(self.retries.not_before_most));
            let is_fit = is_hinted && (least..=most).contains(&due);
            hold(Invariant::I4, is_fit, || format!("{delay:?} on {cause:?}, {because:?}"))?;
            if cause == RetryCause::Reconnect {
                self.reconnect_at = Some(due);
            }
        }
        hold(Invariant::I5, attempt == self.retries.attempts, || {
            format!("attempt {attempt}, counted {}", self.retries.attempts)
        })?;
        let is_on_purpose = matches!(
            cause,
            RetryCause::Reconnect
                | RetryCause::Disconnected(DisconnectCause::Reconnect | DisconnectCause::Renewal)
        );
        self.wait = Some(Wait { due: self.now.saturating_add(delay), is_hinted, is_on_purpose });
        Ok(())
    }

    /// Checks that the retries are used up.
    pub(super) fn gave_up(&mut self, cause: GiveUpCause) -> Verdict {
        self.is_wanted = false;
        let Some(loss) = self.loss.take() else {
            return broken(Invariant::I5, format!("{cause:?} without a loss"));
        };
        let is_final = self.retries.is_final(&loss, &self.config);
        let fits = match cause {
            GiveUpCause::AttemptsSpent => is_final.is_err(),
            GiveUpCause::CloseCode(_)
            | GiveUpCause::HttpStatus(_)
            | GiveUpCause::LoginRefused
            | GiveUpCause::Provider
            | GiveUpCause::Dialect
            | GiveUpCause::Configuration => is_final == Ok(true),
            unknown => unlisted(file!(), &unknown),
        };
        hold(Invariant::I5, fits, || format!("{cause:?} on {loss:?}: {is_final:?}"))
    }
}
