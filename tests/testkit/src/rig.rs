//! A checked connection: every event goes to it, to its twin and to the checker.

use core::time::Duration;
use std::sync::Arc;

use gateway_core::{
    Action, Actions, Config, Connection, Dialect, DisconnectCause, Encoded, Event, Instant,
    NoDialect, Notice, Outgoing, SocketId,
};
use rand_core::Rng;

use crate::checker::{Checker, Invariant, Verdict, Violation};
use crate::draws::Fixed;

/// The same connection, with its dialect behind a pointer.
pub type Twin<R> = Connection<R, Box<dyn Dialect + Send>>;

/// A connection, its twin and the checker of both.
///
/// The twin has the same settings and draws, and the same dialect behind a pointer. Both must act
/// alike.
pub struct Rig<R = Fixed, D = NoDialect> {
    /// The connection.
    pub connection: Connection<R, D>,
    twin: Twin<R>,
    checker: Checker,
    /// The time of events.
    pub now: Instant,
    /// The latest time of an event.
    pub latest: Instant,
    text: String,
    twin_text: String,
}

impl Rig {
    /// A rig whose draws lie half-way.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with(Arc::new(config), Fixed::HALF)
    }

    /// A rig without a login that is ready since 0 s, its first ping sent.
    #[must_use]
    pub fn ready(config: Config) -> Self {
        let mut rig = Self::new(config);
        rig.on(Event::ConnectRequested);
        rig.open();
        rig
    }

    /// A ready connection whose first ping has just left.
    ///
    /// # Panics
    /// If the heartbeat is off, or something else is due before the first ping.
    #[must_use]
    pub fn asked(config: Config) -> Self {
        let mut rig = Self::ready(config);
        assert_eq!(pings(&rig.tick()), 1, "the first ping is due");
        rig
    }
}

impl<R: Rng + Clone> Rig<R> {
    /// A rig with these settings and draws, without a dialect.
    #[must_use]
    pub fn with(config: Arc<Config>, draws: R) -> Self {
        Self::speaking(config, draws, NoDialect)
    }
}

impl<R: Rng + Clone, D: Dialect + Clone + Send + 'static> Rig<R, D> {
    /// A rig with these settings and draws, and this dialect.
    #[must_use]
    pub fn speaking(config: Arc<Config>, draws: R, dialect: D) -> Self {
        let twin: Box<dyn Dialect + Send> = Box::new(dialect.clone());
        Self {
            connection: Connection::with_dialect(Arc::clone(&config), draws.clone(), dialect),
            twin: Connection::with_dialect(Arc::clone(&config), draws, twin),
            checker: Checker::new(config),
            now: Instant::ZERO,
            latest: Instant::ZERO,
            text: String::new(),
            twin_text: String::new(),
        }
    }

    /// Hands over one event.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn feed(&mut self, now: Instant, event: Event<'_>) -> Result<Actions, Violation> {
        self.latest = self.latest.max(now);
        let actions = self.connection.handle(now, event);
        let copied = self.twin.handle(now, event);
        self.compare(&actions, &copied)?;
        self.checker.observe(&self.connection.observed(now, event, &actions))?;
        Ok(actions)
    }

    fn compare(&mut self, actions: &Actions, copied: &Actions) -> Verdict {
        let differ = |what: String| Err(Violation { invariant: Invariant::I9, what });
        if actions != copied || self.connection.machine() != self.twin.machine() {
            return differ(format!("{actions:?} and {copied:?}"));
        }
        for action in actions {
            let Action::Send(_, outgoing) = action else { continue };
            self.text.clear();
            self.twin_text.clear();
            let encoded = self.connection.encode(outgoing, &mut self.text);
            let copied = self.twin.encode(outgoing, &mut self.twin_text);
            if encoded != copied || self.text != self.twin_text || !fits(*outgoing, encoded) {
                return differ(format!("{outgoing:?} is {encoded:?} and {copied:?}"));
            }
        }
        Ok(())
    }

    /// Hands over one event now, and returns the actions.
    pub fn on(&mut self, event: Event<'_>) -> Vec<Action> {
        let now = self.now;
        let mut done: Vec<_> = match self.feed(now, event) {
            Ok(actions) => actions.into_iter().collect(),
            Err(violation) => panic!("{violation}"),
        };
        if self.connection.is_reserving() {
            done.extend(self.on(Event::OpenReserved(now)));
        }
        done
    }

    /// Lets time pass without a Tick.
    pub fn pass(&mut self, span: Duration) -> &mut Self {
        self.now = self.now.saturating_add(span);
        self
    }

    /// Lets time pass as in a driver, with a Tick at each deadline.
    pub fn run_for(&mut self, span: Duration) -> Vec<Action> {
        let until = self.now.saturating_add(span);
        let mut done = Vec::new();
        while let Some(at) = self.connection.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            done.extend(self.on(Event::Tick));
        }
        self.now = until;
        done
    }

    /// Goes to the next deadline and ticks there.
    pub fn tick(&mut self) -> Vec<Action> {
        let Some(at) = self.connection.next_deadline() else { panic!("nothing is due") };
        self.now = self.now.max(at);
        self.on(Event::Tick)
    }

    /// The socket that is opening or open.
    #[must_use]
    pub fn socket(&self) -> SocketId {
        let Some(id) = self.connection.socket() else { panic!("no socket is live") };
        id
    }

    /// If the provider is asked, it gives its request, and the socket is opening.
    pub fn answer_if_asked(&mut self) {
        if self.connection.is_asking() {
            let id = self.socket();
            self.on(Event::ProviderAnswered(id));
        }
    }

    /// The socket that is asked for, or is opening, is open.
    pub fn open(&mut self) -> Vec<Action> {
        self.answer_if_asked();
        let id = self.socket();
        self.on(Event::SocketOpened(id))
    }
}

fn fits(outgoing: Outgoing, encoded: Option<Encoded<'_>>) -> bool {
    let expected = match outgoing {
        Outgoing::Requested | Outgoing::RequestedClose => None,
        Outgoing::Close(code) => Some(Encoded::Close(code)),
        Outgoing::Login | Outgoing::Ping(_) | Outgoing::Pong(_) => Some(Encoded::Text),
        Outgoing::Dialect(part) | Outgoing::DialectPing(part) => {
            return part.is_text == (encoded == Some(Encoded::Text));
        }
        Outgoing::WebSocketPing(_) => Some(Encoded::Ping),
    };
    encoded == expected
}

/// The delay of the retry that these actions schedule.
#[must_use]
pub fn delay(actions: &[Action]) -> Option<Duration> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::RetryScheduled { delay, .. }) => Some(*delay),
        _ => None,
    })
}

/// The number of the retry that these actions schedule.
#[must_use]
pub fn attempt(actions: &[Action]) -> Option<u32> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::RetryScheduled { attempt, .. }) => Some(*attempt),
        _ => None,
    })
}

/// Why these actions end a connection.
#[must_use]
pub fn cause(actions: &[Action]) -> Option<DisconnectCause> {
    actions.iter().find_map(|action| match action {
        Action::Notify(Notice::Disconnected { cause, .. }) => Some(*cause),
        _ => None,
    })
}

/// The socket that these actions open.
#[must_use]
pub fn opened(actions: &[Action]) -> Option<SocketId> {
    actions.iter().find_map(|action| match action {
        Action::OpenSocket { id, .. } => Some(*id),
        _ => None,
    })
}

/// Whether an action sends a ping.
#[must_use]
pub(crate) const fn is_ping(action: &Action) -> bool {
    matches!(
        action,
        Action::Send(_, Outgoing::Ping(_) | Outgoing::WebSocketPing(_) | Outgoing::DialectPing(_))
    )
}

/// Whether a heartbeat is among these actions.
#[must_use]
pub fn pings(actions: &[Action]) -> usize {
    actions.iter().filter(|action| is_ping(action)).count()
}
