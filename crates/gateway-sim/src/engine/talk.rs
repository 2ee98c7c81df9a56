//! Passes facts to a client's connection, and performs its actions in the simulated world.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Action, Actions, CloseFrame, Connection, DisconnectCause, Event, Failure, Frame, HeartbeatKind,
    Instant, Notice, OpenError, Outgoing, RetryAfter, SocketId,
};

use crate::witness::Witness;

use super::client::{Client, Link, Phase};
use super::wheel::{LIFE_MASK, What};
use super::world::World;

/// The witness, and one client in how many it sees.
pub(super) struct Sample<'w> {
    pub(super) every: u32,
    pub(super) witness: &'w mut dyn Witness,
}

impl Sample<'_> {
    pub(super) const fn includes(&self, client: u32) -> bool {
        client.is_multiple_of(self.every)
    }
}

/// One client in the world.
pub(super) struct Talk<'a, 'w> {
    pub(super) world: &'a mut World,
    pub(super) client: &'a mut Client,
    pub(super) index: u32,
    pub(super) sample: &'a mut Option<Sample<'w>>,
}

impl Talk<'_, '_> {
    /// Passes an event, and all that follows from it at this instant.
    pub(super) fn tell(&mut self, event: Event<'_>) {
        let mut next = self.pass(event);
        while let Some(what) = next {
            next = self.hear(what);
        }
        self.world.rephase(self.client);
        self.world.arm(self.client, self.index);
    }

    /// Something has arrived at the client.
    pub(super) fn arrive(&mut self, what: What) {
        let mut next = Some(what);
        while let Some(what) = next {
            next = self.hear(what);
        }
        self.world.rephase(self.client);
        self.world.arm(self.client, self.index);
    }

    fn hear(&mut self, what: What) -> Option<What> {
        if what == What::Opened {
            self.forget_attempts();
        }
        let socket = self.client.connection.socket()?;
        match what {
            What::Opened => {
                let reply = self.pass(Event::SocketOpened(socket));
                self.tally(|totals| totals.opened += 1);
                if self.client.current_phase() == Phase::LoggingIn {
                    return self.world.send(self.client, self.index, What::Login);
                }
                reply
            }
            What::Refused => self.fail_to_open(socket, OpenError::Refused),
            What::Limited => {
                let node = &self.world.nodes[usize::from(self.client.node)];
                let admission = node.bucket.as_ref().map(|bucket| bucket.admission);
                let (status, retry_after) =
                    admission.map_or((429, None), |it| (it.status, it.retry_after));
                self.fail_to_open(socket, http(status, retry_after))
            }
            What::Rejected => {
                let reject = self.world.rejects.last();
                let (status, retry_after) =
                    reject.map_or((503, None), |reject| (reject.status, reject.retry_after_ms));
                self.fail_to_open(socket, http(status, retry_after.map(Duration::from_millis)))
            }
            What::Welcome => self.pass(Event::LoginAccepted),
            What::Lost => self.lose(socket),
            What::Restarted => {
                if self.client.current_phase() == Phase::Connecting {
                    return self.lose(socket);
                }
                self.tally(|totals| totals.losses += 1);
                let frame = CloseFrame::new(1012, "").ok();
                self.pass(Event::FrameReceived(socket, Frame::Close(frame)))
            }
            What::Pong => self.pong(socket),
            // Facts of the server.
            What::Timer | What::Syn | What::Accepted | What::Login | What::LoggedIn | What::Cut => {
                None
            }
        }
    }

    /// A fresh connection, whose first socket is the one that opens, takes the place of one that does
    /// not wait until it is stable.
    fn forget_attempts(&mut self) {
        let Some(config) = &self.world.forgetful[usize::from(self.client.group)] else { return };
        let seed = self.world.draws.below(u64::MAX);
        if let Some(sample) = self.sample.as_mut().filter(|sample| sample.includes(self.index)) {
            sample.witness.on_new(self.index, config);
        }
        self.client.connection = Connection::from_seed(Arc::clone(config), seed);
        let (now, event) = (self.now(), Event::ConnectRequested);
        let actions = self.client.connection.handle(now, event);
        self.show(now, event, &actions);
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.world.epoch_ns + self.world.now * 1_000_000)
    }

    fn show(&mut self, now: Instant, event: Event<'_>, actions: &Actions) {
        if let Some(sample) = self.sample.as_mut().filter(|sample| sample.includes(self.index)) {
            let observed = self.client.connection.observed(now, event, actions);
            sample.witness.on_event(self.index, &observed);
        }
    }

    fn fail_to_open(&mut self, socket: SocketId, error: OpenError) -> Option<What> {
        self.tally(|totals| totals.refused += 1);
        self.pass(Event::OpenFailed(socket, error))
    }

    fn lose(&mut self, socket: SocketId) -> Option<What> {
        self.tally(|totals| totals.losses += 1);
        let event = match self.client.current_phase() {
            Phase::Connecting => Event::OpenFailed(socket, OpenError::Io),
            Phase::Waiting | Phase::LoggingIn | Phase::Ready | Phase::Closed => {
                Event::SocketFailed(socket, Failure::Reset)
            }
        };
        self.pass(event)
    }

    fn pong(&mut self, socket: SocketId) -> Option<What> {
        if self.client.connection.config().heartbeat_kind() == HeartbeatKind::Json {
            return self.pass(Event::FrameReceived(socket, Frame::Text(r#"{"type":"pong"}"#)));
        }
        let mut digits = [0; 10];
        let payload = decimal(self.client.ping, &mut digits);
        self.pass(Event::FrameReceived(socket, Frame::Pong(payload)))
    }

    fn tally(&mut self, count: impl FnOnce(&mut crate::outcome::Totals)) {
        count(&mut self.world.tally(self.client).totals);
    }

    /// Passes one event to the connection, and performs the actions. Returns what arrives at the
    /// client at once.
    fn pass(&mut self, event: Event<'_>) -> Option<What> {
        let now = self.now();
        self.world.events += 1;
        let actions = self.client.connection.handle(now, event);
        self.show(now, event, &actions);
        let mut reply = None;
        for action in &actions {
            match action {
                Action::OpenSocket { .. } => reply = self.world.open(self.client, self.index),
                Action::CloseSocket(_) | Action::AbortSocket(_) => {
                    self.client.life = (self.client.life + 1) & LIFE_MASK;
                    self.world.relink(self.client, Link::None);
                }
                Action::Send(_, Outgoing::WebSocketPing(number)) => {
                    self.client.ping = u32::try_from(*number).unwrap_or(u32::MAX);
                    reply = self.world.on_ping(self.client, self.index);
                }
                Action::Send(_, Outgoing::Ping(_)) => {
                    reply = self.world.on_ping(self.client, self.index)
                }
                Action::Drain(socket) => {
                    reply = reply.or_else(|| self.pass(Event::Drained(*socket)))
                }
                Action::Notify(notice) => self.note(notice),
                // The login is sent once the actions are done. A Close needs no answer here.
                Action::Send(..)
                | Action::ScheduleTimer(_)
                | Action::CancelTimer
                | Action::Deliver
                | Action::AskProvider { .. }
                | Action::ResumeAt(_)
                | Action::ReserveOpen(_)
                | Action::ReleaseOpen => {}
            }
        }
        reply
    }

    fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::Disconnected { cause: DisconnectCause::ConnectTimeout, .. } => {
                self.tally(|totals| totals.connect_timeouts += 1);
            }
            Notice::Disconnected { cause: DisconnectCause::LoginTimeout, .. } => {
                self.tally(|totals| totals.login_timeouts += 1);
            }
            Notice::Disconnected {
                cause: DisconnectCause::PongTimeout | DisconnectCause::WriteStall,
                ..
            } => {
                self.tally(|totals| totals.found_dead += 1);
            }
            Notice::GaveUp { .. } => self.tally(|totals| totals.gave_up += 1),
            _ => {}
        }
    }
}

fn http(status: u16, retry_after: Option<Duration>) -> OpenError {
    let seconds =
        |span: Duration| RetryAfter::Seconds(span.as_secs() + u64::from(span.subsec_nanos() > 0));
    OpenError::Http { status, retry_after: retry_after.map(seconds) }
}

/// The number in decimal.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}
