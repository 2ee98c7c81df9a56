//! What the server must do for a storm to last: a long queue, first in first out, and work for clients
//! that have left.

use gateway_sim::{ScenarioBuilder, Simulation};

use super::Made;
use crate::clients::{NEW, OLD};
use crate::figure::Table;
use crate::{runs, storm};

/// Beyond the old default's edge.
const LOAD: u32 = 60;

type Change = fn(&mut ScenarioBuilder);

const CONDITIONS: [(&str, Change); 14] = [
    ("first in, first out; no bound; dead work is paid in full", |_| {}),
    ("queue of 20 s of work", |it| queue(it, "20s")),
    ("queue of 10.1 s of work, a little more than T", |it| queue(it, "10100ms")),
    ("queue of 9.9 s of work, a little less than T", |it| queue(it, "9900ms")),
    ("queue of 5 s of work", |it| queue(it, "5s")),
    ("queue of 5 s of work; the kernel drops the SYN instead of a reset", |it| {
        queue(it, "5s");
        it.set("server.accept.full", "drop-syn");
    }),
    ("last in, first out", |it| {
        it.set("server.accept.order", "lifo");
    }),
    ("dead work costs 158 %, as with npm's ws", |it| dead_work(it, 1.58)),
    ("dead work costs 95 %, as with Python's websockets", |it| dead_work(it, 0.95)),
    ("dead work costs 68 %, as with nginx, TLS and RSA", |it| dead_work(it, 0.68)),
    ("dead work costs 34 %, as with nginx, TLS and P-256", |it| dead_work(it, 0.34)),
    ("dead work is free", |it| dead_work(it, 0.0)),
    ("429 above 90 % of the capacity, `Retry-After: 30`", |it| {
        admission(it);
        it.set("server.admission.retry_after", "30s");
    }),
    ("503 above 90 % of the capacity, without `Retry-After`", |it| {
        admission(it);
        it.set("server.admission.status", 503);
    }),
];

fn queue(builder: &mut ScenarioBuilder, span: &str) {
    builder.set("server.accept.queue", span);
}

fn dead_work(builder: &mut ScenarioBuilder, share: f64) {
    builder.set("server.dead_work", share);
}

fn admission(builder: &mut ScenarioBuilder) {
    let capacity = storm::CLIENTS / i64::from(LOAD);
    builder.set("server.admission.per_second", capacity * 9 / 10);
    builder.set("server.admission.burst", capacity);
}

pub(super) fn conditions() -> Made {
    let points: Vec<_> =
        CONDITIONS.iter().flat_map(|(_, change)| [(OLD, *change), (NEW, *change)]).collect();
    let outcomes = runs::each(&points, |(client, change)| {
        let mut builder = storm::drop_at(LOAD, *client);
        change(&mut builder);
        Ok::<_, gateway_core::ConfigErrors>(Simulation::new(&builder.build()?).run())
    })?;
    let mut table = Table::new(&[
        "server, N/C = 60 s, T = 10 s",
        "old default: 99 % ready after",
        "work for clients that left",
        "new default: 99 % ready after",
        "work for clients that left",
    ]);
    for ((name, _), pair) in CONDITIONS.iter().zip(outcomes.chunks(2)) {
        let mut cells = vec![(*name).to_owned()];
        for outcome in pair {
            cells.push(storm::t99(outcome));
            cells.push(format!("{} %", storm::percent(outcome.server.wasted_share)));
        }
        table.row(&cells);
    }
    Ok(table.into())
}
