//! Compares the core with the model: the same events must have the same actions.

use core::fmt::Write as _;
use std::sync::Arc;

use gateway_core::{Action, Config, Connection, Dialect, Event, Instant, NoDialect, Statistics};
use rand_core::Rng;

use super::{Reference, Tally};
use crate::trace;

/// A core and a model with the same events.
pub struct Comparison<R, D = NoDialect> {
    core: Connection<R, D>,
    model: Reference<R>,
    latest: Instant,
    /// The events so far as lines; `None` if they are not needed.
    script: Option<Vec<String>>,
}

impl<R: Rng + Clone, D: Dialect> Comparison<R, D> {
    /// A core with this dialect and a model, with the same settings and draws.
    #[must_use]
    pub fn speaking(config: Arc<Config>, rng: R, dialect: D) -> Self {
        let core = Connection::with_dialect(Arc::clone(&config), rng.clone(), dialect);
        Self::of(core, Reference::new(config, rng))
    }

    /// Compares this core with this model.
    #[must_use]
    pub fn of(core: Connection<R, D>, model: Reference<R>) -> Self {
        Self { core, model, latest: Instant::ZERO, script: None }
    }

    /// Keeps the events, so that a difference is reported as a script.
    #[must_use]
    pub fn scripted(self) -> Self {
        Self { script: Some(Vec::new()), ..self }
    }

    /// Hands one event to both.
    ///
    /// # Errors
    /// The first difference: the events so far, what the model expects, and what the core did.
    pub fn feed(&mut self, now: Instant, event: Event<'_>) -> Result<(), String> {
        self.latest = self.latest.max(now);
        let dialect = self.core.dialect();
        let interest = (!dialect.is_silent()).then(|| dialect.interest());
        let done = self.core.handle(now, event);
        let expected = self.model.handle(now, &event, interest, self.core.spoken(&done));
        let (state, deadline) = (self.core.state(), self.core.next_deadline());
        if let Some(script) = &mut self.script {
            script.push(trace::full_line(&self.core.observed(now, event, &done)));
        }
        let mut differs = String::new();
        if let Some(complaint) = self.model.misspoken() {
            tell(
                &mut differs,
                "calls of the dialect",
                &complaint,
                &format!("{:?}", self.core.spoken(&done)),
            );
        }
        if done.as_slice() != expected {
            tell(&mut differs, "actions", &lines(&expected), &lines(done.as_slice()));
        }
        if state != self.model.state() {
            tell(&mut differs, "state", &self.model.state(), &state);
        }
        if deadline != self.model.deadline() {
            let (model, core) = (self.model.deadline(), deadline);
            tell(&mut differs, "deadline", &format!("{model:?}"), &format!("{core:?}"));
        }
        let tally = tally(&self.core.statistics(self.latest));
        if tally != self.model.tally() {
            let (model, core) = (self.model.tally(), tally);
            tell(&mut differs, "statistics", &format!("{model:?}"), &format!("{core:?}"));
        }
        if differs.is_empty() {
            return Ok(());
        }
        let script = self.script.iter().flatten();
        let script: String = script.map(|line| format!("{line}\n")).collect();
        let kind = event.kind().name();
        Err(format!("the core differs from the contract's model on {kind}\n{script}{differs}"))
    }
}

fn lines(actions: &[Action]) -> String {
    let lines: String = actions.iter().map(|action| format!("\n    {action:?}")).collect();
    if lines.is_empty() { "\n    nothing".to_owned() } else { lines }
}

fn tell(
    into: &mut String,
    what: &str,
    expected: &impl core::fmt::Display,
    got: &impl core::fmt::Display,
) {
    // Writing to a String cannot fail.
    let _ = writeln!(into, "{what}\n  expected: {expected}\n  got: {got}");
}

fn tally(statistics: &Statistics) -> Tally {
    Tally {
        attempts: statistics.attempts,
        opened: statistics.opened,
        reconnects: statistics.reconnects,
        last_disconnect: statistics.last_disconnect,
        last_open_error: statistics.last_open_error,
        last_round_trip: statistics.round_trip.last,
        time_ready: statistics.time_ready,
        frames_in: statistics.frames_in,
        frames_out: statistics.frames_out,
        bytes_in: statistics.bytes_in,
        stale_events: statistics.stale_events,
        became_ready: statistics.became_ready,
        effects_ignored: statistics.effects_ignored,
    }
}
