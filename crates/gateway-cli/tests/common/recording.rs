//! A journal made by hand: a connection that is told this and that, as a driver would, with nobody on the other side.

use std::time::Duration;

use gateway_journal::{entry_line, head_line};
use gateway_tokio::core::{Config, Connection, Event, Instant, Observed, SocketId, UnixMillis};

/// The seed of every connection.
const SEED: u64 = 3;

pub(crate) struct Recording {
    connection: Connection,
    pub(crate) now: Instant,
    /// What the wall clock shows at the beginning, and how far it has jumped since.
    pub(crate) wall: UnixMillis,
    lines: Vec<String>,
}

impl Recording {
    pub(crate) fn new(config: Config, wall: UnixMillis) -> Self {
        let lines = vec![head_line(&config, SEED)];
        let connection = Connection::from_seed(config.into(), SEED);
        Self { connection, now: Instant::ZERO, wall, lines }
    }

    /// So many microseconds later.
    pub(crate) fn after(&mut self, micros: u64) -> &mut Self {
        self.now = self.now.saturating_add(Duration::from_micros(micros));
        self
    }

    pub(crate) fn told(&mut self, event: Event<'_>) -> &mut Self {
        let actions = self.connection.handle(self.now, event);
        let observed = Observed {
            now: self.now,
            event,
            actions: actions.as_slice(),
            state: self.connection.state(),
            deadline: self.connection.next_deadline(),
        };
        self.lines.push(entry_line(&observed, self.connection.dialect()));
        self
    }

    pub(crate) fn look(&mut self) -> &mut Self {
        let wall = self.wall.saturating_add(self.now.saturating_duration_since(Instant::ZERO));
        self.told(Event::WallClock(wall))
    }

    /// A timer fires, so many microseconds late.
    pub(crate) fn tick(&mut self, late: u64) -> &mut Self {
        self.now = self.connection.next_deadline().expect("something is due");
        self.after(late).look().told(Event::Tick)
    }

    pub(crate) fn socket(&self) -> SocketId {
        self.connection.socket().expect("one is open or opening")
    }

    pub(crate) fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}
