//! Reads what goes wrong.

use gateway_core::ConfigError;
use toml::Value;

use super::read::{SPAN_MS, list};
use super::reader::{PPM, Reader, number, share, span, word};
use super::{Away, Fault, FaultKind};

/// How often flapping and restarts may change the world. Each change takes memory.
const CHANGES: u64 = 1_000_000;

const AWAY: &[(&str, Away)] = &[("refusing", Away::Refusing), ("blackholed", Away::Blackholed)];

#[derive(Clone, Copy)]
enum Kind {
    Drop,
    Outage,
    HalfOpen,
    AcceptThenDrop,
    Flapping,
    RollingRestart,
    Reject,
}

const KINDS: &[(&str, Kind)] = &[
    ("drop", Kind::Drop),
    ("outage", Kind::Outage),
    ("half-open", Kind::HalfOpen),
    ("accept-then-drop", Kind::AcceptThenDrop),
    ("flapping", Kind::Flapping),
    ("rolling-restart", Kind::RollingRestart),
    ("reject", Kind::Reject),
];

pub(super) fn read(
    value: Option<Value>,
    horizon_ms: u64,
    nodes: u32,
    errors: &mut Vec<ConfigError>,
) -> Vec<Fault> {
    let (mut faults, mut changes) = (Vec::new(), 0_u64);
    for (index, value) in list("faults", value, errors).into_iter().enumerate() {
        let mut reader = Reader::new(format!("faults.{index}"), Some(value), errors);
        if !reader.has("kind") {
            reader.error("kind", "", "must be set");
        }
        // Without its kind, no field of it can be judged.
        if let Some(kind) = reader.optional("kind", word(KINDS)) {
            let kind = read_fault(kind, &mut reader, horizon_ms, nodes);
            let (field, more) = changes_of(&kind);
            changes = more.saturating_add(changes);
            if more > 0 && changes > CHANGES {
                let limit = format!("must leave at most {CHANGES} changes of all faults");
                reader.error(field, &changes.to_string(), &limit);
            }
            reader.finish();
            faults.push(Fault { kind });
        }
    }
    faults
}

/// How often a fault changes the world, and the field that decides it. Zero: once or twice.
fn changes_of(kind: &FaultKind) -> (&'static str, u64) {
    match *kind {
        FaultKind::Flapping { from_ms, to_ms, up_ms, down_ms } => {
            let flaps = to_ms.saturating_sub(from_ms).div_ceil(up_ms.saturating_add(down_ms));
            ("up", flaps.saturating_mul(2))
        }
        FaultKind::RollingRestart { nodes, .. } => ("every", u64::from(nodes) * 2),
        FaultKind::Drop { .. }
        | FaultKind::Outage { .. }
        | FaultKind::HalfOpen { .. }
        | FaultKind::AcceptThenDrop { .. }
        | FaultKind::Reject { .. } => ("kind", 0),
    }
}

fn read_fault(kind: Kind, reader: &mut Reader<'_>, horizon_ms: u64, nodes: u32) -> FaultKind {
    match kind {
        Kind::Drop => FaultKind::Drop {
            at_ms: reader.required("at", span(0, horizon_ms), 0),
            share_ppm: reader.read("share", share, PPM),
        },
        Kind::Outage => {
            let (from_ms, to_ms) = read_window(reader, horizon_ms);
            FaultKind::Outage {
                from_ms,
                to_ms,
                how: reader.read("how", word(AWAY), Away::Refusing),
            }
        }
        Kind::HalfOpen => {
            let (from_ms, to_ms) = read_window(reader, horizon_ms);
            FaultKind::HalfOpen { from_ms, to_ms }
        }
        Kind::AcceptThenDrop => {
            let (from_ms, to_ms) = read_window(reader, horizon_ms);
            FaultKind::AcceptThenDrop {
                from_ms,
                to_ms,
                after_ms: reader.read("after", span(0, SPAN_MS), 0),
            }
        }
        Kind::Flapping => {
            let (from_ms, to_ms) = read_window(reader, horizon_ms);
            FaultKind::Flapping {
                from_ms,
                to_ms,
                up_ms: reader.required("up", span(1, SPAN_MS), 1),
                down_ms: reader.required("down", span(1, SPAN_MS), 1),
            }
        }
        Kind::RollingRestart => FaultKind::RollingRestart {
            at_ms: reader.required("at", span(0, horizon_ms), 0),
            every_ms: reader.required("every", span(0, SPAN_MS), 0),
            down_ms: reader.required("down", span(0, SPAN_MS), 0),
            nodes,
        },
        Kind::Reject => {
            let (from_ms, to_ms) = read_window(reader, horizon_ms);
            let status = reader.read("status", number(400, 599), 503);
            FaultKind::Reject {
                from_ms,
                to_ms,
                status: u16::try_from(status).unwrap_or(503),
                retry_after_ms: reader.optional("retry_after", span(0, 86_400_000)),
            }
        }
    }
}

fn read_window(reader: &mut Reader<'_>, horizon_ms: u64) -> (u64, u64) {
    let from = reader.required("from", span(0, horizon_ms), 0);
    let to = reader.required("to", span(0, horizon_ms), horizon_ms);
    if to <= from {
        reader.error("to", &format!("{to}ms"), "must be after from");
    }
    (from, to)
}
