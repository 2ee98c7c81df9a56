//! Changes the world: nodes go away and return, connections are lost, the server becomes silent.

use crate::scenario::Away;

use super::client::{Client, Link};
use super::faults::{Change, Leave};
use super::wheel::What;
use super::world::{MILLI_NS, World, millis};

impl World {
    /// Applies all changes of this instant. Returns what to call them.
    pub(super) fn change(&mut self, clients: &mut [Client]) -> Option<String> {
        let mut due = self.changes.remove(&self.now)?;
        // Crashes and the balancer have added theirs.
        due.sort_by_key(|(change, _)| change.rank());
        let mut cause = Vec::new();
        for (change, words) in due {
            if !words.is_empty() && cause.last() != Some(&words) {
                cause.push(words);
            }
            match change {
                Change::Drop { share_ppm } => self.drop_share(clients, share_ppm),
                Change::Leave { node, how } => self.leave(clients, node, how),
                Change::Return { node, how } => self.come_back(node, how.away()),
                Change::See { node, is_up } => self.nodes[node as usize].is_seen_up = is_up,
                Change::Silence(true) => {
                    self.silences += 1;
                    for client in clients.iter_mut().filter(|client| client.link == Link::Served) {
                        self.relink(client, Link::Silent);
                    }
                }
                Change::Silence(false) => self.silences = self.silences.saturating_sub(1),
                Change::Cut(after) => self.cuts.push(after),
                Change::CutEnds(after) => end(&mut self.cuts, &after),
                Change::Reject(reject) => self.rejects.push(reject),
                Change::RejectEnds(reject) => end(&mut self.rejects, &reject),
            }
        }
        self.look_ahead();
        (!cause.is_empty()).then(|| cause.join(", "))
    }

    fn drop_share(&mut self, clients: &mut [Client], share_ppm: u64) {
        for (client, index) in clients.iter_mut().zip(0..) {
            if client.link != Link::None && self.draws.happens(share_ppm) {
                self.relink(client, Link::None);
                self.notice(client, index);
            }
        }
    }

    /// The client notices the loss of its connection some time later. Until then, what the server
    /// answers arrives as usual.
    fn notice(&mut self, client: &mut Client, index: u32) {
        let within = millis(self.network.detection).saturating_add(1);
        let delay = self.delay().saturating_add(self.draws.below(within));
        let at = self.now.saturating_add(delay).max(u64::from(client.inbox_at));
        self.schedule(at, index, What::Lost, client.life);
    }

    fn leave(&mut self, clients: &mut [Client], only: Option<u32>, how: Leave) {
        let is_concerned = |number: u32| only.is_none_or(|only| only == number);
        for number in (0..).take(self.nodes.len()).filter(|&number| is_concerned(number)) {
            let node = &mut self.nodes[number as usize];
            node.how = how.away();
            node.away.push(node.how);
            let answers = node.how == Away::Refusing;
            let now_ns = self.now * MILLI_NS;
            let mut waiting = node.accept.restart(now_ns);
            waiting
                .extend(node.login.as_mut().map(|login| login.restart(now_ns)).unwrap_or_default());
            for entry in waiting {
                let client = &mut clients[entry.client as usize];
                // Those that log in are connected: they follow below.
                if answers && client.life == entry.life && client.link == Link::None {
                    let delay = self.delay();
                    self.deliver(client, entry.client, What::Refused, delay);
                }
            }
            self.see(number, false);
        }
        for (client, index) in clients.iter_mut().zip(0..) {
            if client.link == Link::None || !is_concerned(u32::from(client.node)) {
                continue;
            }
            self.relink(client, Link::None);
            match how {
                Leave::Fail(Away::Refusing) => self.notice(client, index),
                Leave::Fail(Away::Blackholed) => {}
                Leave::Close => {
                    let delay = self.delay();
                    self.deliver(client, index, What::Restarted, delay);
                }
            }
        }
    }

    fn come_back(&mut self, only: Option<u32>, how: Away) {
        for number in
            (0..).take(self.nodes.len()).filter(|&number| only.is_none_or(|only| only == number))
        {
            let node = &mut self.nodes[number as usize];
            end(&mut node.away, &how);
            if let Some(outer) = node.away.last() {
                node.how = *outer;
            } else {
                node.accept.restart(self.now * MILLI_NS);
                if let Some(login) = &mut node.login {
                    login.restart(self.now * MILLI_NS);
                }
                self.see(number, true);
            }
        }
    }

    /// The balancer sees the state of a node some time later.
    fn see(&mut self, node: u32, is_up: bool) {
        if self.health_ms == 0 {
            self.nodes[node as usize].is_seen_up = is_up;
        } else {
            let at = self.now.saturating_add(self.health_ms);
            self.changes.entry(at).or_default().push((Change::See { node, is_up }, ""));
        }
    }

    /// Crashes the nodes that the load of this millisecond has overwhelmed.
    pub(super) fn crash(&mut self, clients: &mut [Client]) {
        let Some(crash) = self.crash.filter(|_| !self.crashing.is_empty()) else { return };
        for number in std::mem::take(&mut self.crashing) {
            self.work.crashes += 1;
            self.nodes[number as usize].is_crashing = false;
            let (node, how) = (Some(number), Leave::Fail(Away::Refusing));
            self.leave(clients, node, how);
            let back = self.now.saturating_add(millis(crash.down)).max(self.now + 1);
            self.changes.entry(back).or_default().push((Change::Return { node, how }, ""));
        }
        self.look_ahead();
    }
}

/// One of the faults that hold now ends. The last of the others counts.
fn end<T: PartialEq>(holding: &mut Vec<T>, ended: &T) {
    if let Some(place) = holding.iter().rposition(|held| held == ended) {
        holding.remove(place);
    }
}
