//! Reconnects on purpose: when a connection is renewed, how its socket is left, and how far apart the
//! next sockets open.

use gateway_core::{
    Action, CloseCode, Config, ConnectionState, DisconnectCause, Event, Instant, Observed,
    Outgoing, SocketId,
};

use super::Checker;
use super::violation::{Invariant, Verdict, hold};

/// The renewal of a ready connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewal {
    /// The machine asks the driver to drain its buffer no earlier and no later than this.
    earliest: Instant,
    latest: Instant,
    /// While the driver drains its buffer: when the connection is renewed at the latest.
    drain_until: Option<Instant>,
}

impl Renewal {
    pub(super) fn new(now: Instant, config: &Config) -> Option<Self> {
        let span = config.renew_after()?;
        let earliest = now.saturating_add(span.saturating_sub(span / 10));
        Some(Self { earliest, latest: now.saturating_add(span), drain_until: None })
    }
}

impl Checker {
    /// The machine asked for the report of an empty buffer.
    pub(super) fn drain(&mut self, id: SocketId, seen: &Observed<'_>) -> Verdict {
        let is_live = self.live() == Some(id) && seen.event == Event::Tick;
        let (now, until) = (self.now, self.now.saturating_add(self.config.close_timeout()));
        let fits = match &mut self.renewal {
            Some(renewal) if renewal.drain_until.is_none() && renewal.earliest <= now => {
                renewal.drain_until = Some(until);
                is_live
            }
            Some(_) | None => false,
        };
        hold(Invariant::Order, fits, || format!("drains {id} at {now:?}: {:?}", self.renewal))
    }

    /// A socket was replaced on purpose. `from` is the state that it was in.
    pub(super) fn check_replaced(
        &self,
        id: SocketId,
        cause: DisconnectCause,
        from: ConnectionState,
        seen: &Observed<'_>,
    ) -> Verdict {
        let fits = match (cause, seen.event) {
            (DisconnectCause::Reconnect, event) => event == Event::ReconnectRequested,
            (_, Event::Drained(drained)) => drained == id && self.drain_until().is_some(),
            (_, Event::Tick) => self.drain_until().is_some_and(|at| at <= self.now),
            (_, _) => false,
        };
        hold(Invariant::Order, fits, || {
            format!("{cause:?} on {:?}: {:?}", seen.event, self.renewal)
        })?;
        let farewell = Action::Send(id, Outgoing::Close(CloseCode::GOING_AWAY));
        let is_open = from != ConnectionState::Connecting;
        hold(Invariant::I11, seen.actions.contains(&farewell) == is_open, || {
            format!("{id} is replaced in {from} by {:?}", seen.actions)
        })
    }

    fn drain_until(&self) -> Option<Instant> {
        self.renewal.and_then(|renewal| renewal.drain_until)
    }

    /// The earliest open of the next reconnect on purpose.
    pub(super) fn next_reconnect(&self) -> Instant {
        let spacing = self.config.backoff().initial();
        self.reconnect_at.map_or(self.now, |last| self.now.max(last.saturating_add(spacing)))
    }

    /// The deadline of the renewal.
    pub(super) fn renew_by(&self) -> Option<Instant> {
        self.renewal.map(|renewal| renewal.drain_until.unwrap_or(renewal.latest))
    }

    /// A drained buffer renews the connection.
    pub(super) fn check_renewal(&self, seen: &Observed<'_>) -> Verdict {
        let is_left = matches!(seen.event, Event::Drained(_)) && self.drain_until().is_some();
        hold(Invariant::Order, !is_left, || format!("drained and not renewed: {:?}", self.renewal))
    }
}
