//! The scripted peer: sees frames, and returns deeds at their times. No IO, no clock, no bytes.

use std::time::Duration;

use gateway_core::{Instant, JsonHeartbeat, Recognised, UnixMillis};

use crate::deed::Deed;
use crate::script::{Attempt, Opening, PongStyle};

/// The server's side of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    plan: Attempt,
    /// Deeds with their times, in the order of their decision.
    agenda: Vec<(Instant, Task)>,
    pongs: usize,
}

/// What a peer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The attempt has a result.
    Open(Opening),
    /// Another byte of an answer that never ends.
    Trickle,
    Do(Deed),
}

/// A frame of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Peer {
    /// The client dials.
    pub(crate) fn new(now: Instant, plan: Attempt) -> Self {
        let agenda = match plan.opening {
            Opening::NeverConnected | Opening::Stalled => Vec::new(),
            Opening::Trickled(every) => vec![(now.saturating_add(every), Task::Trickle)],
            Opening::Accepted | Opening::Failed(_) | Opening::Answered { .. } | Opening::HungUp => {
                vec![(now.saturating_add(plan.after), Task::Open(plan.opening.clone()))]
            }
        };
        Self { plan, agenda, pongs: 0 }
    }

    pub(crate) const fn plan(&self) -> &Attempt {
        &self.plan
    }

    pub(crate) const fn opening(&self) -> &Opening {
        &self.plan.opening
    }

    /// When the peer acts next.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.agenda.iter().map(|(at, _)| *at).min()
    }

    /// How many deeds the peer has at this instant.
    pub(crate) fn count_at(&self, now: Instant) -> usize {
        self.agenda.iter().filter(|(at, _)| *at == now).count()
    }

    /// The next deed of the peer at this instant.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Task> {
        let at = self.next_at().filter(|at| *at <= now)?;
        let index = self.agenda.iter().position(|(due, _)| *due == at)?;
        let (_, task) = self.agenda.remove(index);
        match &task {
            Task::Open(Opening::Accepted) => {
                let deeds = self.plan.deeds.iter();
                self.agenda = deeds
                    .map(|(after, deed)| (at.saturating_add(*after), Task::Do(deed.clone())))
                    .collect();
            }
            Task::Trickle => self.plan_at(at, self.plan.after, Task::Trickle),
            Task::Do(deed) if deed.is_end() => self.agenda.clear(),
            Task::Open(_) | Task::Do(_) => {}
        }
        Some(task)
    }

    /// Handles a frame of the client.
    pub(crate) fn saw(&mut self, now: Instant, frame: &Saw) {
        match frame {
            Saw::Text(text) => self.saw_text(now, text),
            Saw::Binary(bytes) => self.echo(now, Deed::binary(bytes)),
            Saw::Ping(payload) => {
                if let Some(after) = self.next_pong() {
                    self.plan_at(now, after, Task::Do(Deed::pong(payload)));
                }
            }
            Saw::Pong(_) => {}
            Saw::Close(_) => {
                if let Some((after, deed)) = self.plan.manners.close.clone() {
                    self.plan_at(now, after, Task::Do(deed));
                }
            }
        }
    }

    fn saw_text(&mut self, now: Instant, text: &str) {
        if let Recognised::Ping(stamp) = JsonHeartbeat.recognise(text) {
            let Some(after) = self.next_pong() else { return };
            let style = self.plan.manners.pongs.as_ref().map(|pongs| pongs.style);
            let mut pong = String::new();
            JsonHeartbeat.write_pong(stamp.and_then(|stamp| stamp_of(style?, stamp)), &mut pong);
            return self.plan_at(now, after, Task::Do(Deed::text(&pong)));
        }
        let answer = self.plan.manners.answers.iter().find(|(asked, ..)| *asked == text);
        match answer.cloned() {
            Some((_, after, deed)) => self.plan_at(now, after, Task::Do(deed)),
            None => self.echo(now, Deed::text(text)),
        }
    }

    fn next_pong(&mut self) -> Option<Duration> {
        let pongs = self.plan.manners.pongs.as_ref()?;
        self.pongs += 1;
        (self.pongs <= pongs.most).then_some(pongs.after)
    }

    fn echo(&mut self, now: Instant, deed: Deed) {
        if let Some(after) = self.plan.manners.echo {
            self.plan_at(now, after, Task::Do(deed));
        }
    }

    fn plan_at(&mut self, now: Instant, after: Duration, task: Task) {
        self.agenda.push((now.saturating_add(after), task));
    }
}

fn stamp_of(style: PongStyle, stamp: UnixMillis) -> Option<UnixMillis> {
    match style {
        PongStyle::Echo => Some(stamp),
        PongStyle::Bare => None,
        PongStyle::Wrong => Some(UnixMillis(stamp.0.saturating_sub(86_400_000))),
    }
}
