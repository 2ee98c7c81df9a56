//! While every attempt is refused at once, clients do not influence each other. So a client that is
//! visited runs ahead of the others, up to the next change of the world, while its memory is in the
//! processor's cache. The outcome is the same to the byte, and a long outage takes a third of the
//! time.

use gateway_core::{Action, Event, Instant, OpenError};

use crate::scenario::Away;

use super::client::Client;
use super::talk::Sample;
use super::wheel::LIFE_MASK;
use super::world::World;

/// How far a client runs ahead at most, in milliseconds.
pub(super) const AHEAD: u64 = 1 << 19;

/// Refused attempts of the coming milliseconds, by group.
#[derive(Debug)]
pub(super) struct Coming {
    refused: Vec<Vec<u32>>,
    /// Clients run ahead to before this instant. Zero: they do not run ahead.
    until: u64,
    /// Whether the scenario has nothing that draws numbers or changes clients meanwhile.
    is_possible: bool,
}

impl Coming {
    pub(super) fn new(groups: usize, is_possible: bool) -> Self {
        let slots = if is_possible { AHEAD as usize } else { 0 };
        Self { refused: vec![vec![0; slots]; groups], until: 0, is_possible }
    }

    /// The refused attempts of this millisecond, which are taken from the list.
    pub(super) fn take(&mut self, group: usize, now: u64) -> u32 {
        self.refused[group].get_mut((now % AHEAD) as usize).map_or(0, std::mem::take)
    }
}

impl World {
    /// Computes again how far clients may run ahead. The world must call this after each change.
    pub(super) fn look_ahead(&mut self) {
        let is_away = |node: &super::server::Node| !node.is_up() && node.how == Away::Refusing;
        let is_unseen = self.nodes.len() == 1 || self.nodes.iter().all(|node| !node.is_seen_up);
        let is_refusing = self.nodes.iter().all(is_away) && is_unseen;
        let next = self.changes.first_key_value().map_or(self.horizon, |(at, _)| *at);
        self.coming.until =
            if self.coming.is_possible && is_refusing { next.min(self.horizon) } else { 0 };
    }

    /// Until before which instant a client that is due now may run ahead.
    pub(super) fn ahead(&self) -> Option<u64> {
        let until = self.coming.until.min(self.now + AHEAD);
        (until > self.now).then_some(until)
    }

    /// A waiting client is due. It makes all its attempts before `until`, and each is refused.
    pub(super) fn run_ahead(
        &mut self,
        client: &mut Client,
        index: u32,
        until: u64,
        sample: &mut Option<Sample<'_>>,
    ) {
        let mut at = self.now;
        loop {
            let now = Instant::from_nanos(self.epoch_ns + at * 1_000_000);
            let mut event = Event::Tick;
            // The Tick opens a socket, which is refused.
            loop {
                self.events += 1;
                let actions = client.connection.handle(now, event);
                if let Some(sample) = sample.as_mut().filter(|sample| sample.includes(index)) {
                    sample
                        .witness
                        .on_event(index, &client.connection.observed(now, event, &actions));
                }
                let opens = actions.iter().find_map(|action| match action {
                    Action::OpenSocket { id, .. } => Some(*id),
                    _ => None,
                });
                let Some(socket) = opens else { break };
                client.life = (client.life + 1) & LIFE_MASK;
                client.opened_at = at as u32; // before the horizon
                self.coming.refused[usize::from(client.group)][(at % AHEAD) as usize] += 1;
                event = Event::OpenFailed(socket, OpenError::Refused);
            }
            match self.due(client, at) {
                Some(due) if due < until => at = due,
                Some(_) | None => break,
            }
        }
        client.tries = 0;
    }
}
