//! The storm on sockets: real clients of gateway-tokio against `gateway serve`.

use std::path::Path;
use std::time::Duration;

use gateway_sim::Scenario;
use gateway_tokio::core::{ConnectionState, DisconnectCause, Notice};
use gateway_tokio::{Client, ClientEvent, Fleet};

use crate::StormError;
use crate::clock::Stopwatch;
use crate::curve::{STEP, Storm, most_within};
use crate::server::Server;

/// How long the clients may take to end.
const LEAVING: Duration = Duration::from_secs(5);

/// What the clients report. Times are since the start of the fleet.
struct Seen {
    is_ready: Vec<bool>,
    ready: usize,
    dropped_at: Option<Duration>,
    /// Each change of the number of ready clients since the drop.
    changes: Vec<(Duration, usize)>,
    opens: Vec<Duration>,
    refused: u64,
    timeouts: u64,
}

/// Plays a scenario in real time.
pub(crate) async fn play(
    scenario: &Scenario,
    program: &Path,
    drop_after: Duration,
) -> Result<Storm, StormError> {
    let server = Server::start(program, scenario, drop_after).await?;
    let clock = Stopwatch::start();
    let (fleet, mut events) = Fleet::builder().build()?;
    let clients = scenario.clients() as usize;
    let config = &scenario.groups()[0].config;
    for number in 0..clients {
        fleet.add(number.to_string(), Client::builder(&server.url).config((**config).clone()))?;
    }
    let mut seen = Seen::of(clients);
    // The drop comes after `drop_after`, counted by the server, which started before.
    let mut end = drop_after + STEP;
    while let Some(Some((name, event))) = clock.until(end, events.next()).await {
        let number: usize = name.as_str().parse().map_err(|_| StormError::Name)?;
        let was_dropped = seen.dropped_at.is_some();
        seen.note(clock.elapsed(), number, &event);
        if let (false, Some(dropped_at)) = (was_dropped, seen.dropped_at) {
            if seen.ready + 1 < clients {
                return Err(StormError::NotReady { ready: seen.ready + 1, clients, drop_after });
            }
            end = dropped_at + scenario.horizon() + STEP;
        }
    }
    drop(server);
    let storm = seen.storm(scenario.horizon());
    fleet.shutdown(LEAVING).await;
    storm.ok_or(StormError::NoDrop(drop_after))
}

impl Seen {
    fn of(clients: usize) -> Self {
        Self {
            is_ready: vec![false; clients],
            ready: 0,
            dropped_at: None,
            changes: Vec::new(),
            opens: Vec::new(),
            refused: 0,
            timeouts: 0,
        }
    }

    fn note(&mut self, now: Duration, number: usize, event: &ClientEvent) {
        match event {
            ClientEvent::Notice(Notice::Ready { .. }) => {
                self.is_ready[number] = true;
                self.ready += 1;
                self.changed(now);
            }
            ClientEvent::Notice(Notice::StateChanged {
                to: ConnectionState::Connecting, ..
            }) => {
                self.opens.push(now);
            }
            ClientEvent::Disconnected { .. } if self.is_ready[number] => {
                self.is_ready[number] = false;
                self.ready -= 1;
                self.dropped_at = self.dropped_at.or(Some(now));
                self.changed(now);
            }
            ClientEvent::Disconnected { cause, .. } => match cause {
                DisconnectCause::ConnectTimeout => self.timeouts += 1,
                _ => self.refused += 1,
            },
            _ => {}
        }
    }

    fn changed(&mut self, now: Duration) {
        if self.dropped_at.is_some() {
            self.changes.push((now, self.ready));
        }
    }

    /// The storm from the drop until the horizon.
    fn storm(self, horizon: Duration) -> Option<Storm> {
        let dropped_at = self.dropped_at?;
        let until = dropped_at + horizon;
        let opens: Vec<_> =
            self.opens.iter().copied().filter(|at| (dropped_at..until).contains(at)).collect();
        let steps = u32::try_from(horizon.as_millis() / STEP.as_millis()).unwrap_or(u32::MAX);
        let ready = (0..=steps).map(|step| {
            let upto = self.changes.partition_point(|(at, _)| *at <= dropped_at + STEP * step);
            self.changes[upto.saturating_sub(1)].1
        });
        Some(Storm {
            clients: self.is_ready.len(),
            ready: ready.collect(),
            worst_100ms: most_within(&opens, STEP),
            opens: opens.len() as u64,
            refused: self.refused,
            timeouts: self.timeouts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_curve_begins_at_the_drop_and_holds_until_the_next_change() {
        let mut seen = Seen::of(3);
        seen.dropped_at = Some(at(1_000));
        seen.changes = vec![(at(1_000), 2), (at(1_020), 0), (at(1_150), 1), (at(1_200), 2)];
        seen.opens = vec![at(0), at(1_100), at(1_150), at(1_400)];

        let storm = seen.storm(at(400)).expect("there was a drop");

        assert_eq!(storm.ready, [2, 0, 2, 2, 2]);
        assert_eq!((storm.clients, storm.opens, storm.worst_100ms), (3, 2, 2));
    }

    #[test]
    fn without_a_drop_there_is_no_storm() {
        assert_eq!(Seen::of(3).storm(at(400)), None);
    }
}
