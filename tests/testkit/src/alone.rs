//! The harness for the core alone. Deeds become events directly, and the peer sees what the core sends.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{
    Action, CloseFrame, Connection, ConnectionState, Encoded, Event, Frame, Instant, Message,
    NoDialect, Notice, Observer as _, OpenError, OpenSchedule, Outgoing, SeededConnection,
    SocketId, Verdict,
};

use crate::deed::{Deed, Heard};
use crate::outbox::{Lost, Outbox};
use crate::peer::{Peer, Saw, Task};
use crate::run::{Recorder, Run};
use crate::scenario::{Scenario, Spoken};
use crate::script::{Command, Opening, Provided};
use crate::stage::Stage;
use crate::wire;

/// Runs a scenario on the core alone.
///
/// # Panics
/// If two events of the script, or one and a deadline, have the same time: drivers do not promise an order.
#[must_use]
pub fn run(scenario: &Scenario) -> Run {
    let mut world = World::new(scenario);
    while let Some(at) = world.next_at() {
        world.now = at;
        if world.stage.is_over(at) || world.recorder.is_broken() {
            break;
        }
        world.go_on();
    }
    let statistics = world.connection.statistics(world.now);
    if let Some((id, _)) = world.peer.take() {
        world.wire.push(wire::gone(world.now, id));
    }
    Run::new(&world.recorder, world.wire, world.stage.into_diary(), statistics)
}

struct World<'a> {
    scenario: &'a Scenario,
    connection: SeededConnection<Spoken>,
    recorder: Recorder,
    stage: Stage,
    now: Instant,
    /// The time of the connection's last event, which a driver uses for a message.
    told: Instant,
    /// The attempt for which the provider is asked, and when that gives what.
    asked: Option<(SocketId, Instant, Provided)>,
    peer: Option<(SocketId, Peer)>,
    outbox: Option<Outbox>,
    /// The core waits for a report that no byte waits.
    is_draining: bool,
    /// The opens of the shared budget, and the one that this connection has reserved.
    schedule: Option<OpenSchedule>,
    reserved: Option<Instant>,
    reading: Reading,
    wire: Vec<String>,
}

/// Whether the driver reads.
#[derive(Debug, Default)]
struct Reading {
    /// The application takes no messages.
    is_held: bool,
    /// The pause was reported to the core.
    is_paused: bool,
    /// The peer's deeds since then.
    unread: Deed,
}

/// The content of an event, for its actions.
#[derive(Clone, Copy)]
enum Payload<'a> {
    None,
    Heard(&'a Heard),
    Text(&'a str),
    Close(u16, &'a str),
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let config = scenario.settings();
        let dialect = scenario.dialect.map_or_else(|| Box::new(NoDialect) as Spoken, |make| make());
        let mut recorder = Recorder::default();
        recorder.begin(&config, scenario.seed);
        Self {
            scenario,
            connection: Connection::from_seed_with(Arc::clone(&config), scenario.seed, dialect),
            recorder,
            stage: Stage::new(scenario),
            now: Instant::ZERO,
            told: Instant::ZERO,
            asked: None,
            peer: None,
            outbox: None,
            is_draining: false,
            schedule: scenario.budget.map(|budget| budget.schedule().expect("a budget")),
            reserved: None,
            reading: Reading::default(),
            wire: Vec::new(),
        }
    }

    fn next_at(&self) -> Option<Instant> {
        let peer = self.peer.as_ref().and_then(|(_, peer)| peer.next_at());
        let asked = self.asked.map(|(_, due, _)| due);
        let due = self.connection.next_deadline().map(|due| due.max(self.now));
        [Some(self.stage.next_at()), asked, peer, due].into_iter().flatten().min()
    }

    /// Does the one thing that is due at this instant.
    fn go_on(&mut self) {
        let now = self.now;
        let is_due = self.connection.next_deadline().is_some_and(|due| due <= now);
        let is_answered = self.asked.is_some_and(|(_, due, _)| due <= now);
        let deeds = self.peer.as_ref().map_or(0, |(_, peer)| peer.count_at(now));
        let deeds = deeds + usize::from(is_answered);
        let commands = self.stage.count_at(now);
        assert!(
            usize::from(is_due) + deeds + commands <= 1,
            "{}: at {} ms fall together a deadline: {is_due}, deeds: {deeds}, commands: {commands}",
            self.scenario.name,
            now.as_nanos() / 1_000_000,
        );
        if let Some(command) = self.stage.next_command(now) {
            self.command(command);
        } else if is_due {
            self.look_at_clock();
            self.feed(Event::Tick, Payload::None);
        } else if is_answered {
            self.provider_answers();
        } else {
            self.peer_acts();
        }
        self.report_ping();
        self.update_flow();
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connect => {
                self.look_at_clock();
                self.feed(Event::ConnectRequested, Payload::None);
            }
            Command::Reconnect => {
                self.look_at_clock();
                self.feed(Event::ReconnectRequested, Payload::None);
            }
            Command::Close { code, reason } => {
                let frame = CloseFrame::new(code, reason).expect("a close that may be sent");
                self.feed(Event::CloseRequested(frame), Payload::Close(code, reason));
            }
            Command::Send(text) | Command::Feed(text) => {
                let event = Event::SendRequested(Message::Text(text));
                self.feed_at(self.told, event, Payload::Text(text));
                self.block_if_full();
                self.write();
            }
            Command::LoginAccepted => self.feed(Event::LoginAccepted, Payload::None),
            Command::LoginRejected(verdict) => {
                self.feed(Event::LoginRejected(verdict), Payload::None);
            }
            Command::PauseReading => self.reading.is_held = true,
            Command::ResumeReading => self.reading.is_held = false,
            Command::Network(network) => {
                self.feed(Event::NetworkChanged(network), Payload::None);
            }
            Command::Sleep(_) | Command::SetBack(_) => {} // the next look at the clock shows it
            Command::Stall(span) => self.stall(span),
        }
    }

    /// Stalls for a while. Then handles received data, and after it timers.
    fn stall(&mut self, span: Duration) {
        self.now = self.now.saturating_add(span);
        let is_idle = self.stage.next_at() > self.now;
        assert!(is_idle, "{}: a command falls into a stall", self.scenario.name);
        if self.asked.is_some_and(|(_, due, _)| due <= self.now) {
            self.provider_answers();
        }
        let mut read = Deed::default();
        while let Some((id, peer)) = &mut self.peer {
            let id = *id;
            match peer.next(self.now) {
                Some(Task::Open(opening)) => self.open(id, &opening),
                Some(Task::Do(deed)) => read = read.and(deed),
                Some(Task::Trickle) => {}
                None => {
                    self.hear(id, &read);
                    break;
                }
            }
        }
        while self.connection.next_deadline().is_some_and(|due| due <= self.now)
            && !self.recorder.is_broken()
        {
            self.look_at_clock();
            self.feed(Event::Tick, Payload::None);
            self.report_ping();
        }
    }

    fn look_at_clock(&mut self) {
        let wall = self.stage.wall().at(self.now);
        self.feed(Event::WallClock(wall), Payload::None);
    }

    fn provider_answers(&mut self) {
        let Some((id, _, provided)) = self.asked.take() else { return };
        let event = match provided {
            Provided::Request => Event::ProviderAnswered(id),
            Provided::Failure(verdict) => Event::ProviderFailed(id, verdict),
            Provided::Panic => Event::ProviderFailed(id, Verdict::Retry),
        };
        self.feed(event, Payload::None);
    }

    fn peer_acts(&mut self) {
        let Some((id, peer)) = &mut self.peer else { return };
        let id = *id;
        match peer.next(self.now) {
            Some(Task::Open(opening)) => self.open(id, &opening),
            Some(Task::Do(deed)) => self.hear(id, &deed),
            Some(Task::Trickle) | None => {}
        }
    }

    fn open(&mut self, id: SocketId, opening: &Opening) {
        let error = match opening {
            Opening::Accepted => return self.feed(Event::SocketOpened(id), Payload::None),
            Opening::Failed(error) | Opening::Answered { reads_as: error, .. } => *error,
            Opening::HungUp => OpenError::NotHttp,
            Opening::NeverConnected | Opening::Stalled | Opening::Trickled(_) => return,
        };
        self.peer = None;
        self.feed(Event::OpenFailed(id, error), Payload::None);
    }

    /// Drives the socket: writes waiting bytes, then reads.
    fn hear(&mut self, id: SocketId, deed: &Deed) {
        if let Some(outbox) = &mut self.outbox {
            outbox.open_by(deed.opens_by());
            if !deed.is_reset() {
                self.write();
                self.report_ping();
            }
        }
        if self.reading.is_paused {
            self.reading.unread = std::mem::take(&mut self.reading.unread).and(deed.clone());
        } else {
            self.read(id, deed);
        }
    }

    /// Handles everything in one read, until the socket is lost.
    fn read(&mut self, id: SocketId, deed: &Deed) {
        if let (true, Some(outbox)) = (deed.is_reset(), &mut self.outbox) {
            outbox.fail();
        }
        for heard in deed.heard() {
            if self.connection.socket() != Some(id) {
                return;
            }
            self.codec_answers(&heard);
            let event = match &heard {
                Heard::Text(text) => Event::FrameReceived(id, Frame::Text(text)),
                Heard::Binary(bytes) => Event::FrameReceived(id, Frame::Binary(bytes)),
                Heard::Ping(payload) => Event::FrameReceived(id, Frame::Ping(payload)),
                Heard::Pong(payload) => Event::FrameReceived(id, Frame::Pong(payload)),
                Heard::Close(None) => Event::FrameReceived(id, Frame::Close(None)),
                Heard::Close(Some((code, reason))) => {
                    let frame = CloseFrame::new(*code, reason).expect("a close that may be sent");
                    Event::FrameReceived(id, Frame::Close(Some(frame)))
                }
                Heard::Part => Event::BytesReceived(id),
                Heard::Failed(failure) => Event::SocketFailed(id, *failure),
            };
            self.feed(event, Payload::Heard(&heard));
        }
    }

    /// What the codec does before the core gets the event.
    fn codec_answers(&mut self, heard: &Heard) {
        let is_closing = self.connection.state() == ConnectionState::Closing;
        let answer = match heard {
            Heard::Ping(payload) => Saw::Pong(payload.clone()),
            Heard::Close(frame) => Saw::Close(frame.clone()),
            Heard::Text(_) | Heard::Binary(_) | Heard::Pong(_) | Heard::Part | Heard::Failed(_) => {
                return;
            }
        };
        if !is_closing {
            self.put(answer, None);
        }
    }

    fn feed(&mut self, event: Event<'_>, payload: Payload<'_>) {
        self.feed_at(self.now, event, payload);
    }

    fn feed_at(&mut self, now: Instant, event: Event<'_>, payload: Payload<'_>) {
        self.told = now;
        let actions = self.connection.handle(now, event);
        self.recorder.observe(&self.connection.observed(now, event, &actions));
        for action in actions {
            self.perform(action, payload);
        }
    }

    /// A driver reports its write buffer with the time of its last event.
    fn block_if_full(&mut self) {
        let is_filled = self.outbox.as_mut().is_some_and(Outbox::is_filled);
        if let (true, Some((id, _))) = (is_filled, &self.peer) {
            self.feed_at(self.told, Event::WriteBlocked(*id), Payload::None);
        }
    }

    /// Writes waiting bytes, as far as the transport accepts them.
    fn write(&mut self) {
        let (Some(outbox), Some((id, peer))) = (&mut self.outbox, &mut self.peer) else { return };
        let id = *id;
        let wrote = outbox.write();
        for saw in wrote.seen {
            self.wire.push(wire::saw(self.now, id, &saw));
            peer.saw(self.now, &saw);
        }
        for line in wrote.sent {
            self.stage.diary().sends[line] = format!("sent on {id}");
        }
        if wrote.is_freed {
            self.feed_at(self.told, Event::Flushed(id), Payload::None);
        }
    }

    /// Reports to the core, at the end of a write pass, how far the newest ping has come, and that the buffer
    /// is empty if the core asked for that.
    fn report_ping(&mut self) {
        let (Some(outbox), Some((id, _))) = (&mut self.outbox, &self.peer) else { return };
        let id = *id;
        if let Some(event) = outbox.report(self.now, id) {
            self.feed(event, Payload::None);
        }
        let is_drained = self.outbox.as_ref().is_some_and(Outbox::is_empty);
        if is_drained && std::mem::take(&mut self.is_draining) {
            self.feed(Event::Drained(id), Payload::None);
        }
    }

    /// Reports to the core that reading pauses or resumes. During a login the driver reads even if the
    /// application takes no messages.
    fn update_flow(&mut self) {
        let Some((id, _)) = &self.peer else { return };
        let (id, is_held) = (*id, self.reading.is_held);
        let may_pause = match self.connection.state() {
            ConnectionState::Connected => self.connection.is_ready(),
            ConnectionState::Authenticated | ConnectionState::Closing => true,
            ConnectionState::Disconnected
            | ConnectionState::Connecting
            | ConnectionState::Closed => return,
        };
        if (may_pause && is_held) == self.reading.is_paused {
            return;
        }
        self.reading.is_paused = is_held;
        if is_held {
            return self.feed(Event::ReadingPaused(id), Payload::None);
        }
        self.feed(Event::ReadingResumed(id), Payload::None);
        let unread = std::mem::take(&mut self.reading.unread);
        self.read(id, &unread);
        self.report_ping();
    }

    fn lose(&mut self, id: SocketId) {
        for (line, lost) in self.outbox.take().map_or_else(Vec::new, |mut outbox| outbox.lose()) {
            self.stage.diary().sends[line] = match lost {
                Lost::MaybeSent => format!("maybe sent on {id}"),
                Lost::Rejected => "rejected: not written".to_owned(),
            };
        }
    }

    fn reserve(&mut self, earliest: Instant) {
        let Some(schedule) = &mut self.schedule else { return };
        if let Some(before) = self.reserved.take() {
            schedule.release(self.told, before);
        }
        let at = schedule.reserve(self.told, earliest);
        self.reserved = Some(at);
        self.feed_at(self.told, Event::OpenReserved(at), Payload::None);
    }

    fn perform(&mut self, action: Action, payload: Payload<'_>) {
        match action {
            Action::AskProvider { id, .. } => {
                let (after, provided) = self.scenario.script.attempt(id.number()).provided;
                self.asked = Some((id, self.now.saturating_add(after), provided));
            }
            Action::ReserveOpen(at) => self.reserve(at),
            Action::ReleaseOpen => {
                if let (Some(schedule), Some(at)) = (&mut self.schedule, self.reserved.take()) {
                    schedule.release(self.told, at);
                }
            }
            Action::OpenSocket { id, .. } => {
                let plan = self.scenario.script.attempt(id.number());
                self.outbox = Some(Outbox::new(&plan, self.scenario.high_water));
                self.peer = Some((id, Peer::new(self.now, plan)));
                self.is_draining = false;
                self.reading.is_paused = false;
                self.reading.unread = Deed::default();
            }
            Action::Drain(_) => self.is_draining = true,
            Action::Send(_, outgoing) => self.send(outgoing, payload),
            Action::CloseSocket(id) => {
                self.asked.take_if(|(asked, ..)| *asked == id);
                self.lose(id);
                if self.peer.take().is_some() {
                    self.wire.push(wire::gone(self.now, id));
                }
            }
            Action::AbortSocket(id) => {
                self.lose(id);
                let peer = self.peer.take();
                self.wire.extend(peer.map(|(_, peer)| match peer.opening() {
                    // There is no byte stream to reset.
                    Opening::Failed(_) | Opening::NeverConnected => wire::gone(self.now, id),
                    Opening::Accepted
                    | Opening::Answered { .. }
                    | Opening::HungUp
                    | Opening::Stalled
                    | Opening::Trickled(_) => wire::aborted(self.now, id),
                }));
            }
            // The deadline says the same as the timer. A script has one server.
            Action::ScheduleTimer(_) | Action::CancelTimer | Action::ResumeAt(_) => {}
            Action::Deliver => match payload {
                Payload::Heard(Heard::Text(text)) => self.stage.diary().text(self.now, text),
                Payload::Heard(Heard::Binary(bytes)) => self.stage.diary().binary(self.now, bytes),
                Payload::Heard(_) | Payload::None | Payload::Text(_) | Payload::Close(..) => {}
            },
            Action::Notify(Notice::SendRejected(why)) => {
                self.stage.diary().sends.push(format!("rejected: {}", why.name()));
            }
            Action::Notify(notice) => {
                if let (Notice::PongReceived { .. }, Some(outbox)) = (&notice, &mut self.outbox) {
                    outbox.on_pong(self.connection.unanswered_pings());
                }
                self.stage.diary().notice(self.now, &notice);
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing, payload: Payload<'_>) {
        let mut text = String::new();
        let mut line = None;
        let saw = match (self.connection.encode(&outgoing, &mut text), payload) {
            (Some(Encoded::Text), _) => Saw::Text(text),
            (Some(Encoded::Binary(bytes)), _) => Saw::Binary(bytes.to_vec()),
            (Some(Encoded::Ping), _) => Saw::Ping(text.into_bytes()),
            (Some(Encoded::Close(code)), _) => Saw::Close(Some((code.number(), String::new()))),
            (None, Payload::Text(text)) => {
                let sends = &mut self.stage.diary().sends;
                line = Some(sends.len());
                sends.push("no outcome yet".to_owned());
                Saw::Text(text.to_owned())
            }
            (None, Payload::Close(code, reason)) => Saw::Close(Some((code, reason.to_owned()))),
            (None, Payload::None | Payload::Heard(_)) => return,
        };
        if let Outgoing::Ping(_) | Outgoing::WebSocketPing(_) | Outgoing::DialectPing(_) = outgoing
        {
            self.put_ping(saw);
        } else {
            self.put(saw, line);
        }
    }

    fn put_ping(&mut self, saw: Saw) {
        if let Some(outbox) = &mut self.outbox {
            outbox.put_ping(saw);
        }
        self.write();
    }

    /// Encodes a frame. A message is written once it is known whether it fills the buffer.
    fn put(&mut self, saw: Saw, line: Option<usize>) {
        if let Some(outbox) = &mut self.outbox {
            outbox.put(saw, line);
        }
        if line.is_none() {
            self.write();
        }
    }
}
