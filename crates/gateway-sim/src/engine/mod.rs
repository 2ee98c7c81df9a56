//! The simulation: one loop over the milliseconds.

mod alone;
mod audit;
mod change;
mod client;
mod faults;
mod fleet;
mod measure;
mod random;
mod server;
mod talk;
mod wheel;
mod world;

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use gateway_core::{Connection, Event};

use crate::outcome::{Curve, GroupOutcome, Outcome, Progress, Wave, share};
use crate::scenario::{Scenario, Start};
use crate::witness::Witness;

use client::{Client, Link, NEVER, Phase};
use measure::{Counts, Marks, Peaks, Recovering, add_row, per_client_minute, sum};
use server::{Node, Work};
use talk::{Sample, Talk};
use wheel::{Entry, What};
use world::World;

/// How many clients are touched before they are handled. Their cache misses then overlap.
const CHUNK: usize = 16;

/// A simulation of a scenario.
///
/// ```
/// use gateway_sim::{NamedScenario, ScenarioBuilder, Simulation};
///
/// let mut builder = ScenarioBuilder::named(NamedScenario::Drop);
/// builder.set("clients", 500).set("server.accept.capacity", 100).set("horizon", "60s");
/// let outcome = Simulation::new(&builder.build()?).run();
/// assert!(outcome.is_recovered);
/// # Ok::<(), gateway_core::ConfigErrors>(())
/// ```
pub struct Simulation<'w> {
    scenario: Scenario,
    sample: Option<Sample<'w>>,
    is_audited: bool,
    is_in_step: bool,
}

impl std::fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").field("scenario", &self.scenario.name).finish_non_exhaustive()
    }
}

impl<'w> Simulation<'w> {
    /// A simulation of this scenario.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self { scenario: scenario.clone(), sample: None, is_audited: false, is_in_step: false }
    }

    /// Shows one client in `every` to a witness. An `every` of 0 counts as 1.
    #[must_use]
    pub fn witness(mut self, every: u32, witness: &'w mut dyn Witness) -> Self {
        self.sample = Some(Sample { every: every.max(1), witness });
        self
    }

    /// Checks once a simulated second that no client is lost, and that all counts agree. This costs
    /// time, and is meant for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn audited(mut self) -> Self {
        self.is_audited = true;
        self
    }

    /// Handles all events in the order of time, also while clients do not influence each other. The
    /// outcome is the same, but comes later. This is meant for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn in_step(mut self) -> Self {
        self.is_in_step = true;
        self
    }

    /// Runs the simulation.
    #[must_use]
    pub fn run(self) -> Outcome {
        self.run_with(&mut |_| ControlFlow::Continue(()))
    }

    /// Runs the simulation, and calls `progress` once a simulated second. If it breaks, the run ends
    /// there, and its outcome is marked as partial.
    #[must_use]
    pub fn run_with(self, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Outcome {
        let mut run = Run::new(self);
        while run.world.now < run.world.horizon {
            run.millisecond();
            let now = run.world.now;
            if now.is_multiple_of(1_000) {
                if run.is_audited {
                    audit::check(&run.world, &run.clients);
                }
                if progress(run.progress()).is_break() {
                    run.is_partial = now < run.world.horizon;
                    break;
                }
            }
        }
        run.finish()
    }
}

/// A run in progress.
struct Run<'w> {
    scenario: Scenario,
    clients: Vec<Client>,
    world: World,
    sample: Option<Sample<'w>>,
    is_audited: bool,
    is_partial: bool,
    recovering: Recovering,
    peaks: Peaks,
    waves: Vec<Wave>,
    curve: Curve,
    marks: Marks,
    /// Thousandths of a client that are to leave, by group.
    leaving: Vec<u64>,
    /// How many connections there have been.
    born: u64,
    taken: Vec<Entry>,
}

impl<'w> Run<'w> {
    fn new(simulation: Simulation<'w>) -> Self {
        let Simulation { scenario, mut sample, is_audited, is_in_step } = simulation;
        let epoch_ns = fleet::epoch_ns(&scenario);
        let mut clients = fleet::build(&scenario, epoch_ns, &mut sample);
        let mut world = World::new(&scenario, faults::changes(&scenario), epoch_ns);
        if is_in_step {
            world.coming = alone::Coming::new(scenario.groups.len(), false);
        }
        for (client, index) in clients.iter_mut().zip(0..) {
            world.phases[client.phase as usize] += 1;
            if scenario.start == Start::Ready {
                client.node = u16::try_from(index as usize % world.nodes.len()).unwrap_or(0);
                world.relink(client, Link::Served);
                world.arm(client, index);
            }
        }
        Self {
            recovering: Recovering::new(u64::from(scenario.clients)),
            leaving: vec![0; scenario.groups.len()],
            born: u64::from(scenario.clients),
            scenario,
            clients,
            world,
            sample,
            is_audited,
            is_partial: false,
            peaks: Peaks::new(),
            waves: Vec::new(),
            curve: Curve::default(),
            marks: Marks::default(),
            taken: Vec::new(),
        }
    }

    /// All that happens in one millisecond.
    fn millisecond(&mut self) {
        let now = self.world.now;
        self.world.wheel.advance(now);
        let cause = self.world.change(&mut self.clients);
        if cause.is_some() || now == 0 {
            self.begin_wave(cause.unwrap_or_else(|| "start".to_owned()));
        }
        if now == 0 && self.scenario.start == Start::Cold {
            for index in 0..self.scenario.clients {
                self.talk(index).tell(Event::ConnectRequested);
            }
        }
        self.churn();
        let mut taken = std::mem::take(&mut self.taken);
        loop {
            self.world.wheel.take(&mut taken);
            if taken.is_empty() {
                break;
            }
            for chunk in taken.chunks(CHUNK) {
                // Plain loads that do not depend on each other: the processor waits for all at once.
                let touched =
                    chunk.iter().fold(0, |sum, entry| sum ^ self.clients[entry.client()].touch());
                black_box(touched);
                for entry in chunk {
                    self.handle(*entry);
                }
            }
        }
        self.taken = taken;
        self.world.serve(&self.clients);
        self.world.crash(&mut self.clients);
        self.measure();
        self.world.now += 1;
    }

    fn talk(&mut self, index: u32) -> Talk<'_, 'w> {
        let client = &mut self.clients[index as usize];
        Talk { world: &mut self.world, client, index, sample: &mut self.sample }
    }

    fn handle(&mut self, entry: Entry) {
        let now = self.world.now;
        let what = entry.what();
        let index = entry.client() as u32;
        let client = &mut self.clients[entry.client()];
        if what == What::Timer {
            if u64::from(client.armed) != now {
                return; // another timer has replaced it
            }
            client.armed = NEVER;
            let due = client.connection.next_deadline().map(gateway_core::Instant::as_nanos);
            if due.is_some_and(|due| due <= self.world.epoch_ns + now * 1_000_000) {
                match self.world.ahead().filter(|_| client.phase == Phase::Waiting) {
                    Some(until) => {
                        self.world.run_ahead(client, index, until, &mut self.sample);
                        self.world.rephase(client);
                        self.world.arm(client, index);
                    }
                    None => self.talk(index).tell(Event::Tick),
                }
            } else {
                self.world.arm(client, index);
            }
            return;
        }
        if client.life != entry.life() {
            if matches!(what, What::Accepted | What::LoggedIn) {
                self.world.on_wasted(client, what);
            }
            return;
        }
        let arrives = match what {
            What::Syn => self.world.on_syn(client, index),
            What::Accepted => self.world.on_accepted(client, index),
            What::Login => self.world.on_login(client, index),
            What::LoggedIn => self.world.on_logged_in(client, index),
            What::Cut => self.world.on_cut(client, index),
            What::Opened
            | What::Refused
            | What::Limited
            | What::Rejected
            | What::Welcome
            | What::Lost
            | What::Restarted
            | What::Pong => Some(what),
            What::Timer => None, // handled above
        };
        if let Some(what) = arrives {
            self.talk(index).arrive(what);
        }
    }

    /// Some clients leave, and as many fresh ones come.
    fn churn(&mut self) {
        let mut first = 0;
        for number in 0..self.leaving.len() {
            let group = &self.scenario.groups[number];
            let (clients, config) = (group.clients, Arc::clone(&group.config));
            self.leaving[number] += group.churn_per_second;
            while self.leaving[number] >= 1_000 {
                self.leaving[number] -= 1_000;
                let place = self.world.draws.below(u64::from(clients));
                let index = first + u32::try_from(place).unwrap_or(0);
                self.replace(index, Arc::clone(&config));
            }
            first += clients;
        }
    }

    /// A fresh client takes the place of one that leaves.
    fn replace(&mut self, index: u32, config: Arc<gateway_core::Config>) {
        let seed = random::client_seed(self.scenario.seed, self.born);
        self.born += 1;
        if let Some(sample) = self.sample.as_mut().filter(|sample| sample.includes(index)) {
            sample.witness.on_new(index, &config);
        }
        let client = &mut self.clients[index as usize];
        self.world.relink(client, Link::None);
        self.world.tally(client).totals.left += 1;
        client.life = (client.life + 1) & wheel::LIFE_MASK;
        client.armed = NEVER;
        client.opened_at = NEVER;
        client.inbox_at = 0;
        client.connection = Connection::from_seed(config, seed);
        self.talk(index).tell(Event::ConnectRequested);
    }

    /// Ends a millisecond.
    fn measure(&mut self) {
        let now = self.world.now;
        let mut opens = 0;
        for (number, tally) in self.world.tallies.iter_mut().enumerate() {
            let refused = self.world.coming.take(number, now);
            tally.totals.opens += u64::from(refused);
            tally.totals.refused += u64::from(refused);
            self.world.work.resets += u64::from(refused);
            let came = std::mem::take(&mut tally.opens_now) + refused;
            opens += came;
            tally.peaks.slide(now, came);
            tally.recovering.note(now, tally.served);
        }
        self.peaks.slide(now, opens);
        self.recovering.note(now, self.world.served);
        if now.is_multiple_of(self.scenario.step_ms) {
            self.add_row(now);
        }
    }

    fn begin_wave(&mut self, cause: String) {
        self.end_wave();
        self.peaks = Peaks::new();
        for tally in &mut self.world.tallies {
            tally.peaks = Peaks::new();
        }
        self.waves.push(Wave {
            cause,
            from_ms: self.world.now,
            to_ms: self.world.now,
            opens: 0,
            worst_100ms: crate::Peak::default(),
            worst_1s: crate::Peak::default(),
            attempts_per_client_minute: 0.0,
        });
    }

    fn end_wave(&mut self) {
        let clients = u64::from(self.scenario.clients);
        let Some(wave) = self.waves.last_mut() else { return };
        wave.to_ms = self.world.now;
        wave.opens = self.peaks.opens();
        wave.worst_100ms = self.peaks.worst_100ms(clients);
        wave.worst_1s = self.peaks.worst_1s(clients);
        wave.attempts_per_client_minute =
            per_client_minute(wave.opens, clients, wave.to_ms - wave.from_ms);
    }

    fn add_row(&mut self, at_ms: u64) {
        let totals = sum(&self.world.tallies);
        let now = Marks {
            opens: totals.opens,
            accepted: self.world.work.accepted,
            refused: totals.refused,
            timeouts: totals.connect_timeouts + totals.login_timeouts,
            wasted_us: self.world.wasted_ns / 1_000,
            useful_us: self.world.useful_ns / 1_000,
        };
        let nodes = &self.world.nodes;
        let counts = Counts {
            phases: self.world.phases,
            served: self.world.served,
            accept_queue: nodes.iter().map(|node| node.accept.len()).sum(),
            login_queue: nodes.iter().filter_map(|node| node.login.as_ref()).map(Work::len).sum(),
            nodes_up: nodes.iter().filter(|node| Node::is_up(node)).count() as u64,
        };
        add_row(&mut self.curve, at_ms, &counts, &now, &self.marks);
        self.marks = now;
    }

    fn progress(&self) -> Progress {
        Progress {
            now_ms: self.world.now,
            horizon_ms: self.world.horizon,
            clients: u64::from(self.scenario.clients),
            served: self.world.served,
            opens: sum(&self.world.tallies).opens,
            events: self.world.events,
        }
    }

    fn finish(mut self) -> Outcome {
        self.end_wave();
        if self.curve.at_ms.last() != Some(&self.world.now) {
            self.add_row(self.world.now);
        }
        let ended_ms = self.world.now;
        let from = u64::try_from(self.scenario.measured_from().as_millis()).unwrap_or(u64::MAX);
        let clients = u64::from(self.scenario.clients);
        let recovery = self.recovering.recovery(from);
        let mut totals = sum(&self.world.tallies);
        totals.attempts_per_client_minute = per_client_minute(totals.opens, clients, ended_ms);
        let groups = self.scenario.groups.iter().zip(&self.world.tallies).map(|(group, tally)| {
            let mut totals = tally.totals;
            totals.attempts_per_client_minute =
                per_client_minute(totals.opens, tally.clients, ended_ms);
            GroupOutcome {
                name: group.name.clone(),
                clients: tally.clients,
                served: tally.served,
                recovery: tally.recovering.recovery(from),
                totals,
                worst_100ms: tally.peaks.worst_100ms(tally.clients),
            }
        });
        let mut server = self.world.work;
        server.useful_us = self.world.useful_ns / 1_000;
        server.wasted_us = self.world.wasted_ns / 1_000;
        let all_ns = self.world.useful_ns.saturating_add(self.world.wasted_ns);
        server.wasted_share = share(self.world.wasted_ns, all_ns);
        Outcome {
            groups: groups.collect(),
            scenario: self.scenario.name,
            seed: self.scenario.seed,
            clients,
            horizon_ms: self.world.horizon,
            ended_ms,
            is_partial: self.is_partial,
            is_recovered: recovery.t99_ms.is_some(),
            measured_from_ms: from,
            recovery,
            totals,
            server,
            waves: self.waves,
            curve: self.curve,
            events: self.world.events,
        }
    }
}
