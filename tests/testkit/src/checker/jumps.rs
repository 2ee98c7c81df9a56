//! Which clock jumps may be acted on, and when the retry after one is due.

use core::time::Duration;

use gateway_core::{Config, HeartbeatKind, Instant};

/// Within this span of a jump another one is acted on only while a retry is scheduled.
const SELDOM: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Jumps {
    /// The last jump that began a span of [`SELDOM`].
    span_began_at: Option<Instant>,
    /// The earliest retry after the last jump: a second jump within the span waits for the span's end.
    retry_from: Instant,
}

impl Jumps {
    /// The wall clock went ahead by `by`. `is_waiting` says whether a retry is scheduled, and
    /// `interval` is that of the heartbeat.
    ///
    /// # Errors
    /// The jump is too short, or it is the second within the span and no retry is scheduled.
    pub(crate) fn on_jump(
        &mut self,
        now: Instant,
        by: Duration,
        is_waiting: bool,
        interval: Duration,
        config: &Config,
    ) -> Result<(), String> {
        let least = match config.heartbeat_kind() {
            HeartbeatKind::Off => Duration::from_secs(30),
            _ => (interval * 2).max(Duration::from_secs(30)),
        };
        let since = self.span_began_at.map(|at| now.saturating_duration_since(at));
        let last = self.span_began_at.filter(|_| since.is_some_and(|since| since < SELDOM));
        self.retry_from = last.map_or(now, |last| last.saturating_add(SELDOM));
        self.span_began_at = last.or(Some(now));
        // Only a wait can be long enough for a second suspend within the span to matter.
        if by > least && (last.is_none() || is_waiting) {
            return Ok(());
        }
        Err(format!("jumped by {by:?} {since:?} later"))
    }

    /// The earliest and the latest retry after the last jump.
    pub(crate) fn retry_bounds(&self) -> (Instant, Instant) {
        (self.retry_from, self.retry_from.saturating_add(Duration::from_secs(1)))
    }
}
