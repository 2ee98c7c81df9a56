//! Builds the fleet, and replaces the clients that leave.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Action, Config, Connection, Event, Frame, HeartbeatKind, Instant, Outgoing};

use crate::scenario::{Scenario, Start};

use super::client::{Client, Phase};
use super::random::client_seed;
use super::talk::Sample;

/// The instant of the connections at the start of the simulation, in nanoseconds: late enough that
/// all of them can be stable.
pub(super) fn epoch_ns(scenario: &Scenario) -> u64 {
    let stable = |config: &Config| config.stable_after().saturating_add(Duration::from_millis(1));
    let longest = scenario.groups.iter().map(|group| stable(&group.config)).max();
    match scenario.start {
        Start::Ready => u64::try_from(longest.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
        Start::Cold => 0,
    }
}

/// The clients of all groups, group after group.
pub(super) fn build(
    scenario: &Scenario,
    epoch_ns: u64,
    sample: &mut Option<Sample<'_>>,
) -> Vec<Client> {
    let mut clients = Vec::with_capacity(scenario.clients as usize);
    let mut index = 0;
    for (number, group) in (0..).zip(&scenario.groups) {
        for _ in 0..group.clients {
            let seed = client_seed(scenario.seed, u64::from(index));
            let connection = Connection::from_seed(Arc::clone(&group.config), seed);
            if let Some(sample) = sample.as_mut().filter(|sample| sample.includes(index)) {
                sample.witness.on_new(index, &group.config);
            }
            let mut client = Client::new(connection, number);
            if scenario.start == Start::Ready {
                warm_up(&mut client, index, epoch_ns, sample);
            }
            clients.push(client);
            index += 1;
        }
    }
    clients
}

/// Lets the connection live with a perfect server until the simulation starts.
fn warm_up(client: &mut Client, index: u32, epoch_ns: u64, sample: &mut Option<Sample<'_>>) {
    let stable_after = client.connection.config().stable_after();
    let spare = Duration::from_millis(1);
    let mut now = Instant::from_nanos(epoch_ns).saturating_sub(stable_after.saturating_add(spare));
    perfect(client, index, now, Event::ConnectRequested, sample);
    while let Some(due) = client.connection.next_deadline().filter(|due| due.as_nanos() < epoch_ns)
    {
        now = due.max(now);
        perfect(client, index, now, Event::Tick, sample);
    }
    client.phase = Phase::Ready;
}

fn perfect(
    client: &mut Client,
    index: u32,
    now: Instant,
    event: Event<'_>,
    sample: &mut Option<Sample<'_>>,
) {
    let actions = client.connection.handle(now, event);
    if let Some(sample) = sample.as_mut().filter(|sample| sample.includes(index)) {
        sample.witness.on_event(index, &client.connection.observed(now, event, &actions));
    }
    for action in &actions {
        match action {
            Action::OpenSocket { id, .. } => {
                perfect(client, index, now, Event::SocketOpened(*id), sample);
                if !client.connection.is_ready() {
                    perfect(client, index, now, Event::LoginAccepted, sample);
                }
            }
            Action::Send(id, Outgoing::WebSocketPing(number)) => {
                client.ping = u32::try_from(*number).unwrap_or(u32::MAX);
                let payload = number.to_string();
                perfect(
                    client,
                    index,
                    now,
                    Event::FrameReceived(*id, Frame::Pong(payload.as_bytes())),
                    sample,
                );
            }
            Action::Send(id, Outgoing::Ping(_)) => {
                debug_assert_eq!(client.connection.config().heartbeat_kind(), HeartbeatKind::Json);
                let pong = Frame::Text(r#"{"type":"pong"}"#);
                perfect(client, index, now, Event::FrameReceived(*id, pong), sample);
            }
            Action::Drain(id) => perfect(client, index, now, Event::Drained(*id), sample),
            _ => {}
        }
    }
}
