//! A dialect that follows a definition.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    CloseCode, Dialect, DisconnectCause, Duties, Exchange, Interest, Message, Received, Secrets,
    Spoken,
};

use crate::definition::{Answer, Capture, Heartbeat, Parts, Refusal, Span};
use crate::fault::Fault;
use crate::json::{self, Found, Scalar};
use crate::pattern::Subject;
use crate::phase::Phase;
use crate::template::{Captured, Template, Values};

/// A dialect that follows a [`Definition`](crate::Definition). `Debug` shows no messages and no
/// values.
pub struct DeclaredDialect {
    parts: Arc<Parts>,
    socket: Socket,
}

/// What the dialect knows of the current socket. Only the secrets outlive it.
#[derive(Default)]
struct Socket {
    phase: Phase,
    values: Values,
    fault: Option<Fault>,
}

impl DeclaredDialect {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self { parts, socket: Socket::default() }
    }

    /// The message that could not be sent on the current or last socket, if there was one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.socket.fault.as_ref()
    }
}

impl fmt::Debug for DeclaredDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredDialect")
            .field("phase", &self.socket.phase)
            .field("fault", &self.socket.fault)
            .finish_non_exhaustive()
    }
}

impl Dialect for DeclaredDialect {
    fn duties(&self) -> Duties {
        let mut duties = Duties::NONE;
        // What only expects the server's pings sends none: a Pong would count as a sign of life.
        let heartbeat = &self.parts.heartbeat;
        duties.heartbeat = heartbeat.send.is_some() || heartbeat.expect.is_some();
        duties.login = self.parts.login.as_ref().map(|login| login.timeout);
        duties
    }

    fn interest(&self) -> Interest {
        match self.socket.phase {
            Phase::Over => Interest::NONE,
            Phase::Waiting | Phase::LoggingIn => self.parts.reach_at_login.interest(),
            Phase::Ready => self.parts.reach_when_ready.interest(),
        }
    }

    fn opened(&mut self, exchange: &mut Exchange<'_>) {
        let Self { parts, socket } = self;
        socket.start(parts);
        Socket::set_first_spans(parts, exchange);
        match &parts.login {
            None => socket.send(&parts.on_ready, Phase::Ready, exchange),
            Some(login) if login.wait.is_none() => {
                socket.send(&login.send, Phase::LoggingIn, exchange);
            }
            Some(_) => socket.phase = Phase::Waiting,
        }
    }

    fn received(&mut self, message: Message<'_>, exchange: &mut Exchange<'_>) -> Received {
        let Self { parts, socket } = self;
        let subject = Subject::new(message, parts.frames);
        if let Some(received) = socket.log_in(parts, subject, exchange) {
            return received;
        }
        if let Some((leave, body)) = first(&parts.leaves, subject) {
            socket.phase = Phase::Over;
            let reason = match leave.reason_in(body) {
                reason if reason.is_empty() => shortened(body.to_string()),
                reason => reason,
            };
            exchange.leave(CloseCode::GOING_AWAY, leave.verdict, reason);
            return Received::Consume;
        }
        if socket.phase == Phase::Ready
            && let Some(pong) = &parts.heartbeat.pong
            && let Some(body) = pong.find(subject)
        {
            let stamp = parts.heartbeat.stamp.as_deref();
            exchange.pong(stamp.and_then(|pointer| stamp_at(body, pointer)));
            return Received::Consume;
        }
        let answers = parts.answers.iter();
        match answers.filter_map(|answer| Some((answer, answer.when.find(subject)?))).next() {
            Some((answer, body)) => socket.answer(parts, answer, body, exchange),
            None => Received::Deliver,
        }
    }

    fn heartbeat(&mut self, exchange: &mut Exchange<'_>) {
        let Self { parts, socket } = self;
        let Some(ping) = &parts.heartbeat.send else { return };
        let is_stamped = parts.heartbeat.stamp.is_some();
        match ping.send(&mut socket.values, is_stamped, exchange) {
            Ok(()) if parts.heartbeat.pong.is_none() => exchange.pong(None), // nothing answers it
            Ok(()) => {}
            Err(fault) => socket.fail(fault, exchange),
        }
    }

    fn closing(&mut self, exchange: &mut Exchange<'_>) {
        let Self { parts, socket } = self;
        for message in &parts.closing {
            // The connection ends anyway.
            if let Err(fault) = message.send(&mut socket.values, false, exchange) {
                socket.fault = Some(fault);
            }
        }
    }

    fn secrets(&mut self, secrets: &Secrets) {
        self.socket.values.secrets = secrets.clone();
    }

    fn lost(&mut self, _: DisconnectCause) {
        self.socket.phase = Phase::Over;
    }
}

impl Socket {
    fn start(&mut self, parts: &Parts) {
        let secrets = std::mem::take(&mut self.values.secrets);
        let captured = vec![Captured::Nothing; parts.captures.len()];
        self.values = Values { counter: 0, secrets, captured };
        self.fault = None;
    }

    /// Returns who gets the message, if it belongs to the login.
    fn log_in(
        &mut self,
        parts: &Parts,
        subject: Subject<'_>,
        exchange: &mut Exchange<'_>,
    ) -> Option<Received> {
        let login = parts.login.as_ref()?;
        if !matches!(self.phase, Phase::Waiting | Phase::LoggingIn) {
            return None;
        }
        let received = if login.is_delivered { Received::Deliver } else { Received::Consume };
        if let Some((refusal, body)) = first(&login.refused, subject) {
            self.phase = Phase::Over;
            exchange.login_refused(refusal.verdict, refusal.reason_in(body));
            return Some(received);
        }
        match (self.phase, &login.wait) {
            (Phase::Waiting, Some(wait)) => {
                let body = wait.find(subject)?;
                self.capture(&login.capture, body, false);
                self.set_spans(parts, &login.capture, exchange);
                self.send(&login.send, Phase::LoggingIn, exchange);
            }
            _ => {
                let Some(body) = login.ok.find(subject) else {
                    // A greeting that comes again says nothing new.
                    login.wait.as_ref()?.find(subject)?;
                    return Some(received);
                };
                self.capture(&login.capture, body, false);
                self.set_spans(parts, &login.capture, exchange);
                exchange.login_accepted();
                self.send(&parts.on_ready, Phase::Ready, exchange);
            }
        }
        Some(received)
    }

    fn answer(
        &mut self,
        parts: &Parts,
        answer: &Answer,
        body: &str,
        exchange: &mut Exchange<'_>,
    ) -> Received {
        self.capture(&answer.capture, body, true);
        self.set_spans(parts, &answer.capture, exchange);
        // In strict mode, only this says that the server is alive.
        if let Some(expect) = &parts.heartbeat.expect
            && !expect.is_of(&answer.capture)
            && let Some(span) = self.expected(&parts.heartbeat)
        {
            exchange.expect_within(span);
        }
        self.send(&answer.send, self.phase, exchange);
        if answer.is_delivered { Received::Deliver } else { Received::Consume }
    }

    /// Keeps values of a message. One that is not there is forgotten with `replaces`, and otherwise
    /// stays as it was.
    fn capture(&mut self, captures: &[Capture], body: &str, replaces: bool) {
        for Capture { index, pointer } in captures {
            let captured = match json::find(body, pointer) {
                Found::Nothing if replaces => Captured::Nothing,
                Found::Nothing => continue,
                Found::Scalar(Scalar::Text(text)) if text.len() > Spoken::MAX_BYTES => {
                    Captured::Unusable
                }
                Found::Scalar(scalar) => Captured::Value(scalar),
                Found::Other => Captured::Unusable,
            };
            if let Some(place) = self.values.captured.get_mut(*index) {
                *place = captured;
            }
        }
    }

    /// Sets the heartbeat's spans that need no capture.
    fn set_first_spans(parts: &Parts, exchange: &mut Exchange<'_>) {
        let heartbeat = &parts.heartbeat;
        if let Some(Span::Fixed(interval)) = heartbeat.interval {
            exchange.set_heartbeat(interval, heartbeat.timeout);
        }
        if let Some(span) = heartbeat.expected_at_first() {
            exchange.expect_within(span);
        }
    }

    /// How long the server may be silent.
    fn expected(&self, heartbeat: &Heartbeat) -> Option<Duration> {
        let named = heartbeat.expect.as_ref()?.value(&self.values.captured);
        named.filter(|span| !span.is_zero()).or(heartbeat.expected_at_first())
    }

    /// Sets the heartbeat's spans with one of these captures.
    fn set_spans(&self, parts: &Parts, captures: &[Capture], exchange: &mut Exchange<'_>) {
        let heartbeat = &parts.heartbeat;
        let due = |span: &&Span| span.is_of(captures);
        let value = |span: &Span| span.value(&self.values.captured);
        if let Some(interval) = heartbeat.interval.as_ref().filter(due).and_then(value) {
            exchange.set_heartbeat(interval, heartbeat.timeout);
        }
        match heartbeat.expect.as_ref().filter(due).and_then(value) {
            // The core warns of an interval of zero, and ignores it.
            Some(Duration::ZERO) => exchange.set_heartbeat(Duration::ZERO, None),
            Some(span) => exchange.expect_within(span),
            None => {}
        }
    }

    /// Sends these messages, and is then in the next phase, unless a value is missing.
    fn send(&mut self, messages: &[Template], next: Phase, exchange: &mut Exchange<'_>) {
        self.phase = next;
        for message in messages {
            if let Err(fault) = message.send(&mut self.values, false, exchange) {
                return self.fail(fault, exchange);
            }
        }
    }

    fn fail(&mut self, fault: Fault, exchange: &mut Exchange<'_>) {
        exchange.fail(&fault);
        self.fault = Some(fault);
        self.phase = Phase::Over;
    }
}

/// The first rule that the message matches, and what its pointers look at.
fn first<'p, 'm>(rules: &'p [Refusal], subject: Subject<'m>) -> Option<(&'p Refusal, &'m str)> {
    rules.iter().find_map(|rule| Some((rule, rule.when.find(subject)?)))
}

/// The number at the pointer, or at the end of the text there.
fn stamp_at(body: &str, pointer: &str) -> Option<u64> {
    let text = match json::find(body, pointer).scalar()? {
        Scalar::Number(number) => return number.as_u64(),
        Scalar::Boolean(_) => return None,
        Scalar::Text(text) => text,
    };
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    text[digits..].parse().ok()
}

impl Refusal {
    /// The reason in the message, or an empty text.
    fn reason_in(&self, body: &str) -> String {
        let reason = self.reason.as_deref().and_then(|pointer| json::find(body, pointer).scalar());
        shortened(reason.map(Scalar::into_text).unwrap_or_default())
    }
}

/// A reason that fits into one call. The drivers show less of it.
fn shortened(mut reason: String) -> String {
    const MOST: usize = 1_024;
    let end = (0..=MOST.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at));
    reason.truncate(end.unwrap_or(0));
    reason
}
