//! The suite's harness for the blocking client: its own loop, on a virtual clock and over the virtual network.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use gateway_std::core::{CloseFrame, Credentials, Instant, SocketId, UnixMillis};
use gateway_std::{Attempt, Client, Endpoint, Limits, OpenFailure, SharedBudget, System};
use gateway_testkit::{Command, Network, Recorder, Run, Scenario, Socket, Stage, Wall};
use gateway_wire::{Asking, ByteStream, Dialled, Handshake, Host};

use crate::air::provided;
use crate::bell::{Bell, now_or_never};
use crate::diarist::Diarist;

/// Runs a scenario on a blocking client.
#[must_use]
pub fn run_on_std(scenario: &Scenario) -> Run {
    run_on_std_and_count(scenario).0
}

/// Runs a scenario on a blocking client, and says how often that has woken up.
///
/// # Panics
/// The client leaves a socket open, or uses one that it has dropped.
#[must_use]
pub fn run_on_std_and_count(scenario: &Scenario) -> (Run, u64) {
    let mut world = World::new(scenario);
    while !world.stage.is_over(world.time.now()) && !world.recorder.is_broken() {
        while let Some(command) = world.stage.next_command(world.time.now()) {
            world.command(command);
        }
        world.rest();
    }
    let World { client, time, recorder, stage, .. } = world;
    let (statistics, wakeups) = (client.statistics(), client.wakeups());
    drop(client);
    let network = time.network();
    assert_eq!(network.held_sockets(), 0, "the client has left a socket open");
    assert!(!network.is_asked(), "the client has left a question open");
    let run = Run::new(&recorder, network.wire().to_vec(), stage.into_diary(), statistics);
    (run, wakeups)
}

/// The client, the network, and the application between them.
struct World {
    client: Client<Virtual>,
    time: Time,
    recorder: Recorder,
    stage: Stage,
    diarist: Diarist,
    /// The client has said that there is nothing more to come.
    is_over: bool,
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let time = Time::new(Network::new(scenario));
        let stage = Stage::new(scenario);
        let recorder = Recorder::default();
        let mut limits = Limits::default();
        limits.high_water = scenario.high_water;
        let mut builder = Client::builder("ws://gateway.example/feed");
        if let Some(dialect) = scenario.dialect {
            builder = builder.dialect(dialect);
        }
        if let Some(budget) = scenario.budget {
            let time = time.clone();
            let budget = SharedBudget::new(budget, Arc::new(move || time.now()));
            builder = builder.shared_budget(budget.expect("a budget"));
        }
        let client = builder
            .config(scenario.settings())
            .seed(scenario.seed)
            .limits(limits)
            .report_sent(true)
            .observer(recorder.clone())
            .build_on(|endpoint| Virtual::new(endpoint.clone(), time.clone(), stage.wall()))
            .expect("a client");
        Self { client, time, recorder, stage, diarist: Diarist::default(), is_over: true }
    }

    /// Takes the client's events, up to the application's next turn.
    fn rest(&mut self) {
        let next = self.stage.next_at();
        while !self.is_over {
            match self.client.recv_timeout(next.saturating_duration_since(self.time.now())) {
                Ok(Some(event)) => self.diarist.note(&mut self.stage, self.time.now(), event),
                Ok(None) => self.is_over = true,
                Err(_) => return,
            }
        }
        while self.time.now() < next {
            self.time.go_on(Some(next));
        }
    }

    fn command(&mut self, command: Command) {
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
                let sent = self.client.send(text);
                self.diarist.sent(&mut self.stage, sent.map(|_| ()));
            }
            Command::Feed(text) => {
                let sent = self.client.try_send(text);
                self.diarist.sent(&mut self.stage, sent.map(|_| ()));
            }
            Command::LoginAccepted => self.client.login_accepted(),
            Command::LoginRejected(verdict) => self.client.login_rejected(verdict),
            Command::Network(network) => self.client.network_changed(network),
            Command::PauseReading => self.client.hold(true),
            Command::ResumeReading => self.client.hold(false),
            Command::Sleep(_) | Command::SetBack(_) => {} // the wall clock shows it
            Command::Stall(span) => self.time.pass(span),
        }
    }
}

/// The virtual clock, and the network that moves with it.
#[derive(Clone, Debug)]
struct Time {
    shared: Arc<Mutex<(Instant, Network)>>,
}

impl Time {
    fn new(network: Network) -> Self {
        Self { shared: Arc::new(Mutex::new((Instant::ZERO, network))) }
    }

    fn now(&self) -> Instant {
        self.lock().0
    }

    /// Lets time pass up to what comes next, or to `until`.
    fn go_on(&self, until: Option<Instant>) {
        let (now, network) = &mut *self.lock();
        let next = [until, network.next_event_at()].into_iter().flatten().min();
        *now = (*now).max(next.expect("the client waits for ever, and nothing comes"));
        network.advance(*now);
    }

    /// Lets time pass while the client is not driven.
    fn pass(&self, span: Duration) {
        let (now, network) = &mut *self.lock();
        *now = now.saturating_add(span);
        network.advance(*now);
    }

    fn network(&self) -> impl std::ops::DerefMut<Target = Network> + '_ {
        struct Held<'a>(MutexGuard<'a, (Instant, Network)>);
        impl std::ops::Deref for Held<'_> {
            type Target = Network;
            fn deref(&self) -> &Network {
                &self.0.1
            }
        }
        impl std::ops::DerefMut for Held<'_> {
            fn deref_mut(&mut self) -> &mut Network {
                &mut self.0.1
            }
        }
        Held(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, (Instant, Network)> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system that the client runs on: all of it virtual.
struct Virtual {
    endpoint: Endpoint,
    time: Time,
    wall: Wall,
    bell: Bell,
}

impl Virtual {
    fn new(endpoint: Endpoint, time: Time, wall: Wall) -> Self {
        Self { endpoint, time, wall, bell: Bell::default() }
    }
}

impl Host for Virtual {
    type Dialing = Stream;
    type Stream = Stream;

    fn now(&self) -> Instant {
        self.time.now()
    }

    fn wall(&self) -> UnixMillis {
        self.wall.at(self.time.now())
    }

    fn ask(&mut self, _: SocketId, attempt: Attempt) -> Asking {
        let now = self.time.now();
        self.time.network().ask(now, attempt.number);
        let question = Question { time: self.time.clone(), number: attempt.number };
        Asking::new(self.endpoint.clone(), move || {
            let polled = question.time.network().poll_ask(question.number, Waker::noop());
            polled.map(provided)
        })
    }

    fn dial(&mut self, id: SocketId, _: Credentials, _: Option<Arc<Endpoint>>) -> Stream {
        let now = self.time.now();
        let socket = self.time.network().dial(now, id.number());
        Stream(Some((self.time.clone(), socket)))
    }

    fn poll_dialing(&mut self, dialing: &mut Stream) -> Poll<Result<Dialled<Stream>, OpenFailure>> {
        let outcome = dialing.on(|network, socket, _| network.poll_dial(socket, Waker::noop()));
        outcome.map(|outcome| {
            outcome.map_err(|error| OpenFailure::new(error, error.name()))?;
            let handshake = Handshake::start(&self.endpoint);
            Ok(Dialled { stream: Stream(dialing.0.take()), handshake })
        })
    }
}

impl System for Virtual {
    fn wait(&mut self, until: Option<Instant>) {
        if !self.bell.has_rung() {
            self.time.go_on(until);
        }
    }

    fn waker(&self) -> Waker {
        self.bell.waker()
    }
}

/// A question to the provider, until it is answered or dropped.
struct Question {
    time: Time,
    number: u64,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.time.network().drop_ask(self.number);
    }
}

/// The client's end of a socket of the network, connected or on its way; empty once it was handed on.
struct Stream(Option<(Time, Socket)>);

impl Stream {
    fn on<T>(&self, act: impl FnOnce(&mut Network, Socket, Instant) -> T) -> T {
        let (time, socket) = self.0.as_ref().expect("a stream that was not handed on");
        let now = time.now();
        act(&mut time.network(), *socket, now)
    }
}

impl ByteStream for Stream {
    fn read<T>(&mut self, _: usize, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let mut buffer = [0; 4 << 10];
        let count = now_or_never(
            self.on(|network, socket, _| network.poll_read(socket, &mut buffer, Waker::noop())),
        )?;
        Ok(take(&buffer[..count]))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now_or_never(
            self.on(|network, socket, now| network.poll_write(now, socket, bytes, Waker::noop())),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        now_or_never(self.on(|network, socket, now| network.poll_flush(now, socket, Waker::noop())))
    }

    fn shutdown(&mut self) {
        self.on(|network, socket, _| network.shutdown(socket));
    }

    fn abort(&mut self) {
        self.on(|network, socket, _| network.abort(socket));
    }

    fn fails_whole(&self) -> bool {
        self.on(|network, _, _| network.fails_whole())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.on(|network, socket, now| network.drop_socket(now, socket));
        }
    }
}
