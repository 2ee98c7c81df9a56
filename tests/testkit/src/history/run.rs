//! Runs a plan: turns its steps into events, depending on the connection's state.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    AcceptanceRule, Action, Backlog, CloseFrame, ConnectionState, Event, Frame, HeartbeatKind,
    Instant, Login, Message, Network, Observer, OpenError, Outgoing, RetryAfter, SocketId,
    UnixMillis,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

use super::plan::{
    Advance, Content, Echo, FAILURES, Fact, Plan, Step, TROUBLES, Trouble, Wall, Whose,
};
use super::speech::Drawn;
use crate::checker::{Invariant, Violation};
use crate::reference::Comparison;
use crate::rig::Rig;

/// The most Ticks for one step.
const MOST_TICKS: usize = 48;

/// More timestamps than the core remembers.
const MOST_STAMPS: usize = 8;

/// The most steps of a plan.
const MOST_STEPS: usize = 600;

/// Runs a whole plan under the checker.
///
/// # Errors
/// The broken invariant.
pub fn run(plan: &Plan) -> Result<World, Violation> {
    World::new(plan).run(plan)
}

/// Runs a whole plan under the checker, with an `observer` as in a driver, for example a recorder.
///
/// # Errors
/// The broken invariant.
pub fn run_observed(
    plan: &Plan,
    mut observer: impl Observer + 'static,
) -> Result<World, Violation> {
    let mut world = World::new(plan);
    observer.begin(world.rig.connection.config(), plan.seed);
    world.observer = Some(Box::new(observer));
    world.run(plan)
}

/// Runs a whole plan on the core and the model, step by step, under the checker.
///
/// # Errors
/// The first difference as a readable script, or the broken invariant.
pub fn compare(plan: &Plan) -> Result<World, Violation> {
    let compared = |is_scripted| {
        let mut world = World::new(plan);
        let config = Arc::new(plan.settings.config());
        let comparison = Comparison::speaking(config, draws(plan), speaker(plan));
        world.comparison = Some(if is_scripted { comparison.scripted() } else { comparison });
        world.run(plan)
    };
    compared(false).map_err(|first: Violation| match compared(true) {
        Err(scripted) => scripted, // a script is written only where somebody will read it
        Ok(_) => Violation {
            invariant: Invariant::I9,
            what: format!("{first}; and a second time it did not happen"),
        },
    })
}

fn draws(plan: &Plan) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(plan.seed)
}

fn speaker(plan: &Plan) -> Drawn {
    Drawn::new(plan.speech.clone())
}

/// The connection, and the parts of its environment that events need.
pub struct World {
    /// The connection with its checker.
    pub rig: Rig<ChaCha8Rng, Drawn>,
    /// The core and the model, if they are compared.
    comparison: Option<Comparison<ChaCha8Rng, Drawn>>,
    is_punctual: bool,
    /// The wall-clock time at the monotonic clock's zero, in milliseconds.
    wall_offset: u64,
    last_socket: u64,
    /// The timestamps of the last pings, the newest last.
    stamps: Vec<u64>,
    observer: Option<Box<dyn Observer>>,
    /// The actions of the last event.
    done: Vec<Action>,
}

impl World {
    /// The world at the start of this plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let config = Arc::new(plan.settings.config());
        Self {
            rig: Rig::speaking(config, draws(plan), speaker(plan)),
            comparison: None,
            is_punctual: plan.is_punctual,
            wall_offset: 1_700_000_000_000,
            last_socket: 0,
            stamps: Vec::new(),
            observer: None,
            done: Vec::new(),
        }
    }

    fn run(mut self, plan: &Plan) -> Result<Self, Violation> {
        for step in plan.steps.iter().take(MOST_STEPS) {
            self.take(step)?;
        }
        Ok(self)
    }

    /// Runs one step.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn take(&mut self, step: &Step) -> Result<(), Violation> {
        self.advance(step.advance)?;
        self.happen(&step.fact)
    }

    /// Hands over one event now.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn feed(&mut self, event: Event<'_>) -> Result<Vec<Action>, Violation> {
        let now = self.rig.now;
        if let Some(comparison) = &mut self.comparison {
            let compared = comparison.feed(now, event);
            compared.map_err(|what| Violation { invariant: Invariant::Model, what })?;
        }
        let actions = self.rig.feed(now, event)?;
        if let Some(observer) = &mut self.observer {
            observer.observe(&self.rig.connection.observed(now, event, &actions));
        }
        for action in &actions {
            match action {
                Action::AskProvider { id, .. } | Action::OpenSocket { id, .. } => {
                    self.last_socket = id.number();
                }
                Action::Send(_, Outgoing::Ping(stamp)) => {
                    self.keep(stamp.map(|UnixMillis(millis)| millis));
                }
                Action::Send(_, Outgoing::WebSocketPing(number)) => self.keep(Some(*number)),
                _ => {}
            }
        }
        self.done = actions.into_iter().collect();
        Ok(self.done.clone())
    }

    /// The actions of the last event.
    pub fn done(&self) -> &[Action] {
        &self.done
    }

    fn keep(&mut self, stamp: Option<u64>) {
        let Some(stamp) = stamp else { return self.stamps.clear() };
        if self.stamps.len() == MOST_STAMPS {
            self.stamps.remove(0);
        }
        self.stamps.push(stamp);
    }

    fn advance(&mut self, advance: Advance) -> Result<(), Violation> {
        let now = self.rig.now;
        let due = self.rig.connection.next_deadline();
        let target = match advance {
            Advance::Stay => now,
            Advance::Nanos(nanos) => now.saturating_add(Duration::from_nanos(nanos.into())),
            Advance::Millis(millis) => now.saturating_add(Duration::from_millis(millis.into())),
            Advance::Long(millis) => now.saturating_add(Duration::from_millis(millis.into())),
            Advance::ToDeadline => due.unwrap_or(now),
            Advance::JustBeforeDeadline => {
                due.unwrap_or(now).saturating_sub(Duration::from_nanos(1))
            }
            Advance::PastDeadline(millis) => {
                due.unwrap_or(now).saturating_add(Duration::from_millis(millis.into()))
            }
            Advance::Back(millis) => now.saturating_sub(Duration::from_millis(millis.into())),
            Advance::Leap(nanos) => Instant::from_nanos(nanos),
        };
        if !self.is_punctual {
            self.rig.now = target;
            return Ok(());
        }
        for _ in 0..MOST_TICKS {
            let Some(due) = self.rig.connection.next_deadline().filter(|due| *due <= target) else {
                self.rig.now = now.max(target);
                return Ok(());
            };
            self.rig.now = self.rig.now.max(due);
            self.feed(Event::Tick)?;
        }
        Ok(())
    }

    fn happen(&mut self, fact: &Fact) -> Result<(), Violation> {
        let online = Event::NetworkChanged(Network::Online);
        let offline = Event::NetworkChanged(Network::Offline);
        let fed = match fact {
            Fact::Next => return self.go_on(),
            Fact::Connect => self.feed(Event::ConnectRequested),
            Fact::Reconnect => self.feed(Event::ReconnectRequested),
            Fact::Close(code) => {
                let code = [1000, 1001, 1008, 3000, 4000, 4999][usize::from(*code) % 6];
                let frame = CloseFrame::new(code, "enough").unwrap_or(CloseFrame::NORMAL);
                self.feed(Event::CloseRequested(frame))
            }
            Fact::Send(Content::Binary(length)) => {
                let bytes = vec![0; usize::from(*length)];
                self.feed(Event::SendRequested(Message::Binary(&bytes)))
            }
            Fact::Send(content) => {
                let text = self.text(content);
                self.feed(Event::SendRequested(Message::Text(&text)))
            }
            Fact::LoginAccepted => self.feed(Event::LoginAccepted),
            Fact::LoginRejected(ruling) => self.feed(Event::LoginRejected(ruling.verdict())),
            Fact::Opened(whose) => self.feed(Event::SocketOpened(self.id(*whose))),
            Fact::OpenFailed(whose, trouble) => {
                self.feed(Event::OpenFailed(self.id(*whose), self.error(*trouble)))
            }
            Fact::Failed(whose, index) => {
                let failure = FAILURES[usize::from(*index) % FAILURES.len()];
                self.feed(Event::SocketFailed(self.id(*whose), failure))
            }
            Fact::Frame(whose, content) => return self.frame(self.id(*whose), content),
            Fact::Bytes(whose) => self.feed(Event::BytesReceived(self.id(*whose))),
            Fact::WriteBlocked(whose) => self.feed(Event::WriteBlocked(self.id(*whose))),
            Fact::Flushed(whose) => self.feed(Event::Flushed(self.id(*whose))),
            Fact::Paused(whose) => self.feed(Event::ReadingPaused(self.id(*whose))),
            Fact::Resumed(whose) => self.feed(Event::ReadingResumed(self.id(*whose))),
            Fact::Wall(wall) => {
                let wall = self.wall(*wall);
                self.feed(Event::WallClock(wall))
            }
            Fact::Online => self.feed(online),
            Fact::Offline => self.feed(offline),
            Fact::PingHeld(whose, bytes, idle) => {
                let idle = Duration::from_millis((*idle).into());
                let backlog = Backlog { bytes: (*bytes).into(), idle };
                self.feed(Event::PingHeld(self.id(*whose), backlog))
            }
            Fact::WriteProgressed(whose) => self.feed(Event::WriteProgressed(self.id(*whose))),
            Fact::PingHanded(whose, unproven) => {
                self.feed(Event::PingHanded(self.id(*whose), (*unproven).into()))
            }
            Fact::Drained(whose) => self.feed(Event::Drained(self.id(*whose))),
            Fact::OpenReserved(millis) => {
                let at = self.rig.now.saturating_add(Duration::from_millis((*millis).into()));
                self.feed(Event::OpenReserved(at))
            }
            Fact::ProviderAnswered(whose) => self.feed(Event::ProviderAnswered(self.id(*whose))),
            Fact::ProviderFailed(whose, ruling) => {
                self.feed(Event::ProviderFailed(self.id(*whose), ruling.verdict()))
            }
            Fact::Tick => self.feed(Event::Tick),
        };
        fed.map(drop)
    }

    fn go_on(&mut self) -> Result<(), Violation> {
        let current = self.id(Whose::Current);
        if self.rig.connection.is_ready() {
            return self.frame(current, &Content::Pong(Echo::Newest, 0));
        }
        match self.rig.connection.state() {
            ConnectionState::Disconnected if self.rig.connection.is_reserving() => {
                self.feed(Event::OpenReserved(self.rig.now)).map(drop)
            }
            ConnectionState::Disconnected if self.rig.connection.next_deadline().is_some() => {
                self.advance(Advance::ToDeadline)?;
                self.feed(Event::Tick).map(drop)
            }
            ConnectionState::Disconnected | ConnectionState::Closed => {
                self.feed(Event::ConnectRequested).map(drop)
            }
            ConnectionState::Connecting if self.rig.connection.is_asking() => {
                self.feed(Event::ProviderAnswered(current)).map(drop)
            }
            ConnectionState::Connecting => self.feed(Event::SocketOpened(current)).map(drop),
            ConnectionState::Connected if self.rig.connection.is_login_refused() => {
                self.advance(Advance::ToDeadline)?;
                self.feed(Event::Tick).map(drop)
            }
            ConnectionState::Connected | ConnectionState::Authenticated => {
                match self.rig.connection.config().login() {
                    Login::External { .. }
                    | Login::Dialect { .. }
                    | Login::Message { accepted: AcceptanceRule::Dialect, .. } => {
                        self.feed(Event::LoginAccepted).map(drop)
                    }
                    _ => self.frame(current, &Content::Welcome),
                }
            }
            ConnectionState::Closing => self.frame(current, &Content::Close(None)),
        }
    }

    fn id(&self, whose: Whose) -> SocketId {
        SocketId::new(match whose {
            Whose::Current => self.last_socket,
            Whose::Older(by) => self.last_socket.saturating_sub(u64::from(by)),
            Whose::Never => self.last_socket.saturating_add(1),
        })
    }

    fn error(&self, trouble: Trouble) -> OpenError {
        let status = |number: u16| 100 + number % 500;
        match trouble {
            Trouble::Network(index) => TROUBLES[usize::from(index) % TROUBLES.len()],
            Trouble::Http(number) => OpenError::Http { status: status(number), retry_after: None },
            Trouble::HttpRetryAfter(number, seconds) => OpenError::Http {
                status: status(number),
                retry_after: Some(RetryAfter::Seconds(seconds.into())),
            },
            Trouble::HttpRetryAt(number, ahead) => {
                let date = self.wall_now().saturating_add_signed(ahead.into());
                let retry_after = Some(RetryAfter::Date(UnixMillis(date)));
                OpenError::Http { status: status(number), retry_after }
            }
            Trouble::Configuration => OpenError::Configuration,
        }
    }

    fn frame(&mut self, id: SocketId, content: &Content) -> Result<(), Violation> {
        let fed = match content {
            Content::Binary(length) => {
                let bytes = vec![0; usize::from(*length)];
                self.feed(Event::FrameReceived(id, Frame::Binary(&bytes)))
            }
            Content::WebSocketPing => self.feed(Event::FrameReceived(id, Frame::Ping(b"?"))),
            Content::WebSocketPong(echo) => {
                let payload = self.stamp(*echo).map_or(String::new(), |number| number.to_string());
                self.feed(Event::FrameReceived(id, Frame::Pong(payload.as_bytes())))
            }
            Content::Close(number) => {
                let frame = number
                    .and_then(|number| CloseFrame::new(1_000 + number % 4_000, "so long").ok());
                self.feed(Event::FrameReceived(id, Frame::Close(frame)))
            }
            Content::Pong(echo, _) if self.speaks_websocket_ping() => {
                let echo = Content::WebSocketPong(*echo);
                return self.frame(id, &echo);
            }
            _ => {
                let text = self.text(content);
                self.feed(Event::FrameReceived(id, Frame::Text(&text)))
            }
        };
        fed.map(drop)
    }

    fn speaks_websocket_ping(&self) -> bool {
        self.rig.connection.config().heartbeat_kind() == gateway_core::HeartbeatKind::Ping
    }

    fn stamp(&self, echo: Echo) -> Option<u64> {
        match echo {
            Echo::None => None,
            Echo::Newest => self.stamps.last().copied(),
            // A small number counts back from the newest JSON ping, or is the number of a Ping frame.
            Echo::Other(number) => {
                let back = usize::try_from(number).ok().filter(|_| self.asks_in_json());
                let older = back.and_then(|back| self.stamps.iter().nth_back(back));
                Some(older.copied().unwrap_or(number))
            }
        }
    }

    fn asks_in_json(&self) -> bool {
        self.rig.connection.config().heartbeat_kind() == HeartbeatKind::Json
    }

    fn text(&self, content: &Content) -> String {
        match content {
            Content::Pong(echo, style) => match (self.stamp(*echo), style % 3) {
                (None, _) => r#"{"type":"pong"}"#.to_string(),
                (Some(stamp), 0) => format!(r#"{{"type":"pong","timestamp":{stamp}}}"#),
                (Some(stamp), 1) => format!("{{ \"timestamp\" : {stamp},\n\t\"type\":\"pong\" }}"),
                (Some(stamp), _) => format!(r#"{{"a":[1],"timestamp":{stamp},"type":"pong"}}"#),
            },
            Content::PeerPing(None) => r#"{"type":"ping"}"#.to_string(),
            Content::PeerPing(Some(stamp)) => format!(r#"{{"type":"ping","timestamp":{stamp}}}"#),
            Content::Welcome => r#"{"type":"welcome"}"#.to_string(),
            Content::Refused => r#"{"type":"refused"}"#.to_string(),
            Content::Text(text) => text.clone(),
            Content::Data
            | Content::Binary(_)
            | Content::WebSocketPing
            | Content::WebSocketPong(_)
            | Content::Close(_) => r#"{"price":17}"#.to_string(),
        }
    }

    fn wall_now(&self) -> u64 {
        self.wall_offset.saturating_add(self.rig.now.as_nanos() / 1_000_000)
    }

    fn wall(&mut self, wall: Wall) -> UnixMillis {
        match wall {
            Wall::Even => {}
            Wall::Ahead(millis) => {
                self.wall_offset = self.wall_offset.saturating_add(millis.into())
            }
            Wall::Back(millis) => self.wall_offset = self.wall_offset.saturating_sub(millis.into()),
            Wall::At(millis) => return UnixMillis(millis),
        }
        UnixMillis(self.wall_now())
    }
}
