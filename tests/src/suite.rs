//! The suite's harness for tokio: the client over the virtual network, on a paused clock. It is polled
//! by the harness, or runs in a task.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_testkit::{Command, Network, Recorder, Run, Scenario, Stage};
use gateway_tokio::core::{Action, CloseFrame, Credentials, Instant, Statistics};
use gateway_tokio::{Attempt, Client, Limits, SharedBudget};

use crate::air::{Air, Bell, held};
use crate::clock::{elapse, jump, settle_once};
use crate::diarist::Diarist;
use crate::subject::{Runs, Subject};

/// How often a client in a task may run at one instant.
const TURNS: usize = 100;

/// A wait on the paused clock.
type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// Runs a scenario on a client of tokio's that the harness polls.
///
/// # Panics
/// The client leaves a socket open, or uses one that it has dropped.
#[must_use]
pub fn run_on_tokio(scenario: &Scenario) -> Run {
    run(scenario, Runs::Polled)
}

/// Runs a scenario on a client of tokio's in a task of its own.
///
/// # Panics
/// The client leaves a socket open, or uses one that it has dropped.
#[must_use]
pub fn run_on_spawned(scenario: &Scenario) -> Run {
    run(scenario, Runs::Spawned)
}

fn run(scenario: &Scenario, runs: Runs) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (world, statistics) = runtime.block_on(async {
        // The runtime's first timer rounds its clock up to a whole millisecond; from there on every timer is exact.
        elapse(Duration::from_millis(1)).await;
        let mut world = World::new(scenario, runs);
        world.run().await;
        let statistics = world.client.statistics();
        world.client.end_if_polled();
        (world, statistics)
    });
    drop(runtime); // and with it a client in a task
    world.judge(statistics)
}

/// The client, the network, and the application between them.
struct World {
    client: Subject,
    air: Air,
    recorder: Recorder,
    stage: Stage,
    diarist: Diarist,
    /// The attempts for which the provider was asked.
    asked: Arc<Mutex<Vec<Attempt>>>,
    /// The client has said that there is nothing more to come.
    is_over: bool,
    bell: Arc<Bell>,
}

impl World {
    fn new(scenario: &Scenario, runs: Runs) -> Self {
        let settings = scenario.settings();
        let air = Air::new(Network::new(scenario), settings.asks_provider());
        let stage = Stage::new(scenario);
        let recorder = Recorder::default();
        let (wall, time) = (stage.wall(), air.clone());
        let asked = Arc::<Mutex<Vec<Attempt>>>::default();
        let mut limits = Limits::default();
        limits.high_water = scenario.high_water;
        let mut builder = Client::builder("ws://gateway.example/feed");
        if settings.asks_provider() {
            let (air, asked) = (air.clone(), Arc::clone(&asked));
            builder = builder.attempt(move |attempt| {
                held(&asked).push(attempt);
                air.ask(attempt.number)
            });
        }
        if let Some(dialect) = scenario.dialect {
            builder = builder.dialect(dialect);
        }
        if let Some(budget) = scenario.budget {
            let time = air.clone();
            let budget = SharedBudget::new(budget, Arc::new(move || time.now()));
            builder = builder.shared_budget(budget.expect("a budget"));
        }
        let client = builder
            .config(settings)
            .seed(scenario.seed)
            .limits(limits)
            .report_sent(true)
            .wall_clock(move || wall.at(time.now()))
            .observer(recorder.clone())
            .dial(air.clone())
            .build()
            .expect("a client");
        let (diarist, bell) = (Diarist::default(), Arc::default());
        let client = Subject::new(client, runs);
        Self { client, air, recorder, stage, diarist, asked, is_over: true, bell }
    }

    async fn run(&mut self) {
        while !self.stage.is_over(self.air.now()) && !self.recorder.is_broken() {
            while let Some(command) = self.stage.next_command(self.air.now()) {
                self.command(command).await;
                self.bell.ring(); // an application that has done something asks for events again
            }
            self.rest().await;
            let now = self.air.now();
            self.air.network().advance(now);
        }
    }

    /// The run, once the client is gone.
    fn judge(self, statistics: Statistics) -> Run {
        let network = self.air.network();
        assert_eq!(network.held_sockets(), 0, "the client has left a socket open");
        assert!(!network.is_asked(), "the client has left a question open");
        let run =
            Run::new(&self.recorder, network.wire().to_vec(), self.stage.into_diary(), statistics);
        let ordered = run.actions().filter_map(|(_, action)| match action {
            Action::AskProvider { id, credentials } => {
                Some((id.number(), *credentials == Credentials::Refresh))
            }
            _ => None,
        });
        let asked = held(&self.asked);
        let asked: Vec<_> = asked.iter().map(|attempt| (attempt.number, attempt.refresh)).collect();
        assert_eq!(asked, ordered.collect::<Vec<_>>(), "asked for other attempts");
        run
    }

    /// Drives the client, whenever it has woken its task, until the network or the application has something to do.
    async fn rest(&mut self) {
        let mut sleep: Option<(Instant, Sleep)> = None;
        if !self.client.is_polled() {
            // The task does what there is to do at this instant.
            for _ in 0..TURNS {
                self.take_events();
                settle_once().await;
            }
        }
        poll_fn(|cx| {
            self.bell.task.register(cx.waker());
            self.take_events();
            let network = self.air.network().next_event_at();
            let next = network.map_or(self.stage.next_at(), |at| at.min(self.stage.next_at()));
            let span = next.saturating_duration_since(self.air.now());
            if span == Duration::ZERO {
                return Poll::Ready(());
            }
            let sleep = match &mut sleep {
                Some((at, sleep)) if *at == next => sleep,
                other => &mut other.insert((next, Box::pin(elapse(span)))).1,
            };
            sleep.as_mut().poll(cx)
        })
        .await;
    }

    /// Takes events while the client has woken its task. This also drives a client that is polled.
    fn take_events(&mut self) {
        let waker = Waker::from(Arc::clone(&self.bell));
        while !self.is_over && self.bell.was_rung() {
            let next = self.client.poll_next(&mut Context::from_waker(&waker));
            let Poll::Ready(event) = next else { continue };
            self.bell.ring();
            match event {
                Some(event) => self.diarist.note(&mut self.stage, self.air.now(), event),
                None => self.is_over = true,
            }
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Connect => {
                self.is_over = false;
                self.client.connect();
            }
            Command::Reconnect => {
                self.is_over = false;
                self.client.reconnect();
            }
            Command::Close { code, reason } => {
                self.client.close(CloseFrame::new(code, reason).expect("a close that may be sent"));
            }
            Command::Send(text) => {
                let sent = self.client.send(text).await;
                self.diarist.sent(&mut self.stage, sent);
            }
            Command::Feed(text) => {
                let sent = self.client.try_send(text);
                self.diarist.sent(&mut self.stage, sent);
            }
            Command::LoginAccepted => self.client.login_accepted(),
            Command::LoginRejected(verdict) => self.client.login_rejected(verdict),
            Command::Network(network) => self.client.network_changed(network),
            Command::PauseReading => self.client.hold(true),
            Command::ResumeReading => self.client.hold(false),
            Command::Sleep(_) | Command::SetBack(_) => {} // the wall clock shows it
            Command::Stall(span) => {
                // No task runs before the network has caught up.
                let mut stall = pin!(jump(span));
                let _ = (&mut stall).now_or_never();
                let now = self.air.now();
                self.air.network().advance(now);
                stall.await;
            }
        }
    }
}
