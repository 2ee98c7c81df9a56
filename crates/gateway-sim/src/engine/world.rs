//! The world around the clients: balancer, nodes, network and calendar.

use std::sync::Arc;

use gateway_core::Config;

use crate::outcome::ServerWork;
use crate::scenario::{Away, Balance, Crash, Group, Network, Resets, Scenario, WhenFull};

use super::alone::Coming;
use super::client::{Client, Link, NEVER, Phase};
use super::faults::{Changes, Reject};
use super::measure::Tally;
use super::random::Draws;
use super::server::{Bucket, Node, Queued, Work};
use super::wheel::{Entry, LIFE_MASK, What, Wheel};

pub(super) const MILLI_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: u64,
    pub(super) horizon: u64,
    /// The instant of the connections at the start of the simulation, in nanoseconds.
    pub(super) epoch_ns: u64,
    pub(super) wheel: Wheel,
    pub(super) draws: Draws,
    pub(super) nodes: Vec<Node>,
    pub(super) changes: Changes,
    pub(super) tallies: Vec<Tally>,
    /// The settings of each group whose clients forget their attempts when a socket opens.
    pub(super) forgetful: Vec<Option<Arc<Config>>>,
    pub(super) phases: [u64; 5],
    pub(super) served: u64,
    pub(super) work: ServerWork,
    pub(super) useful_ns: u64,
    pub(super) wasted_ns: u64,
    pub(super) events: u64,
    pub(super) coming: Coming,
    /// The faults that refuse each attempt. The last one counts.
    pub(super) rejects: Vec<Reject>,
    pub(super) network: Network,
    pub(super) is_instant: bool,
    /// The nodes that have entries in a queue.
    pub(super) busy: Vec<u32>,
    pub(super) crashing: Vec<u32>,
    pub(super) balance: Balance,
    pub(super) next_node: usize,
    pub(super) health_ms: u64,
    pub(super) crash: Option<Crash>,
    /// How many faults keep the server silent.
    pub(super) silences: u32,
    /// The faults that end each connection, and after how long. The last one counts.
    pub(super) cuts: Vec<u64>,
}

fn forgetful(group: &Group) -> Option<Arc<Config>> {
    (group.resets == Resets::OnOpen).then(|| Arc::clone(&group.config))
}

impl World {
    pub(super) fn new(scenario: &Scenario, changes: Changes, epoch_ns: u64) -> Self {
        let server = &scenario.server;
        let node = || Node {
            accept: Work::new(&server.accept, server.dead_work_ppm),
            login: server.login.map(|login| Work::new(&login, server.dead_work_ppm)),
            bucket: server.admission.map(Bucket::new),
            open: 0,
            away: Vec::new(),
            how: Away::Refusing,
            is_seen_up: true,
            is_listed: false,
            is_crashing: false,
        };
        let network = scenario.network;
        Self {
            now: 0,
            horizon: scenario.horizon_ms,
            epoch_ns,
            wheel: Wheel::new(),
            draws: Draws::new(scenario.seed),
            nodes: (0..server.nodes).map(|_| node()).collect(),
            changes,
            tallies: scenario.groups.iter().map(|group| Tally::new(group.clients)).collect(),
            forgetful: scenario.groups.iter().map(forgetful).collect(),
            phases: [0; 5],
            served: 0,
            work: ServerWork::default(),
            useful_ns: 0,
            wasted_ns: 0,
            events: 0,
            coming: Coming::new(scenario.groups.len(), may_run_ahead(scenario)),
            rejects: Vec::new(),
            network,
            is_instant: network.latency.is_zero() && network.jitter.is_zero(),
            busy: Vec::new(),
            crashing: Vec::new(),
            balance: server.balance,
            next_node: 0,
            health_ms: millis(server.health),
            crash: server.crash,
            silences: 0,
            cuts: Vec::new(),
        }
    }

    pub(super) fn tally(&mut self, client: &Client) -> &mut Tally {
        &mut self.tallies[usize::from(client.group)]
    }

    /// How long a message needs in one direction.
    pub(super) fn delay(&mut self) -> u64 {
        if self.is_instant {
            return 0;
        }
        let jitter_us = micros(self.network.jitter);
        let jitter = self.draws.jitter_us(jitter_us, self.network.distribution);
        micros(self.network.latency).saturating_add(jitter) / 1_000
    }

    pub(super) fn schedule(&mut self, at: u64, index: u32, what: What, life: u32) {
        if at < self.horizon {
            self.wheel.push(at, Entry::new(index, what, life));
        }
    }

    /// Sends something to the client. Returns it if it arrives at once.
    fn reply(&mut self, client: &mut Client, index: u32, what: What) -> Option<What> {
        if self.is_instant && u64::from(client.inbox_at) <= self.now {
            return Some(what);
        }
        let delay = self.delay();
        self.deliver(client, index, what, delay);
        None
    }

    /// Something arrives at the client after `delay`, and not before what was sent earlier.
    pub(super) fn deliver(&mut self, client: &mut Client, index: u32, what: What, delay: u64) {
        let at = self.now.saturating_add(delay).max(u64::from(client.inbox_at));
        client.inbox_at = u32::try_from(at).unwrap_or(u32::MAX);
        self.schedule(at, index, what, client.life);
    }

    /// The client begins to open a socket.
    pub(super) fn open(&mut self, client: &mut Client, index: u32) -> Option<What> {
        client.life = (client.life + 1) & LIFE_MASK;
        client.opened_at = u32::try_from(self.now).unwrap_or(NEVER);
        // What arrives on the new socket does not wait for what the old one would bring.
        client.inbox_at = 0;
        let tally = self.tally(client);
        tally.totals.opens += 1;
        tally.opens_now += 1;
        self.send(client, index, What::Syn)
    }

    /// The client sends something to the server.
    pub(super) fn send(&mut self, client: &mut Client, index: u32, what: What) -> Option<What> {
        client.tries = 0;
        if !self.is_instant {
            let at = self.now.saturating_add(self.delay());
            self.schedule(at, index, what, client.life);
            return None;
        }
        if what == What::Syn { self.on_syn(client, index) } else { self.on_login(client, index) }
    }

    /// The client's kernel sends a message again: 1 s, 3 s, 7 s, 15 s, 31 s and so on after the first.
    fn send_again(&mut self, client: &mut Client, index: u32, what: What) {
        self.work.dropped_syns += 1;
        let wait = 1_000 << client.tries.min(7);
        client.tries = client.tries.saturating_add(1);
        let at = self.now.saturating_add(wait);
        self.schedule(at, index, what, client.life);
    }

    /// A connection request arrives.
    pub(super) fn on_syn(&mut self, client: &mut Client, index: u32) -> Option<What> {
        if self.draws.happens(self.network.loss_ppm) {
            self.send_again(client, index, What::Syn);
            return None;
        }
        let chosen = self.choose();
        let node = &mut self.nodes[chosen.unwrap_or(0)];
        if chosen.is_none() || !node.is_up() {
            return match node.how {
                Away::Refusing => {
                    self.work.resets += 1;
                    self.reply(client, index, What::Refused)
                }
                Away::Blackholed => {
                    self.send_again(client, index, What::Syn);
                    None
                }
            };
        }
        self.work.arrivals += 1;
        client.node = u16::try_from(chosen.unwrap_or(0)).unwrap_or(0);
        if !self.rejects.is_empty() {
            self.work.rejections += 1;
            return self.reply(client, index, What::Rejected);
        }
        if node.bucket.as_mut().is_some_and(|bucket| !bucket.admits(self.now)) {
            self.work.rejections += 1;
            return self.reply(client, index, What::Limited);
        }
        if node.accept.is_full() {
            return match node.accept.stage().full {
                WhenFull::Refuse => {
                    self.work.resets += 1;
                    self.reply(client, index, What::Refused)
                }
                WhenFull::DropSyn => {
                    self.send_again(client, index, What::Syn);
                    None
                }
            };
        }
        node.accept.push(Queued { client: index, life: client.life, at_ns: self.now * MILLI_NS });
        self.queued(client.node);
        None
    }

    /// A client's login arrives.
    pub(super) fn on_login(&mut self, client: &mut Client, index: u32) -> Option<What> {
        if client.link != Link::Served {
            return None; // a silent server, or one whose loss the client has not noticed
        }
        let node = &mut self.nodes[usize::from(client.node)];
        let Some(login) = &mut node.login else {
            return self.reply(client, index, What::Welcome);
        };
        if login.is_full() {
            match login.stage().full {
                WhenFull::Refuse => {
                    self.work.resets += 1;
                    self.relink(client, Link::None);
                    return self.reply(client, index, What::Lost);
                }
                WhenFull::DropSyn => self.send_again(client, index, What::Login),
            }
            return None;
        }
        login.push(Queued { client: index, life: client.life, at_ns: self.now * MILLI_NS });
        self.queued(client.node);
        None
    }

    /// An entry was added to a queue of this node.
    fn queued(&mut self, number: u16) {
        let node = &mut self.nodes[usize::from(number)];
        if !node.is_listed {
            node.is_listed = true;
            self.busy.push(u32::from(number));
        }
        let queued = node.queued();
        if self.crash.is_some_and(|crash| crash.queue.is_some_and(|most| queued > most)) {
            self.overload(number);
        }
    }

    fn overload(&mut self, number: u16) {
        let node = &mut self.nodes[usize::from(number)];
        if !node.is_crashing {
            node.is_crashing = true;
            self.crashing.push(u32::from(number));
        }
    }

    /// The node for the next connection request. `None`: the balancer sees none that is up.
    fn choose(&mut self) -> Option<usize> {
        let count = self.nodes.len();
        if count == 1 {
            return Some(0);
        }
        match self.balance {
            Balance::RoundRobin => {
                let first = self.next_node;
                let found = (0..count)
                    .map(|step| (first + step) % count)
                    .find(|&node| self.nodes[node].is_seen_up)?;
                self.next_node = (found + 1) % count;
                Some(found)
            }
            Balance::Least => {
                let seen = self.nodes.iter().enumerate().filter(|(_, node)| node.is_seen_up);
                // The login queue is among the open connections.
                seen.min_by_key(|(_, node)| node.open + node.accept.len()).map(|(number, _)| number)
            }
            Balance::Random => {
                let up = self.nodes.iter().filter(|node| node.is_seen_up).count() as u64;
                let place = usize::try_from(self.draws.below(up)).unwrap_or(0);
                let seen = self.nodes.iter().enumerate().filter(|(_, node)| node.is_seen_up);
                seen.map(|(number, _)| number).nth(place)
            }
        }
    }

    /// Gives queued entries to free workers.
    pub(super) fn serve(&mut self, clients: &[Client]) {
        let now_ns = self.now * MILLI_NS;
        let is_alive = |entry: &Queued| clients[entry.client as usize].life == entry.life;
        let mut busy = std::mem::take(&mut self.busy);
        busy.retain(|&number| {
            let node = &mut self.nodes[number as usize];
            let stages =
                [(Some(&mut node.accept), What::Accepted), (node.login.as_mut(), What::LoggedIn)];
            for (work, what) in stages {
                let Some(work) = work else { continue };
                while let Some(served) = work.next(now_ns, is_alive) {
                    if served.is_alive {
                        // The next millisecond: the entries of this one have been handled.
                        let at = served.done_ns.div_ceil(MILLI_NS).max(self.now + 1);
                        if at < self.horizon {
                            self.wheel
                                .push(at, Entry::new(served.entry.client, what, served.entry.life));
                        }
                    } else {
                        self.wasted_ns = self.wasted_ns.saturating_add(served.cost_ns);
                        match what {
                            What::Accepted => self.work.dead_accepts += 1,
                            _ => self.work.dead_logins += 1,
                        }
                    }
                }
            }
            node.is_listed = node.queued() > 0;
            node.is_listed
        });
        self.busy = busy;
    }

    /// A worker finishes what it began for a client that has left meanwhile.
    pub(super) fn on_wasted(&mut self, client: &Client, what: What) {
        let node = &self.nodes[usize::from(client.node)];
        let (count, cost) = match what {
            What::Accepted => (&mut self.work.dead_accepts, node.accept.service_ns()),
            _ => (&mut self.work.dead_logins, node.login.as_ref().map_or(0, Work::service_ns)),
        };
        *count += 1;
        self.wasted_ns = self.wasted_ns.saturating_add(cost);
    }

    /// A worker finishes an accept.
    pub(super) fn on_accepted(&mut self, client: &mut Client, index: u32) -> Option<What> {
        let node = &self.nodes[usize::from(client.node)];
        if !node.is_up() {
            return match node.how {
                Away::Refusing => self.reply(client, index, What::Refused),
                Away::Blackholed => None,
            };
        }
        self.useful_ns = self.useful_ns.saturating_add(node.accept.service_ns());
        self.work.accepted += 1;
        let link = if self.silences > 0 { Link::Silent } else { Link::Served };
        self.relink(client, link);
        let open = self.nodes[usize::from(client.node)].open;
        if self.crash.is_some_and(|crash| crash.open.is_some_and(|most| open > most)) {
            self.overload(client.node);
        }
        if let Some(&after) = self.cuts.last() {
            self.schedule(self.now.saturating_add(after), index, What::Cut, client.life);
        }
        self.reply(client, index, What::Opened)
    }

    /// A worker finishes a login.
    pub(super) fn on_logged_in(&mut self, client: &mut Client, index: u32) -> Option<What> {
        let node = &self.nodes[usize::from(client.node)];
        self.useful_ns =
            self.useful_ns.saturating_add(node.login.as_ref().map_or(0, Work::service_ns));
        self.work.logins += 1;
        if client.link == Link::Served { self.reply(client, index, What::Welcome) } else { None }
    }

    /// The server ends a connection.
    pub(super) fn on_cut(&mut self, client: &mut Client, index: u32) -> Option<What> {
        if client.link == Link::None {
            return None;
        }
        self.relink(client, Link::None);
        self.reply(client, index, What::Lost)
    }

    /// The client has sent a ping.
    pub(super) fn on_ping(&mut self, client: &mut Client, index: u32) -> Option<What> {
        let there = self.delay();
        let what = match client.link {
            Link::Served => What::Pong,
            Link::Silent => return None,
            // A node that is up knows nothing of the connection, and resets it.
            Link::None if self.nodes[usize::from(client.node)].is_up() => What::Lost,
            Link::None => return None,
        };
        if self.is_instant {
            return Some(what);
        }
        let back = self.delay();
        self.deliver(client, index, what, there.saturating_add(back));
        None
    }

    /// Changes what the server knows of the client's connection.
    pub(super) fn relink(&mut self, client: &mut Client, link: Link) {
        let was_served = client.is_served();
        let node = &mut self.nodes[usize::from(client.node)];
        match (client.link, link) {
            (Link::None, Link::Served | Link::Silent) => node.open += 1,
            (Link::Served | Link::Silent, Link::None) => node.open -= 1,
            (Link::None, Link::None)
            | (Link::Served | Link::Silent, Link::Served | Link::Silent) => {}
        }
        client.link = link;
        self.count_served(client, was_served);
    }

    /// The client's connection may have changed its state.
    pub(super) fn rephase(&mut self, client: &mut Client) {
        let phase = client.current_phase();
        if phase == client.phase {
            return;
        }
        let was_served = client.is_served();
        self.phases[client.phase as usize] -= 1;
        self.phases[phase as usize] += 1;
        client.phase = phase;
        self.count_served(client, was_served);
        if phase == Phase::Ready {
            self.tally(client).totals.became_ready += 1;
        }
    }

    fn count_served(&mut self, client: &Client, was_served: bool) {
        match (was_served, client.is_served()) {
            (false, true) => {
                self.served += 1;
                self.tally(client).served += 1;
            }
            (true, false) => {
                self.served -= 1;
                self.tally(client).served -= 1;
            }
            (false, false) | (true, true) => {}
        }
    }

    /// The millisecond at which the connection's deadline is due, at `now` or later.
    pub(super) fn due(&self, client: &Client, now: u64) -> Option<u64> {
        let due_ns = client.connection.next_deadline()?.as_nanos().saturating_sub(self.epoch_ns);
        let due = due_ns.div_ceil(MILLI_NS).max(now);
        // A client opens at most one socket a millisecond: time must go on.
        let has_opened = client.opened_at != NEVER && due <= u64::from(client.opened_at);
        Some(if has_opened { u64::from(client.opened_at) + 1 } else { due })
    }

    /// Sets the timer of the client, if it must come earlier than the one that is set.
    pub(super) fn arm(&mut self, client: &mut Client, index: u32) {
        let Some(due) = self.due(client, self.now) else { return };
        let due = u32::try_from(due).unwrap_or(NEVER - 1).min(NEVER - 1);
        if due < client.armed {
            client.armed = due;
            self.schedule(u64::from(due), index, What::Timer, 0);
        }
    }
}

/// Whether clients may run ahead while every attempt is refused: nothing then draws from the world's
/// generator, nothing takes time, and no client leaves or gives up. Each group needs 2 MiB.
fn may_run_ahead(scenario: &Scenario) -> bool {
    let network = &scenario.network;
    let is_plain = network.latency.is_zero() && network.jitter.is_zero() && network.loss_ppm == 0;
    let stays =
        |group: &crate::Group| group.churn_per_second == 0 && group.config.max_attempts().is_none();
    is_plain && scenario.groups.iter().all(stays) && scenario.groups.len() <= 16
}

pub(super) fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
