//! Measures the simulator, and the same clients as tokio tasks in paused time.
//!
//! `cargo run --release -p gateway-sim --example speed -- [clients] [tokio clients]`
//!
//! The scenario is `refused`: ten minutes of refused connections. The peak of resident memory is
//! that of the whole process, so the simulator runs first.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement reads the clock"
)]

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{Action, Config, Connection, Event, Failure, OpenError};
use gateway_sim::{NamedScenario, Scenario, ScenarioBuilder, Simulation};

const MINUTES: u64 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let clients: u32 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let tasks: u32 = arguments.next().map_or(Ok(100_000), |text| text.parse())?;

    let (events, seconds) = simulate(&scenario(NamedScenario::Refused, clients)?);
    line("refused", clients, events, seconds);
    let mut storm = ScenarioBuilder::named(NamedScenario::Drop);
    // N/C = 80, and a timeout that does not grow: it never recovers.
    storm
        .set("clients", 100_000)
        .set("server.accept.capacity", 1_250)
        .configure("connect_timeout_max", "10s");
    let (events, seconds) = simulate(&storm.build()?);
    line("storm", 100_000, events, seconds);

    let (events, seconds) = simulate(&scenario(NamedScenario::Refused, tasks)?);
    line("refused", tasks, events, seconds);
    let simulated = rate(events, seconds);
    let (events, seconds) = as_tasks(tasks)?;
    line("as tasks", tasks, events, seconds);
    let as_tasks = rate(events, seconds);
    let (events, seconds) = core_alone(events);
    line("core alone", 1, events, seconds);
    let core = rate(events, seconds);
    println!("simulated to tasks: {:.1}", simulated / as_tasks);
    println!("core alone to tasks, the most that is possible: {:.1}", core / as_tasks);
    Ok(())
}

/// One connection whose attempts are refused, without any scheduling: what the core itself costs.
fn core_alone(events: u64) -> (u64, f64) {
    let start = Clock::now();
    let mut connection = Connection::from_seed(Arc::new(Config::default()), 1);
    let mut now = gateway_core::Instant::ZERO;
    let _ = connection.handle(now, Event::ConnectRequested);
    let mut told = 1;
    while told < events {
        if let Some(socket) = connection.socket() {
            let _ = connection.handle(now, Event::OpenFailed(socket, OpenError::Refused));
        } else if let Some(due) = connection.next_deadline() {
            now = due;
            let _ = connection.handle(now, Event::Tick);
        }
        told += 1;
    }
    (told, start.elapsed())
}

fn scenario(named: NamedScenario, clients: u32) -> Result<Scenario, Box<dyn Error>> {
    let mut builder = ScenarioBuilder::named(named);
    // The tasks send no pings before their connection is lost.
    builder.set("clients", clients).configure("heartbeat.kind", "off");
    Ok(builder.build()?)
}

fn simulate(scenario: &Scenario) -> (u64, f64) {
    let start = Clock::now();
    let outcome = Simulation::new(scenario).run();
    (outcome.events, start.elapsed())
}

fn rate(events: u64, seconds: f64) -> f64 {
    events as f64 / seconds
}

fn line(what: &str, clients: u32, events: u64, seconds: f64) {
    println!(
        "{what}: {clients} clients, {MINUTES} min, {events} events, {seconds:.2} s, {:.2} M events/s, peak {} MB",
        rate(events, seconds) / 1e6,
        peak_kib() / 1_024
    );
}

/// The time that this thread has run. Elsewhere than on Linux: the time that has passed.
///
/// Other programs on the machine then change the figures less.
struct Clock {
    start: Instant,
    cpu_ns: Option<u64>,
}

impl Clock {
    fn now() -> Self {
        Self { start: Instant::now(), cpu_ns: cpu_ns() }
    }

    fn elapsed(&self) -> f64 {
        match (self.cpu_ns, cpu_ns()) {
            (Some(from), Some(to)) => Duration::from_nanos(to - from).as_secs_f64(),
            _ => self.start.elapsed().as_secs_f64(),
        }
    }
}

fn cpu_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The peak of this process's resident memory, in KiB. Zero where it is not known.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The same connections, each a task that sleeps until its deadline. The clock is paused, so time
/// goes on as soon as all tasks sleep.
fn as_tasks(clients: u32) -> Result<(u64, f64), Box<dyn Error>> {
    let start = Clock::now();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let config = Arc::new(Config::default());
    let events = Rc::new(Cell::new(0));
    let local = tokio::task::LocalSet::new();
    for seed in 0..clients {
        let connection = Connection::from_seed(Arc::clone(&config), u64::from(seed));
        local.spawn_local(client(connection, Rc::clone(&events)));
    }
    local.block_on(&runtime, async {
        tokio::time::sleep(Duration::from_secs(MINUTES * 60 + 61)).await
    });
    Ok((events.get(), start.elapsed()))
}

/// Is connected for a minute, so that it is stable. Then it loses its connection, and every further
/// attempt is refused.
async fn client(mut connection: Connection, events: Rc<Cell<u64>>) {
    let epoch = tokio::time::Instant::now();
    let mut tell = |event: Event<'_>| {
        events.set(events.get() + 1);
        let nanos = u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let actions = connection.handle(gateway_core::Instant::from_nanos(nanos), event);
        let opens = actions.iter().find_map(|action| match action {
            Action::OpenSocket { id, .. } => Some(*id),
            _ => None,
        });
        (opens, connection.next_deadline())
    };
    let (Some(socket), _) = tell(Event::ConnectRequested) else { return };
    tell(Event::SocketOpened(socket));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (mut opens, mut due) = tell(Event::SocketFailed(socket, Failure::Reset));
    loop {
        (opens, due) = match (opens, due) {
            (Some(socket), _) => tell(Event::OpenFailed(socket, OpenError::Refused)),
            (None, Some(due)) => {
                tokio::time::sleep_until(epoch + Duration::from_nanos(due.as_nanos())).await;
                tell(Event::Tick)
            }
            (None, None) => return,
        };
    }
}
