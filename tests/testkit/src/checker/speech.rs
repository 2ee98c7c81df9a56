//! What a dialect asks for: when it may be called, and that each of its effects has its place among the
//! actions.

use core::time::Duration;

use gateway_core::{
    Action, CloseCode, Config, DialectCall, DialectCallKind, DisconnectCause, Effect, Event, Frame,
    HeartbeatKind, Login, LoginAnswer, Notice, Observed, Outgoing, Part, Spoken, Verdict as Ruling,
};

use super::violation::{Invariant, Verdict, broken, hold};
use super::{Checker, Socket, notices};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the dialect has set on a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// The heartbeat's interval and timeout.
    pace: Option<(Duration, Duration)>,
    /// Within which time something is expected.
    pub(super) expected: Option<Duration>,
    /// Whether an interval of zero was reported.
    is_told: bool,
}

impl Terms {
    pub(super) fn interval(&self, config: &Config) -> Duration {
        self.pace.map_or(config.heartbeat_interval(), |(interval, _)| interval)
    }

    pub(super) fn timeout(&self, config: &Config) -> Duration {
        self.pace.map_or(config.heartbeat_timeout(), |(_, timeout)| timeout)
    }
}

/// The effects of the call that the event led to. A farewell has its own.
fn effects<'a>(seen: &Observed<'a>) -> &'a [Effect] {
    let is_own = |call: &&DialectCall| call.call != DialectCallKind::Closing;
    seen.spoken.iter().find(is_own).map_or(&[], |call| call.effects.as_slice())
}

fn calls(seen: &Observed<'_>, kind: DialectCallKind) -> usize {
    seen.spoken.iter().filter(|call| call.call == kind).count()
}

/// The stamp of the ping that the dialect sends.
pub(super) fn stamp_of(seen: &Observed<'_>) -> Option<u64> {
    effects(seen).iter().rev().find_map(|effect| match effect {
        Effect::Stamp(stamp) => Some(told_apart(*stamp)),
        _ => None,
    })
}

/// The two highest stamps count as the same.
fn told_apart(stamp: u64) -> u64 {
    stamp.min(u64::MAX - 1)
}

/// Whether effects change a deadline of a ready connection.
pub(super) fn moves_timer(seen: &Observed<'_>) -> bool {
    let mut effects = effects(seen).iter();
    effects.any(|effect| matches!(effect, Effect::SetHeartbeat { .. } | Effect::ExpectWithin(_)))
}

impl Checker {
    /// Checks that the dialect was called at a moment at which it may be. The checker stands before the
    /// event.
    pub(super) fn check_calls(&mut self, seen: &Observed<'_>) -> Verdict {
        let count = seen.spoken.iter().count();
        hold(Invariant::I8, count <= Spoken::MAX_CALLS, || format!("{count} calls"))?;
        for DialectCall { call, effects, .. } in seen.spoken {
            let is_fit = match (call, seen.event) {
                (DialectCallKind::Opened, Event::SocketOpened(_)) => true,
                (
                    DialectCallKind::Delivered | DialectCallKind::Consumed,
                    Event::FrameReceived(_, Frame::Text(_) | Frame::Binary(_)),
                ) => self.refusal.is_none(),
                (DialectCallKind::Heartbeat, Event::Tick | Event::WallClock(_)) => {
                    let kind = self.config.heartbeat_kind();
                    kind == HeartbeatKind::Dialect && self.pulse.is_some()
                }
                (DialectCallKind::Closing, _) => {
                    self.refusal.is_none()
                        && matches!(self.socket, Socket::Open { close_sent: false, .. })
                }
                _ => false,
            };
            hold(Invariant::Order, is_fit, || format!("{call:?} on {:?}", seen.event))?;
            let bytes: usize = effects.iter().filter_map(part).map(|part| part.len as usize).sum();
            hold(Invariant::I8, bytes <= Spoken::MAX_BYTES, || format!("{bytes} bytes"))?;
        }
        let is_open = matches!(seen.event, Event::SocketOpened(_));
        let opened = calls(seen, DialectCallKind::Opened);
        if is_open {
            self.is_silent.get_or_insert(opened == 0);
        }
        let is_due = is_open && self.is_silent != Some(true);
        hold(Invariant::Order, opened == usize::from(is_due), || {
            format!("{opened} calls of `opened` on {:?}", seen.event)
        })?;
        let delivers = seen.actions.contains(&Action::Deliver);
        let is_consumed = calls(seen, DialectCallKind::Consumed) > 0;
        hold(Invariant::I1, !delivers || !is_consumed, || "delivered what it consumed".to_owned())
    }

    /// The dialect has the last word before our Close, unless it leaves itself, the server refused the
    /// login, or the stream is broken.
    pub(super) fn check_farewell(&self, seen: &Observed<'_>) -> Verdict {
        let is_close = |action: &&Action| {
            matches!(action, Action::Send(_, Outgoing::Close(_) | Outgoing::RequestedClose))
        };
        let closes = seen.actions.iter().filter(is_close).count();
        let is_without = notices(seen).any(|notice| {
            matches!(
                notice,
                Notice::Disconnected {
                    cause: DisconnectCause::Dialect
                        | DisconnectCause::LoginRefused(_)
                        | DisconnectCause::ProtocolError(_),
                    ..
                }
            )
        });
        let is_without = is_without || self.was_refused || self.is_silent == Some(true);
        let expected = if is_without { 0 } else { closes };
        let said = calls(seen, DialectCallKind::Closing);
        hold(Invariant::Order, said == expected, || {
            format!("{said} farewells before {closes} Closes on {:?}", seen.event)
        })
    }

    /// Takes the effects up to the first one like this, which the core has acted on.
    fn catch_up(
        &mut self,
        seen: &Observed<'_>,
        is_it: impl Fn(&Effect) -> bool,
    ) -> Result<Option<Effect>, super::Violation> {
        let effects = effects(seen);
        let Some(place) = (self.heard..effects.len()).find(|place| is_it(&effects[*place])) else {
            return Ok(None);
        };
        for effect in &effects[self.heard..place] {
            self.heed(effect)?;
        }
        self.heard = place + 1;
        Ok(Some(effects[place]))
    }

    /// Takes the effects that are left.
    pub(super) fn catch_up_with_all(&mut self, seen: &Observed<'_>) -> Verdict {
        for effect in effects(seen).iter().skip(self.heard) {
            self.heed(effect)?;
        }
        Ok(())
    }

    /// An effect that no action shows.
    fn heed(&mut self, effect: &Effect) -> Verdict {
        let is_open = matches!(self.socket, Socket::Open { close_sent: false, .. });
        if !is_open || self.refusal.is_some() {
            return Ok(()); // it is ignored
        }
        match *effect {
            Effect::SetHeartbeat { interval, .. } if interval.is_zero() => {
                return hold(Invariant::Order, self.terms.is_told, || {
                    "an interval of zero is not reported".to_owned()
                });
            }
            Effect::SetHeartbeat { interval, timeout } => {
                let clamped = |span: Duration| {
                    let span = span.clamp(SECOND, DAY);
                    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
                };
                let interval = clamped(interval);
                let timeout = timeout.filter(|timeout| !timeout.is_zero()).map(clamped);
                let timeout = timeout.unwrap_or(self.terms.timeout(&self.config)).min(interval);
                self.terms.pace = Some((interval, timeout));
                if let Some(pulse) = &mut self.pulse {
                    pulse.set_pace(self.now, interval, timeout);
                }
            }
            Effect::ExpectWithin(span) => {
                let millis = u64::try_from(span.clamp(SECOND, DAY).as_millis()).unwrap_or(u64::MAX);
                let expected = (!span.is_zero()).then(|| Duration::from_millis(millis));
                self.terms.expected = expected;
                if let Some(pulse) = &mut self.pulse {
                    pulse.expect(self.now, expected);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A message of the dialect is sent: one that it has asked for, in its order. A ping is the last one.
    pub(super) fn said(&mut self, part: Part, is_ping: bool, seen: &Observed<'_>) -> Verdict {
        let is_it = |effect: &Effect| *effect == Effect::Send(part);
        let is_farewell = calls(seen, DialectCallKind::Closing) > 0;
        let is_own = match self.catch_up(seen, is_it)? {
            Some(_) => {
                let is_send = |effect: &Effect| matches!(effect, Effect::Send(_));
                let is_last = !effects(seen).iter().skip(self.heard).any(is_send);
                let is_beat = calls(seen, DialectCallKind::Heartbeat) > 0;
                is_ping == (is_beat && is_last && self.pulse.is_some())
            }
            None => is_farewell && !is_ping && sends_last(seen, part),
        };
        hold(Invariant::Order, is_own, || format!("{part:?} is sent, of {:?}", seen.spoken))
    }

    /// The core counts a pong. Returns the stamp that it names.
    pub(super) fn dialects_pong(
        &mut self,
        seen: &Observed<'_>,
    ) -> Result<Option<u64>, super::Violation> {
        match self.catch_up(seen, |effect| matches!(effect, Effect::Pong(_)))? {
            Some(Effect::Pong(stamp)) => Ok(stamp.map(told_apart)),
            _ => Err(super::Violation {
                invariant: Invariant::Order,
                what: format!("a pong that the dialect has not heard: {:?}", seen.spoken),
            }),
        }
    }

    /// The connection is ready. If neither the configuration nor the embedder accepted the login, the
    /// dialect did.
    pub(super) fn accepted(&mut self, seen: &Observed<'_>) -> Verdict {
        let is_dialects = match seen.event {
            Event::SocketOpened(_) => *self.config.login() != Login::None,
            Event::FrameReceived(..) => !matches!(
                self.judged(seen),
                LoginAnswer::Accepted | LoginAnswer::AcceptedAndDelivered
            ),
            _ => false,
        };
        if !is_dialects {
            return Ok(());
        }
        let accepted = self.catch_up(seen, |effect| *effect == Effect::LoginAccepted)?;
        hold(Invariant::Order, accepted.is_some(), || {
            format!("nobody accepted the login on {:?}", seen.event)
        })
    }

    /// The verdict of the dialect on a login that the core reports as refused.
    pub(super) fn refused_by_dialect(
        &mut self,
        seen: &Observed<'_>,
    ) -> Result<Option<Ruling>, super::Violation> {
        let refused =
            self.catch_up(seen, |effect| matches!(effect, Effect::LoginRefused { .. }))?;
        Ok(match refused {
            Some(Effect::LoginRefused { verdict, .. }) => Some(verdict),
            _ => None,
        })
    }

    /// What the configuration's rules make of a text that the dialect has left to them.
    pub(super) fn judged(&self, seen: &Observed<'_>) -> LoginAnswer {
        match seen.event {
            Event::FrameReceived(_, Frame::Text(text))
                if calls(seen, DialectCallKind::Consumed) == 0 =>
            {
                self.config.login().judge(text)
            }
            _ => LoginAnswer::NotAnAnswer,
        }
    }

    /// A Close with this code is sent. The dialect may be the one who leaves.
    pub(super) fn leaves_with(&mut self, code: CloseCode, seen: &Observed<'_>) -> Verdict {
        if self.refusal.is_some() {
            return Ok(());
        }
        let is_it =
            |effect: &Effect| matches!(effect, Effect::Leave { code: own, .. } if *own == code);
        if let Some(Effect::Leave { verdict, .. }) = self.catch_up(seen, is_it)? {
            self.left = Some(verdict);
        }
        Ok(())
    }

    /// An interval of zero is reported, once a socket.
    pub(super) fn effect_ignored(&mut self, seen: &Observed<'_>) -> Verdict {
        let is_zero = |effect: &Effect| matches!(effect, Effect::SetHeartbeat { interval, .. } if interval.is_zero());
        let told = self.catch_up(seen, is_zero)?;
        if core::mem::replace(&mut self.terms.is_told, true) {
            return broken(Invariant::Order, "a second interval of zero is reported".to_owned());
        }
        hold(Invariant::Order, told.is_some(), || "no interval of zero was set".to_owned())
    }
}

/// Whether the farewell sends this message.
fn sends_last(seen: &Observed<'_>, part: Part) -> bool {
    let mut calls = seen.spoken.iter();
    let farewell = calls.find(|call| call.call == DialectCallKind::Closing);
    farewell.is_some_and(|call| call.effects.contains(&Effect::Send(part)))
}

/// The bytes that an effect needs.
fn part(effect: &Effect) -> Option<Part> {
    match effect {
        Effect::Send(part) | Effect::ResumeAt(part) => Some(*part),
        Effect::LoginRefused { reason, .. } | Effect::Leave { reason, .. } => *reason,
        _ => None,
    }
}

/// How often the dialect was asked for a ping.
pub(super) fn beats(seen: &Observed<'_>) -> usize {
    calls(seen, DialectCallKind::Heartbeat)
}
