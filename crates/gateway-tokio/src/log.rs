//! What the driver logs: a transition is one info line with its names, cause, attempt and delay.

use gateway_core::{ConnectionState, DisconnectCause, GiveUpCause, Notice, SocketId};
use gateway_wire::{ClientEvent, Fate, Outcome};
use tracing::{debug, info, trace, warn};

/// Joins the notices of one transition into one line. It remembers only the transition in hand.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    lost: Option<Lost>,
}

#[derive(Debug)]
struct Lost {
    socket: SocketId,
    cause: DisconnectCause,
    detail: Box<str>,
    states: Option<(ConnectionState, ConnectionState)>,
}

impl Narrator {
    pub(crate) fn tell(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Message(message) => trace!(bytes = message.len(), "message received"),
            ClientEvent::Outcome(outcome) => tell_outcome(outcome),
            ClientEvent::Disconnected { socket, cause, detail } => {
                let detail = detail.clone();
                self.lost = Some(Lost { socket: *socket, cause: *cause, detail, states: None });
            }
            ClientEvent::Notice(notice) => self.tell_notice(notice),
            _ => {}
        }
    }

    fn tell_notice(&mut self, notice: &Notice) {
        match *notice {
            Notice::StateChanged { from, to, socket } => self.changed(from, to, socket),
            Notice::RetryScheduled { attempt, delay, cause, because } => {
                let (cause, because) = (cause.name(), because.name());
                let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                match self.lost.take() {
                    Some(Lost { socket, cause, detail, states: Some((from, to)) }) => info!(
                        %socket, cause = cause.name(), %detail, attempt, delay_ms, because, "{from} -> {to}"
                    ),
                    _ => info!(attempt, delay_ms, cause, because, "retry scheduled"),
                }
            }
            Notice::GaveUp { cause: gave_up } => self.gave_up(gave_up),
            Notice::Ready { socket, after } => debug!(%socket, ?after, "ready"),
            Notice::PingSent { socket } => trace!(%socket, "ping sent"),
            Notice::PongReceived { socket, round_trip } => {
                trace!(%socket, ?round_trip, "pong received");
            }
            Notice::Stale { what, socket } => {
                debug!(%socket, what = what.name(), "event of an old socket ignored");
            }
            Notice::ClockJumped { by } => info!(?by, "the machine was suspended"),
            _ => {}
        }
    }

    fn changed(&mut self, from: ConnectionState, to: ConnectionState, socket: Option<SocketId>) {
        let socket = socket.map_or(0, SocketId::number);
        let Some(lost) = &mut self.lost else {
            return info!(socket, "{from} -> {to}");
        };
        let asked =
            matches!(lost.cause, DisconnectCause::Requested | DisconnectCause::CloseTimeout);
        if asked {
            info!(socket, cause = lost.cause.name(), "{from} -> {to}");
            self.lost = None;
        } else {
            lost.states = Some((from, to)); // the retry, or the end, is about to be told
        }
    }

    fn gave_up(&mut self, gave_up: GiveUpCause) {
        let reason = gave_up.name();
        match self.lost.take() {
            Some(Lost { socket, cause, detail, states: Some((from, to)) }) => {
                warn!(%socket, cause = cause.name(), %detail, gave_up = reason, "{from} -> {to}");
            }
            _ => warn!(gave_up = reason, "gave up"),
        }
    }
}

fn tell_outcome(outcome: &Outcome) {
    let (first, last) = (outcome.first.number(), outcome.last.number());
    match outcome.fate {
        Fate::Sent { socket } => trace!(%socket, first, last, "messages sent"),
        Fate::MaybeSent { socket } => {
            warn!(%socket, first, last, "messages partly written when the socket died");
        }
        Fate::Rejected => warn!(first, last, "messages not written when the socket died"),
        _ => {}
    }
}
