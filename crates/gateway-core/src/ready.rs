//! What a ready connection does without a transition: heartbeat, deliveries, data timeout.

use alloc::boxed::Box;
use core::time::Duration;

use crate::action::{Action, Notice, Outgoing};
use crate::config::{Config, HeartbeatKind};
use crate::context::Context;
use crate::dialect::Received;
use crate::event::Message;
use crate::heartbeat::{Heartbeat, Timing};
use crate::json_heartbeat::{JsonHeartbeat, Recognised};
use crate::machine::{DataWatch, Expected, Flow, Lane, Pace, Ready, Renewal, Terms};
use crate::retry::Retry;
use crate::state::SocketId;
use crate::time::{Compact, Instant, UnixMillis, whole_millis};

impl Ready {
    /// Becomes ready now, on a socket with this flow.
    pub(crate) fn new(
        socket: SocketId,
        flow: Flow,
        mut terms: Option<Box<Terms>>,
        cx: &mut Context<'_>,
    ) -> Self {
        if let Some(terms) = &mut terms {
            terms.restart(cx.now);
        }
        let heartbeat = first_beat(&timing_of(terms.as_deref(), cx.config), cx);
        let (data, renew_at) = (watch_data(cx), first_renewal(cx));
        let renewal = Renewal::Later;
        let mut ready = Self { socket, heartbeat, data, renew_at, renewal, flow, terms };
        ready.note_messages(cx.now, cx.config);
        ready
    }

    /// The heartbeat's spans on this socket.
    pub(crate) fn timing(&self, config: &Config) -> Timing {
        timing_of(self.terms.as_deref(), config)
    }

    #[inline]
    pub(crate) fn on_bytes(&mut self, config: &Config) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_bytes(&config.heartbeat.timing);
        }
    }

    /// Bytes came that are no message on the fast path.
    pub(crate) fn on_other_bytes(&mut self, now: Instant, config: &Config) {
        self.on_bytes(config);
        if let Some(terms) = &mut self.terms {
            terms.on_bytes(now, config);
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

    /// Whether a short text may belong to the heartbeat in JSON: a pong that is awaited, or a ping to
    /// answer.
    #[inline]
    pub(crate) fn may_get_beat(&self, config: &Config) -> bool {
        let settings = &config.heartbeat;
        settings.answer_pings
            || settings.kind() == HeartbeatKind::Json
                && self.heartbeat.as_ref().is_some_and(Heartbeat::awaits_pong)
    }

    pub(crate) fn on_text(&mut self, text: &str, cx: &mut Context<'_>) {
        if heard_pong(&mut self.heartbeat, self.socket, text, cx) {
            return;
        }
        match answer_to(text, cx) {
            Some(pong) => cx.send(self.socket, pong),
            None => self.on_message(Message::Text(text), cx),
        }
    }

    /// A message that does not belong to the heartbeat of the machine.
    pub(crate) fn on_message(&mut self, message: Message<'_>, cx: &mut Context<'_>) {
        match cx.show(self.socket, message) {
            Received::Deliver => self.deliver(cx),
            Received::Consume => {}
        }
    }

    pub(crate) fn on_resumed(&mut self, cx: &mut Context<'_>) {
        if self.flow.reading == Lane::Free {
            return; // nothing was paused
        }
        self.flow.reading = Lane::Free;
        let timing = self.timing(cx.config);
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.on_resumed(&timing, cx.now);
        }
        if let Some(terms) = &mut self.terms {
            terms.restart(cx.now);
        }
        self.data = watch_data(cx);
        self.note_messages(cx.now, cx.config);
    }

    /// When the server was silent for longer than the dialect expects, if it was.
    pub(crate) fn silent_at(&mut self, now: Instant, config: &Config) -> Option<Instant> {
        if self.flow.reading == Lane::Held {
            return None;
        }
        let expected = self.terms.as_mut()?.expected.as_mut()?;
        if let (Some(data), false) = (&self.data, config.heartbeat.timing.strict) {
            let heard_at = expected.watch.heard_at.instant().max(data.heard_at.instant());
            expected.watch.heard_at = Compact::at(heard_at);
        }
        let missed_at = expected.watch.missed_at(now, expected.within);
        self.note_messages(now, config);
        missed_at
    }

    /// The dialect expects something within this time.
    pub(crate) fn expect(&mut self, within: Duration, now: Instant, config: &Config) {
        self.terms.get_or_insert_default().expect(within, now);
        self.note_messages(now, config);
    }

    /// The expectation's time starts again, if there is one.
    pub(crate) fn expect_anew(&mut self, now: Instant, config: &Config) {
        if let Some(terms) = &mut self.terms {
            terms.restart(now);
            self.note_messages(now, config);
        }
    }

    /// An expectation needs to know when the last message came. Without a data timeout, the data
    /// watch only notes that, and is due with the expectation.
    fn note_messages(&mut self, now: Instant, config: &Config) {
        if config.data_timeout.is_some() {
            return;
        }
        let expected = self.terms.as_ref().and_then(|terms| terms.expected);
        self.data = expected.map(|Expected { watch, .. }| DataWatch {
            heard_at: self.data.map_or(Compact::at(now), |data| data.heard_at),
            judge_at: watch.judge_at,
        });
    }

    /// The dialect sets the heartbeat's spans.
    pub(crate) fn set_pace(&mut self, pace: Pace, now: Instant) {
        self.terms.get_or_insert_default().heartbeat = Some(pace);
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.ping_by(now.saturating_add(pace.interval));
        }
    }

    /// When the data timeout passed, if it has. Data that came since moves the watch on. While the
    /// application does not read, the timeout does not fire.
    pub(crate) fn data_missed_at(&mut self, cx: &Context<'_>) -> Option<Instant> {
        if self.flow.reading == Lane::Held {
            return None;
        }
        self.data.as_mut()?.missed_at(cx.now, cx.config.data_timeout?)
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
        let timing = self.timing(cx.config);
        if let Some(heartbeat) = &mut self.heartbeat {
            moved(heartbeat, &timing, cx.now);
        }
    }

    pub(crate) fn ping(
        &mut self,
        sent: impl FnOnce(&mut Heartbeat, &Timing, Instant, Option<u64>),
        cx: &mut Context<'_>,
    ) {
        let timing = self.timing(cx.config);
        let Some(heartbeat) = &mut self.heartbeat else {
            return;
        };
        let (outgoing, stamp) = match cx.config.heartbeat_kind() {
            HeartbeatKind::Json => {
                let timestamp = cx.memory.wall_clock_now();
                (Outgoing::Ping(timestamp), timestamp.map(|UnixMillis(millis)| millis))
            }
            HeartbeatKind::Ping => {
                let number = heartbeat.next_number();
                (Outgoing::WebSocketPing(number), Some(number))
            }
            HeartbeatKind::Dialect => {
                heartbeat.skip(&timing, cx.now); // unless the dialect sends a ping
                return cx.ask_for_ping(self.socket);
            }
            HeartbeatKind::Off => return,
        };
        sent(heartbeat, &timing, cx.now, stamp);
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
    let (HeartbeatKind::Json, Some(heartbeat)) = (cx.config.heartbeat_kind(), heartbeat) else {
        return false;
    };
    if !heartbeat.awaits_pong() {
        return false;
    }
    let Recognised::Pong(timestamp) = JsonHeartbeat.recognise(text) else { return false };
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
    match JsonHeartbeat.recognise(text) {
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
    let (HeartbeatKind::Ping, Some(heartbeat)) = (cx.config.heartbeat_kind(), heartbeat) else {
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

/// Counts a pong that the dialect recognised. Without an unanswered ping, it is ignored.
pub(crate) fn heard_dialect_pong(
    heartbeat: &mut Option<Heartbeat>,
    socket: SocketId,
    stamp: Option<u64>,
    cx: &mut Context<'_>,
) {
    match (cx.config.heartbeat_kind(), heartbeat) {
        (HeartbeatKind::Dialect, Some(heartbeat)) if heartbeat.awaits_pong() => {
            let named = stamp.and_then(|stamp| heartbeat.stamped(stamp));
            let round_trip = heartbeat.on_pong(cx.now, named);
            count_pong(round_trip, socket, cx);
        }
        (
            HeartbeatKind::Json | HeartbeatKind::Ping | HeartbeatKind::Dialect | HeartbeatKind::Off,
            _,
        ) => cx.voice.count_ignored(),
    }
}

fn count_pong(round_trip: Option<Duration>, socket: SocketId, cx: &mut Context<'_>) {
    if let Some(sample) = round_trip {
        cx.tally.count_round_trip(sample);
    }
    cx.notify(Notice::PongReceived { socket, round_trip });
}

fn first_beat(timing: &Timing, cx: &mut Context<'_>) -> Option<Heartbeat> {
    let settings = &cx.config.heartbeat;
    match settings.kind() {
        HeartbeatKind::Off => None,
        HeartbeatKind::Json | HeartbeatKind::Ping | HeartbeatKind::Dialect => {
            let interval = timing.interval;
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
    Some(DataWatch::start(cx.now, timeout))
}

/// The heartbeat's spans: those that the dialect has set, otherwise the configured ones.
pub(crate) fn timing_of(terms: Option<&Terms>, config: &Config) -> Timing {
    let timing = config.heartbeat.timing;
    match terms.and_then(|terms| terms.heartbeat) {
        Some(Pace { interval, timeout }) => Timing { interval, timeout, ..timing },
        None => timing,
    }
}

impl Terms {
    fn on_bytes(&mut self, now: Instant, config: &Config) {
        if let Some(expected) = &mut self.expected
            && !config.heartbeat.timing.strict
        {
            expected.watch.heard_at = Compact::at(now);
        }
    }

    /// The shortest and the longest span that a dialect can set.
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);

    /// The spans that a dialect asks for, within the limits. `None` for an interval of zero. `timeout`
    /// is the timeout in force.
    pub(crate) fn pace(
        interval: Duration,
        asked: Option<Duration>,
        timeout: Duration,
    ) -> Option<Pace> {
        let clamp = |span: Duration| whole_millis(span).clamp(Self::LEAST, Self::MOST);
        let asked = asked.filter(|asked| !asked.is_zero()).map(clamp);
        let interval = (!interval.is_zero()).then(|| clamp(interval))?;
        Some(Pace { interval, timeout: asked.unwrap_or(timeout).min(interval) })
    }

    /// The dialect expects something within this span from now on. Zero: nothing.
    pub(crate) fn expect(&mut self, within: Duration, now: Instant) {
        self.expected = (!within.is_zero()).then(|| {
            let within = whole_millis(within).clamp(Self::LEAST, Self::MOST);
            Expected { within, watch: DataWatch::start(now, within) }
        });
    }

    /// The span of the expectation starts again.
    pub(crate) fn restart(&mut self, now: Instant) {
        if let Some(Expected { within, watch }) = &mut self.expected {
            *watch = DataWatch::start(now, *within);
        }
    }
}
