//! Converts a journal to a scenario: each recorded event gets a time in the testkit.
//!
//! A connection runs along. Its timers fire exactly at its deadlines, although the recorded clock was late.
//! Between two deadlines every other event gets a whole millisecond of its own, in the recorded order.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gateway_journal::{Entry, Fact, FrameFact, Head, Kind};
use gateway_tokio::core::{
    Action, Backlog, CloseFrame, Config, Connection, DisconnectCause, Event, Frame, Instant,
    JsonHeartbeat, LoginAnswer, Message, Notice, OpenError, Outgoing, Recognised, RetryAfter,
    SendRejection, SocketId, UnixMillis,
};
use thiserror::Error;

use super::{
    tale::{Attempt, Done, Pong, Seen, Style, Tale},
    words,
};

/// Why a journal cannot become a scenario.
#[derive(Debug, Error)]
pub(crate) enum NotTold {
    #[error("the journal's settings cannot be written as TOML: {0}")]
    Write(#[from] toml::ser::Error),
    #[error("the journal's settings are not valid: {0}")]
    Read(#[from] toml::de::Error),
}

/// What the testkit's wall clock shows at 0 ms.
const WALL: UnixMillis = UnixMillis(1_700_000_000_000);
const MILLISECOND: Duration = Duration::from_millis(1);
/// A timer that fires later than this was delayed.
const LATE: Duration = Duration::from_millis(5);
/// Pongs whose delays differ by less get the same delay.
const ALIKE: Duration = Duration::from_millis(5);

/// Makes the scenario with this name. The journal also has this number of facts about messages and
/// requests, which a scenario cannot express.
///
/// # Errors
/// If the settings cannot be written as TOML.
pub(super) fn tell(
    name: &str,
    head: &Head,
    entries: &[Entry],
    sendings: u64,
) -> Result<Tale, NotTold> {
    let takes_any_answer =
        entries.iter().any(|entry| login(entry) == LoginAnswer::AcceptedAndDelivered);
    let mut refused = Vec::new();
    for entry in entries {
        match login(entry) {
            LoginAnswer::Refused(verdict) if !refused.contains(&verdict) => refused.push(verdict),
            _ => {}
        }
    }
    let lines = words::config(&head.config, takes_any_answer, &refused)?;
    let config: Config = toml::from_str(&lines.join("\n"))?;
    let mut walk = Walk {
        connection: Connection::from_seed(Arc::new(config), head.seed),
        tale: Tale {
            name: name.to_owned(),
            config: lines,
            seed: head.seed,
            attempts: Vec::new(),
            commands: Vec::new(),
            end: 0,
            seen: Seen::default(),
            left_out: BTreeMap::new(),
        },
        wall: WALL,
        now: Instant::ZERO,
        told: Instant::ZERO,
        anchor: None,
        recorded_wall: None,
        recorded_deadline: None,
        stamps: BTreeMap::new(),
        last_ping: None,
        is_ticked: false,
    };
    if sendings > 0 {
        walk.tale.left_out.insert("a fact about messages and requests", sendings);
    }
    for entry in entries {
        walk.step(entry);
    }
    if let Some(last) = entries.last() {
        let end = walk.place(Instant::ZERO, last.now.saturating_add(MILLISECOND));
        walk.tale.end = words::whole_millis(words::since_start(end));
    }
    Ok(walk.tale)
}

struct Walk {
    connection: Connection,
    tale: Tale,
    /// What the testkit's wall clock shows at 0 ms, after the jumps so far.
    wall: UnixMillis,
    /// The time of the last placed event.
    now: Instant,
    /// The time of the connection's last event.
    told: Instant,
    /// A recorded time and its time in the scenario; `None` before the first request to connect.
    anchor: Option<(Instant, Instant)>,
    recorded_wall: Option<(Instant, UnixMillis)>,
    recorded_deadline: Option<Instant>,
    /// Recorded timestamps of pings, and those of the scenario.
    stamps: BTreeMap<UnixMillis, UnixMillis>,
    /// The last ping that was sent.
    last_ping: Option<Outgoing>,
    /// Whether the tick after a clock jump was already made.
    is_ticked: bool,
}

impl Walk {
    fn step(&mut self, entry: &Entry) {
        let at = entry.now;
        if let Fact::WallClock { unix_ms } = entry.event {
            self.recorded_wall = Some((at, unix_ms));
        }
        let is_first = self.anchor.is_none() && entry.event == Fact::ConnectRequested;
        if is_first {
            self.anchor = Some((at, Instant::ZERO));
        } else if self.anchor.is_none() {
            if !matches!(entry.event, Fact::WallClock { .. } | Fact::Tick) {
                self.tale.left_out("an event before the first request to connect");
            }
            return;
        }
        let is_stale = |action: &Action| matches!(action, Action::Notify(Notice::Stale { .. }));
        if entry.actions.iter().any(is_stale) {
            self.tale.left_out("an event of an earlier socket");
            return;
        }
        let is_tick = entry.event == Fact::Tick;
        let is_idle = is_tick && (entry.actions.is_empty() || self.is_ticked);
        let is_jump = matches!(entry.event, Fact::WallClock { .. }) && !entry.actions.is_empty();
        let is_ticked = is_jump && self.is_timer_due(at);
        if !is_idle {
            self.place_event(at, entry, is_first);
        }
        self.is_ticked = is_ticked;
        let actions: Vec<_> =
            entry.actions.iter().map(|action| self.moved_action(at, *action)).collect();
        self.tale.seen.take(&actions);
        self.tale.seen.state = Some(entry.state);
        for action in &entry.actions {
            self.follow(action);
        }
    }

    /// Places an event, and passes it to the connection.
    fn place_event(&mut self, at: Instant, entry: &Entry, is_first: bool) {
        let recorded = entry.actions.as_slice();
        match entry.event {
            Fact::ConnectRequested => {
                if !is_first {
                    self.command(at, "Command::Connect".to_owned());
                }
                self.look(&[]);
                self.feed(Event::ConnectRequested, recorded);
            }
            Fact::ReconnectRequested => {
                self.command(at, "Command::Reconnect".to_owned());
                self.look(&[]);
                self.feed(Event::ReconnectRequested, recorded);
            }
            Fact::CloseRequested { code, reason_bytes } => {
                self.command(at, words::close_command(code, reason_bytes));
                if let Ok(frame) = CloseFrame::new(code.number(), "") {
                    self.feed(Event::CloseRequested(frame), recorded);
                }
            }
            Fact::SendRequested { kind, bytes } => self.send(at, kind, bytes, recorded),
            Fact::LoginAccepted => {
                self.command(at, "Command::LoginAccepted".to_owned());
                self.feed(Event::LoginAccepted, recorded);
            }
            Fact::LoginRejected { verdict } => {
                self.command(at, words::login_rejected(verdict));
                self.feed(Event::LoginRejected(verdict), recorded);
            }
            Fact::NetworkChanged { network } => {
                self.command(at, format!("Command::Network(Network::{network:?})"));
                self.feed(Event::NetworkChanged(network), recorded);
            }
            Fact::OpenReserved { at: open } => {
                let ahead = open.saturating_duration_since(at);
                let open = self.now.saturating_add(ahead);
                self.beside(at, Event::OpenReserved(open), "a wait for a shared budget");
            }
            Fact::ProviderAnswered { socket } => {
                let after = self.place_in_attempt(at);
                if let Some(attempt) = self.tale.attempts.last_mut() {
                    attempt.is_asked = false;
                    attempt.provided = Some(after);
                }
                self.feed(Event::ProviderAnswered(socket), recorded);
            }
            Fact::ProviderFailed { socket, verdict } => {
                let after = self.place_in_attempt(at);
                if let Some(attempt) = self.tale.attempts.last_mut() {
                    attempt.opening = Some(words::failing_provider(after, verdict));
                }
                self.feed(Event::ProviderFailed(socket, verdict), recorded);
            }
            Fact::SocketOpened { socket } => {
                let after = self.place_in_attempt(at);
                if let Some(attempt) = self.tale.attempts.last_mut() {
                    attempt.opening = Some(format!("accepts_after({})", words::millis(after)));
                    attempt.opened = self.now;
                }
                self.feed(Event::SocketOpened(socket), recorded);
            }
            Fact::OpenFailed { socket, error } => {
                let after = self.place_in_attempt(at);
                let error = self.moved(at, error);
                if let Some(attempt) = self.tale.attempts.last_mut() {
                    attempt.opening = Some(words::failed_opening(after, error));
                }
                self.feed(Event::OpenFailed(socket, error), recorded);
            }
            Fact::SocketFailed { socket, failure } => {
                let deed = words::failing(failure).unwrap_or_else(|| {
                    self.tale.left_out("a socket failure of another kind, replaced by a reset");
                    "Deed::reset()".to_owned()
                });
                self.deed(at, deed, None);
                self.feed(Event::SocketFailed(socket, failure), recorded);
            }
            Fact::FrameReceived { socket, frame } => self.frame(at, socket, frame, recorded),
            Fact::WallClock { .. } => self.jump(at, recorded),
            Fact::Tick => self.tick(at, recorded),
            Fact::BytesReceived { socket } => {
                self.beside(at, Event::BytesReceived(socket), "a part of a message");
            }
            Fact::WriteBlocked { socket } => {
                self.beside(at, Event::WriteBlocked(socket), "a full write buffer");
            }
            Fact::Flushed { socket } => {
                self.beside(at, Event::Flushed(socket), "a flushed write buffer");
            }
            Fact::ReadingPaused { socket } => {
                self.command(at, "Command::PauseReading".to_owned());
                self.feed(Event::ReadingPaused(socket), recorded);
            }
            Fact::ReadingResumed { socket } => {
                self.command(at, "Command::ResumeReading".to_owned());
                self.feed(Event::ReadingResumed(socket), recorded);
            }
            Fact::PingHeld { socket, bytes, idle } => {
                let event = Event::PingHeld(socket, Backlog { bytes, idle });
                self.beside(at, event, "a ping that waits to be written");
            }
            Fact::WriteProgressed { socket } => {
                self.beside(at, Event::WriteProgressed(socket), "a write that continues");
            }
            Fact::PingHanded { socket, unproven } => {
                self.beside(at, Event::PingHanded(socket, unproven), "a ping behind many bytes");
            }
            // The drivers of a scenario report it by themselves.
            Fact::Drained { socket } => self.feed(Event::Drained(socket), recorded),
        }
    }

    /// Passes an event that no script can express to the connection, which keeps its deadlines.
    fn beside(&mut self, at: Instant, event: Event<'_>, what: &'static str) {
        self.tale.left_out(what);
        let (recorded, placed) = self.anchor.unwrap_or_default();
        let at = placed.saturating_add(at.saturating_duration_since(recorded));
        if self.connection.next_deadline().is_none_or(|deadline| at < deadline) {
            self.now = self.now.max(at);
        }
        self.feed(event, &[]);
    }

    /// Records what later events depend on.
    fn follow(&mut self, action: &Action) {
        match *action {
            Action::AskProvider { .. } => {
                self.tale.attempts.push(Attempt { is_asked: true, ..Attempt::at(self.now) });
            }
            Action::OpenSocket { .. } => match self.tale.attempts.last_mut() {
                // The time since its question is known.
                Some(asked) if asked.provided.is_some() && asked.opening.is_none() => {
                    asked.dialled = self.now;
                }
                Some(_) | None => self.tale.attempts.push(Attempt::at(self.now)),
            },
            Action::Send(_, ping @ (Outgoing::Ping(_) | Outgoing::WebSocketPing(_))) => {
                self.last_ping = Some(ping);
                if let Some(attempt) = self.tale.attempts.last_mut() {
                    attempt.pings.push(self.now);
                }
            }
            Action::ScheduleTimer(at) => self.recorded_deadline = Some(at),
            Action::CancelTimer => self.recorded_deadline = None,
            Action::ReserveOpen(_)
            | Action::ReleaseOpen
            | Action::Send(..)
            | Action::CloseSocket(_)
            | Action::AbortSocket(_)
            | Action::Drain(_)
            | Action::ResumeAt(_)
            | Action::Deliver
            | Action::Notify(_) => {}
        }
    }

    /// Places an event of the attempt, and returns the time since its question or its dial.
    fn place_in_attempt(&mut self, at: Instant) -> Duration {
        let begun = self.attempt().map_or(self.now, |attempt| attempt.dialled);
        self.place(begun, at).saturating_duration_since(begun)
    }

    fn attempt(&self) -> Option<&Attempt> {
        self.tale.attempts.last()
    }

    /// Converts a recorded time to the scenario's: whole milliseconds after `base`, after every placed event,
    /// and before the connection's next deadline.
    fn place(&mut self, base: Instant, at: Instant) -> Instant {
        let (recorded, placed) = self.anchor.unwrap_or_default();
        let at = placed.saturating_add(at.saturating_duration_since(recorded));
        self.place_exactly(base, at)
    }

    fn place_exactly(&mut self, base: Instant, at: Instant) -> Instant {
        let whole = |at: Instant| words::whole_millis(at.saturating_duration_since(base));
        let least = whole(self.now).saturating_add(1);
        let mut count = whole(at.saturating_add(MILLISECOND / 2)).max(least);
        if let Some(deadline) = self.connection.next_deadline() {
            let most = whole(deadline.saturating_sub(Duration::from_nanos(1)));
            if count > most && most >= least {
                count = most;
            } else if count > most {
                self.tale.left_out("an event that does not fit before a deadline");
            }
        }
        self.now = base.saturating_add(Duration::from_millis(count));
        self.now
    }

    fn command(&mut self, at: Instant, command: String) {
        let placed = self.place(Instant::ZERO, at);
        self.tale.commands.push((words::whole_millis(words::since_start(placed)), command));
    }

    fn send(&mut self, at: Instant, kind: Kind, bytes: u64, recorded: &[Action]) {
        if recorded.contains(&Action::Notify(Notice::SendRejected(SendRejection::WriteBlocked))) {
            return self.tale.left_out("a message that a full write buffer rejected");
        }
        if kind == Kind::Binary {
            self.tale.left_out("the kind of a binary message, which is sent as text");
        }
        self.command(at, words::send(bytes));
        // A driver sends a message with the time of its last event.
        let event = Event::SendRequested(Message::Text(""));
        let _ = self.connection.handle(self.told, event);
    }

    fn frame(&mut self, at: Instant, socket: SocketId, frame: FrameFact, recorded: &[Action]) {
        let (mut text, mut style) = (String::new(), None);
        let deed = match frame {
            FrameFact::Text { login: LoginAnswer::Accepted, .. } => words::text(words::ACCEPTED),
            FrameFact::Text { login: LoginAnswer::Refused(verdict), .. } => {
                text = words::refused(verdict);
                words::text(&text)
            }
            FrameFact::Text { recognised: Recognised::Pong(stamp), .. } => {
                let known = stamp.and_then(|stamp| self.stamps.get(&stamp).copied());
                JsonHeartbeat.write_pong(known.or_else(|| self.shifted(at, stamp?)), &mut text);
                style = Some(match stamp {
                    None => Style::Bare,
                    Some(_) => self.style(Outgoing::Ping(stamp)),
                });
                words::text(&text)
            }
            FrameFact::Text { recognised: Recognised::Ping(stamp), .. } => {
                JsonHeartbeat
                    .write_ping(stamp.and_then(|stamp| self.shifted(at, stamp)), &mut text);
                words::text(&text)
            }
            FrameFact::Text { bytes, .. } => words::message(Kind::Text, bytes),
            FrameFact::Binary { bytes } => words::message(Kind::Binary, bytes),
            FrameFact::Ping { bytes } => words::ping(bytes),
            FrameFact::Pong { number: Some(number), .. } => {
                text = number.to_string();
                style = Some(self.style(Outgoing::WebSocketPing(number)));
                words::pong(&text)
            }
            FrameFact::Pong { bytes, number: None } => words::pong_of(bytes),
            FrameFact::Close { code, reason_bytes } => words::close(code, reason_bytes),
        };
        self.deed(at, deed, style);
        let frame = match frame {
            FrameFact::Text { login: LoginAnswer::Accepted, .. } => Frame::Text(words::ACCEPTED),
            FrameFact::Text { .. } => Frame::Text(&text),
            FrameFact::Binary { .. } => Frame::Binary(b""),
            FrameFact::Ping { .. } => Frame::Ping(b""),
            FrameFact::Pong { .. } => Frame::Pong(text.as_bytes()),
            FrameFact::Close { code, .. } => {
                Frame::Close(code.and_then(|code| CloseFrame::new(code.number(), "").ok()))
            }
        };
        self.feed(Event::FrameReceived(socket, frame), recorded);
    }

    /// The style of a pong for this ping: an echo, if no other ping was sent since.
    fn style(&self, ping: Outgoing) -> Style {
        if self.last_ping == Some(ping) { Style::Echo } else { Style::Other }
    }

    /// Adds a deed of the peer. It joins the last deed if both came in the same read.
    fn deed(&mut self, at: Instant, deed: String, style: Option<Style>) {
        let Some(attempt) = self.tale.attempts.last_mut() else { return };
        if let Some(last) = attempt.deeds.last_mut()
            && last.recorded == at
            && self.now == attempt.opened.saturating_add(last.after)
        {
            last.deed = format!("{}.and({deed})", last.deed);
            last.is_pong = false;
            return;
        }
        let (opened, pinged) = (attempt.opened, attempt.pings.last().copied());
        let usual = attempt.pongs.first().map(|pong| pong.delay);
        let (recorded, placed) = self.anchor.unwrap_or_default();
        let mut aim = placed.saturating_add(at.saturating_duration_since(recorded));
        if let (Some(_), Some(pinged), Some(usual)) = (style, pinged, usual) {
            let usual = pinged.saturating_add(usual);
            let apart = usual.saturating_duration_since(aim) + aim.saturating_duration_since(usual);
            aim = if apart <= ALIKE { usual } else { aim };
        }
        let placed = self.place_exactly(opened, aim);
        let Some(attempt) = self.tale.attempts.last_mut() else { return };
        let after = placed.saturating_duration_since(opened);
        attempt.deeds.push(Done { after, recorded: at, deed, is_pong: style.is_some() });
        if let (Some(style), Some(pinged)) = (style, pinged) {
            let (pings, delay) = (attempt.pings.len(), placed.saturating_duration_since(pinged));
            attempt.pongs.push(Pong { pings, delay, style });
        }
    }

    fn is_timer_due(&self, at: Instant) -> bool {
        self.recorded_deadline.is_some_and(|due| at >= due)
    }

    /// Places a suspend before a clock jump, which a deadline or the suspend watch noticed.
    fn jump(&mut self, at: Instant, recorded: &[Action]) {
        let by = recorded.iter().find_map(|action| match action {
            Action::Notify(Notice::ClockJumped { by }) => Some(*by),
            _ => None,
        });
        let Some(by) = by else { return };
        let by = Duration::from_millis(words::whole_millis(by));
        self.command(at, format!("Command::Sleep({})", words::millis(by)));
        self.wall = self.wall.saturating_add(by);
        if self.is_timer_due(at) {
            return self.tick(at, recorded);
        }
        self.tale.left_out(
            "a suspend that was noticed before a timer fired; in the scenario the next timer notices it",
        );
        self.look(recorded);
    }

    /// Places a deadline.
    fn tick(&mut self, at: Instant, recorded: &[Action]) {
        let due = self.recorded_deadline.filter(|due| at.saturating_duration_since(*due) >= LATE);
        if due.is_some() {
            self.tale.left_out("a timer that fired 5 ms late or more");
        }
        let Some(deadline) = self.connection.next_deadline() else {
            return self.tale.left_out("a deadline that this version of the core does not have");
        };
        self.now = self.now.max(deadline);
        self.anchor = Some((at, self.now));
        self.look(recorded);
        self.feed(Event::Tick, recorded);
    }

    fn look(&mut self, recorded: &[Action]) {
        self.feed(Event::WallClock(self.wall_now()), recorded);
    }

    fn wall_now(&self) -> UnixMillis {
        self.wall.saturating_add(words::since_start(self.now))
    }

    fn feed(&mut self, event: Event<'_>, recorded: &[Action]) {
        self.told = self.now;
        let actions = self.connection.handle(self.now, event);
        if let (Some(was), Some(is)) = (stamp(recorded), stamp(actions.as_slice())) {
            self.stamps.insert(was, is);
        }
    }

    /// Converts a recorded wall-clock time to the testkit's.
    fn shifted(&self, at: Instant, time: UnixMillis) -> Option<UnixMillis> {
        let (when, wall) = self.recorded_wall?;
        let wall = wall.saturating_add(at.saturating_duration_since(when));
        let now = self.wall_now().0;
        Some(UnixMillis(now.saturating_add(time.0).saturating_sub(wall.0)))
    }

    fn moved_action(&self, at: Instant, action: Action) -> Action {
        match action {
            Action::Notify(Notice::Disconnected {
                socket,
                cause: DisconnectCause::OpenFailed(error),
            }) => {
                let cause = DisconnectCause::OpenFailed(self.moved(at, error));
                Action::Notify(Notice::Disconnected { socket, cause })
            }
            other => other,
        }
    }

    /// Converts an error's date to the testkit's wall clock, in whole seconds as in HTTP.
    fn moved(&self, at: Instant, error: OpenError) -> OpenError {
        match error {
            OpenError::Http { status, retry_after: Some(RetryAfter::Date(date)) } => {
                let date = self.shifted(at, date).unwrap_or(date);
                let date = UnixMillis(date.0 / 1_000 * 1_000);
                OpenError::Http { status, retry_after: Some(RetryAfter::Date(date)) }
            }
            other => other,
        }
    }
}

/// The timestamp of the ping among these actions.
fn stamp(actions: &[Action]) -> Option<UnixMillis> {
    actions.iter().find_map(|action| match action {
        Action::Send(_, Outgoing::Ping(stamp)) => *stamp,
        _ => None,
    })
}

fn login(entry: &Entry) -> LoginAnswer {
    match entry.event {
        Fact::FrameReceived { frame: FrameFact::Text { login, .. }, .. } => login,
        _ => LoginAnswer::NotAnAnswer,
    }
}
