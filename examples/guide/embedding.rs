//! Simulates a day of a connection with the core alone, without sockets and clocks.
//!
//! ```sh
//! cargo run -p gateway-examples --example guide_embedding
//! ```
#![allow(clippy::print_stdout, reason = "a program speaks to its terminal")]

use std::sync::Arc;
use std::time::Duration;

// ANCHOR: driver
use gateway_tokio::core::{
    Action, Config, Connection, Encoded, Event, Failure, Frame, Instant, Notice, SocketId,
    Statistics,
};

/// What the network is about to report.
enum Report {
    Opened(SocketId),
    Pong(SocketId, String),
    Lost(SocketId),
}

/// A driver with simulated sockets and a simulated clock.
struct Simulation {
    connection: Connection,
    now: Instant,
    reports: Vec<(Instant, Report)>,
}

impl Simulation {
    fn new(config: Config, seed: u64) -> Self {
        let connection = Connection::from_seed(Arc::new(config), seed);
        Self { connection, now: Instant::ZERO, reports: Vec::new() }
    }

    /// Hands one event to the core and performs the actions that it returns.
    fn handle(&mut self, event: Event<'_>) {
        for action in self.connection.handle(self.now, event) {
            match action {
                Action::AskProvider { .. } => {} // only with `ask_provider`
                Action::ReserveOpen(_) | Action::ReleaseOpen => {} // only with `shared_budget`
                Action::OpenSocket { id, .. } => {
                    self.report_after(Duration::from_millis(50), Report::Opened(id));
                }
                Action::Send(id, outgoing) => {
                    let mut text = String::new();
                    if let Some(Encoded::Ping) = self.connection.encode(&outgoing, &mut text) {
                        self.report_after(Duration::from_millis(20), Report::Pong(id, text));
                    }
                }
                // Reports of a dropped socket carry its id, and the core ignores them.
                Action::CloseSocket(_) | Action::AbortSocket(_) => {}
                Action::Drain(_) => {}    // only with `renew_after`
                Action::ResumeAt(_) => {} // only with a dialect
                Action::Deliver => {}
                Action::Notify(notice) => self.show(notice),
                // `next_deadline` says the same.
                Action::ScheduleTimer(_) | Action::CancelTimer => {}
            }
        }
    }

    /// Advances the time to the next report or deadline, whichever is first.
    fn step(&mut self) {
        let report = (0..self.reports.len()).min_by_key(|&index| self.reports[index].0);
        let report_at = report.map(|index| self.reports[index].0);
        let deadline = self.connection.next_deadline();
        match (report, report_at, deadline) {
            (Some(index), Some(at), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                self.now = self.now.max(at);
                match self.reports.swap_remove(index).1 {
                    Report::Opened(id) => {
                        self.report_after(Duration::from_secs(3_600), Report::Lost(id));
                        self.handle(Event::SocketOpened(id));
                    }
                    Report::Pong(id, text) => {
                        self.handle(Event::FrameReceived(id, Frame::Pong(text.as_bytes())));
                    }
                    Report::Lost(id) => self.handle(Event::SocketFailed(id, Failure::Reset)),
                }
            }
            (_, _, Some(deadline)) => {
                self.now = self.now.max(deadline);
                self.handle(Event::Tick);
            }
            (_, _, None) => self.now = Instant::MAX, // no report and no deadline is left
        }
    }

    fn report_after(&mut self, delay: Duration, report: Report) {
        self.reports.push((self.now.saturating_add(delay), report));
    }

    fn show(&self, notice: Notice) {
        if let Notice::Ready { .. } | Notice::Disconnected { .. } | Notice::RetryScheduled { .. } =
            notice
        {
            let at = self.now.saturating_duration_since(Instant::ZERO);
            println!("{:>9.3} s  {notice:?}", at.as_secs_f64());
        }
    }
}
// ANCHOR_END: driver

// ANCHOR: day
/// A connection that is lost once an hour, for a day.
fn a_day(seed: u64) -> Statistics {
    let mut simulation = Simulation::new(Config::default(), seed);
    simulation.handle(Event::ConnectRequested);
    let midnight = Instant::ZERO.saturating_add(Duration::from_secs(24 * 3_600));
    while simulation.now < midnight {
        simulation.step();
    }
    simulation.connection.statistics(midnight)
}

fn main() {
    println!("{:#?}", a_day(7));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_lost_each_hour_is_ready_for_nearly_all_of_the_day() {
        let day = a_day(7);
        assert_eq!(day.reconnects, 23);
        assert!(day.time_ready > Duration::from_secs(24 * 3_600 - 2 * 60), "{day:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_day() {
        assert_eq!(a_day(7), a_day(7));
    }
}
// ANCHOR_END: day
