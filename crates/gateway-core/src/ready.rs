//! What a ready connection does without a transition: heartbeat, deliveries, data timeout.

use core::time::Duration;

use crate::action::{Action, Notice, Outgoing};
use crate::config::{Config, HeartbeatKind};
use crate::context::Context;
use crate::dialect::Recognised;
use crate::heartbeat::{Heartbeat, Timing};
use crate::machine::{DataWatch, Flow, Lane, Ready, Renewal};
use crate::retry::Retry;
use crate::state::SocketId;
use crate::time::{Compact, Instant, UnixMillis};

impl Ready {
    /// Becomes ready now, on a socket with this flow.
    pub(crate) fn new(socket: SocketId, flow: Flow, cx: &mut Context<'_>) -> Self {
        let heartbeat = first_beat(cx);
        let (data, renew_at) = (watch_data(cx), first_renewal(cx));
        Self { socket, heartbeat, data, renew_at, renewal: Renewal::Later, flow }
    }

    #[inline]
    pub(crate) fn on_bytes(&mut self, config: &Config) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_bytes(&config.heartbeat.timing);
        }
    }

    pub(crate) fn deliver(&mut self, cx: &mut Context<'_>) {
        self.mark_data(cx.now);
        cx.act(Action::Deliver);
    }

    #[inline]
    pub(crate) fn mark_data(&mut self, now: Instant) {
        if let Some(watch) = &mut self.data {
            watch.heard_at = Compact::at(now);
        }
    }

    /// Whether a text may belong to the heartbeat: a pong that is awaited, or a ping to answer.
    #[inline]
    pub(crate) fn may_be_beat(&self, config: &Config) -> bool {
        config.heartbeat.answer_pings || self.heartbeat.as_ref().is_some_and(Heartbeat::awaits_pong)
    }

    pub(crate) fn on_text(&mut self, text: &str, cx: &mut Context<'_>) {
        if heard_pong(&mut self.heartbeat, self.socket, text, cx) {
            return;
        }
        match answer_to(text, cx) {
            Some(pong) => cx.send(self.socket, pong),
            None => self.deliver(cx),
        }
    }

    pub(crate) fn on_resumed(&mut self, cx: &mut Context<'_>) {
        if self.flow.reading == Lane::Free {
            return; // nothing was paused
        }
        self.flow.reading = Lane::Free;
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_resumed(&cx.config.heartbeat.timing, cx.now);
        }
        self.data = watch_data(cx);
    }

    /// When the data timeout passed, if it has. Data that came since moves the watch on. While the
    /// application does not read, the timeout does not fire.
    pub(crate) fn data_missed_at(&mut self, cx: &Context<'_>) -> Option<Instant> {
        if self.flow.reading == Lane::Held {
            return None;
        }
        let (watch, timeout) = (self.data.as_mut()?, cx.config.data_timeout?);
        if cx.now >= watch.judge_at {
            watch.judge_at = watch.heard_at.instant().saturating_add(timeout);
        }
        (cx.now >= watch.judge_at).then_some(watch.judge_at)
    }

    /// Whether the connection is renewed now. When `renew_after` has passed, this asks the driver to
    /// drain its write buffer first.
    pub(crate) fn is_renewal_due(&mut self, cx: &mut Context<'_>) -> bool {
        if self.renew_at.is_none_or(|at| cx.now < at.instant()) {
            return false;
        }
        match self.renewal {
            Renewal::Draining => true,
            Renewal::Later => {
                let until = cx.now.saturating_add(cx.config.close_timeout);
                self.renew_at = Some(Compact::at(until));
                self.renewal = Renewal::Draining;
                cx.act(Action::Drain(self.socket));
                false
            }
        }
    }

    /// The driver reported how far the newest ping has come.
    pub(crate) fn on_ping_moved(
        &mut self,
        moved: impl FnOnce(&mut Heartbeat, &Timing, Instant),
        cx: &Context<'_>,
    ) {
        if let Some(heartbeat) = &mut self.heartbeat {
            moved(heartbeat, &cx.config.heartbeat.timing, cx.now);
        }
    }

    pub(crate) fn ping(
        &mut self,
        sent: impl FnOnce(&mut Heartbeat, &Timing, Instant, Option<u64>),
        cx: &mut Context<'_>,
    ) {
        let Some(heartbeat) = &mut self.heartbeat else {
            return;
        };
        let (outgoing, stamp) = match cx.config.heartbeat.kind {
            HeartbeatKind::Json => {
                let timestamp = cx.memory.wall_clock_now();
                (Outgoing::Ping(timestamp), timestamp.map(|UnixMillis(millis)| millis))
            }
            HeartbeatKind::Ping => {
                let number = heartbeat.next_number();
                (Outgoing::WebSocketPing(number), Some(number))
            }
            HeartbeatKind::Off => return,
        };
        sent(heartbeat, &cx.config.heartbeat.timing, cx.now, stamp);
        cx.send(self.socket, outgoing);
        cx.notify(Notice::PingSent { socket: self.socket });
    }

    /// The connection is no longer ready: counts how long it was, and returns that.
    pub(crate) fn count_time(cx: &mut Context<'_>) -> Duration {
        let ready_for = cx.now.saturating_duration_since(cx.memory.since);
        cx.tally.count_time_ready(ready_for);
        cx.memory.since = cx.now;
        ready_for
    }
}

/// Returns whether a text is the pong for one of our pings. If so, counts it, and delivers it only
/// if `deliver_pongs` is set. Parses the text only while a ping is unanswered.
pub(crate) fn heard_pong(
    heartbeat: &mut Option<Heartbeat>,
    socket: SocketId,
    text: &str,
    cx: &mut Context<'_>,
) -> bool {
    let (HeartbeatKind::Json, Some(heartbeat)) = (cx.config.heartbeat.kind, heartbeat) else {
        return false;
    };
    if !heartbeat.awaits_pong() {
        return false;
    }
    let Recognised::Pong(timestamp) = cx.dialect.recognise(text) else { return false };
    let named = timestamp.and_then(|UnixMillis(millis)| heartbeat.stamped(millis));
    let round_trip = heartbeat.on_pong(cx.now, named);
    count_pong(round_trip, socket, cx);
    if cx.config.heartbeat.deliver_pongs {
        cx.act(Action::Deliver);
    }
    true
}

/// The answer to a ping of the peer, if `answer_pings` is set.
pub(crate) fn answer_to(text: &str, cx: &Context<'_>) -> Option<Outgoing> {
    if !cx.config.heartbeat.answer_pings {
        return None;
    }
    match cx.dialect.recognise(text) {
        Recognised::Ping(timestamp) => Some(Outgoing::Pong(timestamp)),
        Recognised::Pong(_) | Recognised::Other => None,
    }
}

/// Counts a WebSocket Pong that answers one of our pings. Ignores any other.
pub(crate) fn heard_pong_frame(
    heartbeat: &mut Option<Heartbeat>,
    socket: SocketId,
    payload: &[u8],
    cx: &mut Context<'_>,
) {
    let (HeartbeatKind::Ping, Some(heartbeat)) = (cx.config.heartbeat.kind, heartbeat) else {
        return;
    };
    if let Some(newer) = ping_number(payload).and_then(|number| heartbeat.numbered(number)) {
        let round_trip = heartbeat.on_pong(cx.now, Some(newer));
        count_pong(round_trip, socket, cx);
    }
}

/// The number in the payload, if it is written as we write it. A Pong carries exactly its Ping's
/// data (RFC 6455 section 5.5.3).
fn ping_number(payload: &[u8]) -> Option<u64> {
    let digits = core::str::from_utf8(payload).ok()?;
    // We count from 1, and write neither a leading zero nor a sign.
    let is_plain = digits.starts_with(|first| matches!(first, '1'..='9'));
    digits.parse().ok().filter(|_| is_plain)
}

fn count_pong(round_trip: Option<Duration>, socket: SocketId, cx: &mut Context<'_>) {
    if let Some(sample) = round_trip {
        cx.tally.count_round_trip(sample);
    }
    cx.notify(Notice::PongReceived { socket, round_trip });
}

fn first_beat(cx: &mut Context<'_>) -> Option<Heartbeat> {
    let settings = &cx.config.heartbeat;
    match settings.kind {
        HeartbeatKind::Off => None,
        HeartbeatKind::Json | HeartbeatKind::Ping => {
            let interval = settings.timing.interval;
            let wait = if settings.phase { Retry::spread(interval, cx.random) } else { interval };
            Some(Heartbeat::new(cx.now.saturating_add(wait)))
        }
    }
}

/// The renewal comes up to 10 % earlier than `renew_after`, at random. Otherwise all clients that
/// connected together would be renewed together.
fn first_renewal(cx: &mut Context<'_>) -> Option<Compact> {
    let span = cx.config.reconnect.renew_after?;
    let wait = span.saturating_sub(Retry::spread(span / 10, cx.random));
    Some(Compact::at(cx.now.saturating_add(wait)))
}

fn watch_data(cx: &Context<'_>) -> Option<DataWatch> {
    let timeout = cx.config.data_timeout?;
    Some(DataWatch { heard_at: Compact::at(cx.now), judge_at: cx.now.saturating_add(timeout) })
}
