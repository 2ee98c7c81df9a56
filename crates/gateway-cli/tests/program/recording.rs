//! Makes a journal: a connection gets chosen events as from a driver, without a peer.

use std::time::Duration;

use gateway_journal::{end_line, entry_line, head_line};
use gateway_tokio::core::{Config, Connection, Event, Instant, SocketId, UnixMillis};

/// The seed of every connection.
const SEED: u64 = 3;

pub(crate) struct Recording {
    connection: Connection,
    pub(crate) now: Instant,
    /// What the wall clock shows at the beginning, and how far it has jumped since.
    pub(crate) wall: UnixMillis,
    head: String,
    entries: Vec<String>,
}

impl Recording {
    pub(crate) fn new(config: Config, wall: UnixMillis) -> Self {
        let head = head_line(&config, SEED);
        let connection = Connection::from_seed(config.into(), SEED);
        Self { connection, now: Instant::ZERO, wall, head, entries: Vec::new() }
    }

    /// So many microseconds later.
    pub(crate) fn after(&mut self, micros: u64) -> &mut Self {
        self.now = self.now.saturating_add(Duration::from_micros(micros));
        self
    }

    pub(crate) fn told(&mut self, event: Event<'_>) -> &mut Self {
        let actions = self.connection.handle(self.now, event);
        let observed = self.connection.observed(self.now, event, &actions);
        let line = entry_line(self.next_number(), &observed);
        self.entries.push(line);
        self
    }

    /// An entry, whatever its fields say.
    pub(crate) fn nonsense(&mut self, fields: &str) {
        let line = format!(r#"{{"n":{},{fields}}}"#, self.next_number());
        self.entries.push(line);
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
        let end = end_line(self.next_number() - 1);
        let lines = [&self.head].into_iter().chain(&self.entries).chain([&end]);
        lines.flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    fn next_number(&self) -> u64 {
        1 + u64::try_from(self.entries.len()).expect("they are few")
    }
}
