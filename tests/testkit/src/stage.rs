//! The surroundings of a run in every harness: the application's commands, its wall clock and its diary.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gateway_core::{DisconnectCause, Instant, Notice, SocketId, UnixMillis};

use crate::scenario::{Scenario, WALL};
use crate::script::Command;

/// The application of a scenario: its commands, and what it has seen.
#[derive(Debug)]
pub struct Stage {
    commands: VecDeque<(Instant, Command)>,
    end: Instant,
    wall: Wall,
    diary: Diary,
}

/// A wall clock that can be set.
#[derive(Clone, Debug)]
pub struct Wall(Arc<AtomicU64>);

/// What an application has seen, in order, and the outcomes of its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diary {
    /// Messages and notices, each with its time in milliseconds.
    pub lines: Vec<String>,
    /// The texts that were delivered; a binary message as `N bytes`.
    pub messages: Vec<(u64, String)>,
    /// One line for each command that sent something, in order: `sent on 1`, `rejected: not_ready`.
    pub sends: Vec<String>,
}

impl Stage {
    /// The stage at 0 ms, before the first command.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let mut commands: Vec<_> = scenario
            .script
            .commands
            .iter()
            .map(|(at, command)| (Instant::ZERO.saturating_add(*at), *command))
            .collect();
        commands.sort_by_key(|(at, _)| *at);
        Self {
            commands: commands.into(),
            end: scenario.end(),
            wall: Wall(Arc::new(AtomicU64::new(WALL))),
            diary: Diary::default(),
        }
    }

    /// When the next command is due, or the end.
    #[must_use]
    pub fn next_at(&self) -> Instant {
        self.commands.front().map_or(self.end, |(at, _)| (*at).min(self.end))
    }

    /// Whether the scenario is over.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// The next command, if it is due. A sleep or a change of the wall clock is already applied.
    pub fn next_command(&mut self, now: Instant) -> Option<Command> {
        let (at, command) = *self.commands.front()?;
        if at > now {
            return None;
        }
        self.commands.pop_front();
        match command {
            Command::Sleep(span) => self.wall.shift(|wall| wall + span.as_millis()),
            Command::SetBack(span) => self.wall.shift(|wall| wall - span.as_millis()),
            Command::Connect
            | Command::Reconnect
            | Command::Close { .. }
            | Command::Send(_)
            | Command::Feed(_)
            | Command::LoginAccepted
            | Command::LoginRejected(_)
            | Command::PauseReading
            | Command::ResumeReading
            | Command::Network(_)
            | Command::Stall(_) => {}
        }
        Some(command)
    }

    pub(crate) fn count_at(&self, now: Instant) -> usize {
        let ends = usize::from(self.end == now);
        self.commands.iter().filter(|(at, _)| *at == now).count() + ends
    }

    /// The wall clock, for the driver's builder.
    #[must_use]
    pub fn wall(&self) -> Wall {
        self.wall.clone()
    }

    /// The diary, for writing.
    pub const fn diary(&mut self) -> &mut Diary {
        &mut self.diary
    }

    /// The diary at the end.
    #[must_use]
    pub fn into_diary(self) -> Diary {
        self.diary
    }
}

impl Wall {
    /// The current time.
    #[must_use]
    pub fn at(&self, now: Instant) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst) + millis_of(now))
    }

    fn shift(&self, change: impl FnOnce(u128) -> u128) {
        let shifted = change(u128::from(self.0.load(Ordering::SeqCst)));
        self.0.store(u64::try_from(shifted).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Diary {
    /// A text was delivered.
    pub fn text(&mut self, now: Instant, text: &str) {
        self.message(now, text.to_owned());
    }

    /// A binary message was delivered.
    pub fn binary(&mut self, now: Instant, bytes: &[u8]) {
        self.message(now, format!("{} bytes", bytes.len()));
    }

    fn message(&mut self, now: Instant, shown: String) {
        self.lines.push(format!("{} message {shown}", millis_of(now)));
        self.messages.push((millis_of(now), shown));
    }

    /// A notice came. (A rejected message has no notice, because the call that sent it returns the error.)
    pub fn notice(&mut self, now: Instant, notice: &Notice) {
        if !matches!(notice, Notice::SendRejected(_)) {
            self.lines.push(format!("{} {notice:?}", millis_of(now)));
        }
    }

    /// A socket was lost.
    pub fn disconnected(&mut self, now: Instant, socket: SocketId, cause: DisconnectCause) {
        self.notice(now, &Notice::Disconnected { socket, cause });
    }
}

/// Milliseconds since the beginning.
pub(crate) const fn millis_of(now: Instant) -> u64 {
    now.as_nanos() / 1_000_000
}
