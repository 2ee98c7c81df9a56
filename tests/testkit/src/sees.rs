//! Expectations about a run, each with a readable failure.

use std::borrow::Borrow;
use std::fmt::{self, Debug};
use std::sync::Arc;

use gateway_core::{Action, ConnectionState, Credentials, Notice};

use crate::alone;
use crate::rig::is_ping;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::trace;
use crate::wire;

type Check = dyn Fn(&Scenario, &Run) -> Result<(), String> + Send + Sync;

/// An expectation. Times and spans are in milliseconds.
#[derive(Clone)]
pub struct See {
    name: &'static str,
    check: Arc<Check>,
}

impl See {
    /// Checks the expectation.
    ///
    /// # Errors
    /// What was seen instead.
    pub fn check(&self, scenario: &Scenario, run: &Run) -> Result<(), String> {
        (self.check)(scenario, run).map_err(|what| format!("{}: {what}", self.name))
    }
}

impl Debug for See {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! sees {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) => $check:expr;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name($($argument: $kind),*) -> See {
                See { name: stringify!($name), check: Arc::new($check) }
            }
        )*
    };
}

sees! {
    /// Sockets are opened at these times, and at no other.
    opens_at(times: &'static [u64]) => |_, run| same(times, &opened(run));
    /// This many sockets are opened.
    opens(count: usize) => move |_, run| same(&count, &opened(run).len());
    /// The provider is asked at these times, and at no other.
    asks_at(times: &'static [u64]) => |_, run| {
        same(times, &acted(run, |action| matches!(action, Action::AskProvider { .. })))
    };
    /// The credentials for which the provider is asked.
    asks_for(credentials: &'static [Credentials]) => |_, run| {
        let asked = run.actions().filter_map(|(_, action)| match action {
            Action::AskProvider { credentials, .. } => Some(*credentials),
            _ => None,
        });
        same(credentials, &asked.collect::<Vec<_>>())
    };
    /// No socket is opened.
    opens_nothing() => |_, run| none(opened(run));
    /// The connection becomes ready at these times, and at no other.
    ready_at(times: &'static [u64]) => |_, run| same(times, &ready(run));
    /// Pings are sent at these times, and at no other.
    pings_at(times: &'static [u64]) => |_, run| same(times, &pinged(run));
    /// This many pings are sent.
    pings(count: usize) => move |_, run| same(&count, &pinged(run).len());
    /// Pongs are counted with these round trips, if known.
    round_trips(spans: &'static [Option<u64>]) => |_, run| same(spans, &round_trip(run));
    /// Retries are scheduled with these delays, and no other.
    delays(spans: &'static [u64]) => |_, run| same(spans, &delayed(run));
    /// Retries are scheduled, each with a delay within its bounds, and no other.
    delays_within(bounds: &'static [(u64, u64)]) => |_, run| within(bounds, &delayed(run));
    /// The first retries are scheduled, each with a delay within its bounds.
    delays_begin_within(bounds: &'static [(u64, u64)]) => |_, run| {
        let seen: Vec<_> = delayed(run).into_iter().take(bounds.len()).collect();
        within(bounds, &seen)
    };
    /// No delay equals the one that this seed would have drawn.
    delays_differ_from_those_of_seed(seed: u64) => move |scenario, run| {
        let other = alone::run(&Scenario { seed, ..scenario.clone() });
        let pairs = delayed(&other).into_iter().zip(delayed(run));
        none(pairs.filter(|(other, own)| other == own))
    };
    /// There are at least this many different delays.
    different_delays(count: usize) => move |_, run| differ(count, delayed(run));
    /// What decided each delay.
    because(reasons: &'static [&'static str]) => |_, run| same(reasons, &reasons_of(run));
    /// The numbers of the retries.
    retries(numbers: &'static [u32]) => |_, run| same(numbers, &numbers_of(run));
    /// Sockets are lost at these times for these causes, and no other.
    gone(causes: &'static [(u64, &'static str)]) => |_, run| same(&owned(causes)[..], &causes_of(run));
    /// Sockets are lost for these causes, in this order, at any time.
    gone_for(causes: &'static [&'static str]) => |_, run| {
        let seen: Vec<_> = causes_of(run).into_iter().map(|(_, cause)| cause).collect();
        same(causes, &strs(&seen))
    };
    /// The states in order, from the first change on.
    passes(states: &'static [ConnectionState]) => |_, run| same(states, &states_of(run));
    /// The state at the end.
    ends_in(state: ConnectionState) => move |_, run| same(&state, &run.state());
    /// The connection is given up for this cause.
    gives_up(cause: &'static str) => move |_, run| same(&[cause][..], &strs(&given_up(run)));
    /// The connection is not given up.
    never_gives_up() => |_, run| none(given_up(run));
    /// Messages are delivered to the application at these times, and no other.
    delivers(messages: &'static [(u64, &'static str)]) => |_, run| {
        same(&owned(messages), &run.diary.messages)
    };
    /// Texts of these lengths are delivered at these times, and nothing else.
    delivers_lengths(lengths: &'static [(u64, usize)]) => |_, run| {
        let seen = run.diary.messages.iter().map(|(at, text)| (*at, text.len()));
        same(lengths, &seen.collect::<Vec<_>>())
    };
    /// This many messages are delivered.
    delivers_count(count: usize) => move |_, run| same(&count, &run.diary.messages.len());
    /// The first ping is sent within these bounds.
    first_ping_within(low: u64, high: u64) => move |_, run| {
        within(&[(low, high)], &pinged(run).into_iter().take(1).collect::<Vec<_>>())
    };
    /// Pings have exactly this interval, and there are at least three.
    pings_apart_by(span: u64) => move |_, run| {
        let apart: Vec<_> = pinged(run).windows(2).map(|pair| pair[1] - pair[0]).collect();
        same(&vec![span; apart.len().max(2)], &apart)
    };
    /// The outcome of each message.
    outcomes(outcomes: &'static [&'static str]) => |_, run| same(outcomes, &strs(&run.diary.sends));
    /// The credentials with which each socket is opened.
    credentials(asked: &'static [Credentials]) => |_, run| same(asked, &asked_of(run));
    /// All frames that the peer of this socket sees: `MILLIS: FRAME`.
    peer_sees(socket: u64, frames: &'static [&'static str]) => move |_, run| {
        same(frames, &strs(&peer_saw(run, socket)))
    };
    /// The last frames that the peer of this socket sees.
    peer_sees_last(socket: u64, frames: &'static [&'static str]) => move |_, run| {
        let seen = peer_saw(run, socket);
        let last = seen.len().saturating_sub(frames.len());
        same(frames, &strs(&seen[last..]))
    };
    /// No peer sees a frame that contains this.
    no_peer_sees(text: &'static str) => move |_, run| {
        none(run.wire.iter().filter(|line| line.contains(text)))
    };
    /// The clock jumps that are noticed.
    jumps(spans: &'static [u64]) => |_, run| same(spans, &jumped(run));
    /// Nothing happens after this time.
    quiet_after(time: u64) => move |_, run| {
        none(run.sightings.iter().map(|seen| seen.at).filter(|at| *at > time))
    };
    /// At the end the connection has been ready for this long.
    ready_to_the_end_since(time: u64) => move |_, run| {
        let lost = causes_of(run).last().map_or(0, |(at, _)| *at);
        same(&(Some(time), true), &(ready(run).last().copied(), lost <= time))
    };
    /// No peer sees any frame.
    no_frame_leaves() => |_, run| none(run.wire.iter().filter(|line| wire::is_frame(line)));
}

fn same<T: PartialEq + Debug + ?Sized, S: Borrow<T> + Debug>(
    expected: &T,
    seen: &S,
) -> Result<(), String> {
    if expected == seen.borrow() {
        return Ok(());
    }
    Err(format!("\n    expected {expected:?}\n    seen     {seen:?}"))
}

fn none<T: PartialEq + Debug>(seen: impl IntoIterator<Item = T>) -> Result<(), String> {
    same::<[T], _>(&[], &seen.into_iter().collect::<Vec<_>>())
}

fn owned(pairs: &[(u64, &'static str)]) -> Vec<(u64, String)> {
    pairs.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn within(bounds: &[(u64, u64)], seen: &[u64]) -> Result<(), String> {
    let fits = bounds.len() == seen.len()
        && bounds.iter().zip(seen).all(|((low, high), span)| (low..=high).contains(&span));
    if fits { Ok(()) } else { Err(format!("{bounds:?}\n    seen     {seen:?}")) }
}

fn differ(least: usize, mut delays: Vec<u64>) -> Result<(), String> {
    delays.sort_unstable();
    delays.dedup();
    if delays.len() >= least {
        return Ok(());
    }
    Err(format!("at least {least}\n    seen     {delays:?}"))
}

fn acted(run: &Run, is_it: impl Fn(&Action) -> bool) -> Vec<u64> {
    run.actions().filter(|(_, action)| is_it(action)).map(|(at, _)| at).collect()
}

fn opened(run: &Run) -> Vec<u64> {
    acted(run, |action| matches!(action, Action::OpenSocket { .. }))
}

fn pinged(run: &Run) -> Vec<u64> {
    acted(run, is_ping)
}

fn asked_of(run: &Run) -> Vec<Credentials> {
    let asked = run.actions().filter_map(|(_, action)| match action {
        Action::OpenSocket { credentials, .. } => Some(*credentials),
        _ => None,
    });
    asked.collect()
}

fn noticed<T>(run: &Run, pick: impl Fn(u64, &Notice) -> Option<T>) -> Vec<T> {
    run.notices().filter_map(|(at, notice)| pick(at, notice)).collect()
}

fn ready(run: &Run) -> Vec<u64> {
    noticed(run, |at, notice| matches!(notice, Notice::Ready { .. }).then_some(at))
}

fn round_trip(run: &Run) -> Vec<Option<u64>> {
    noticed(run, |_, notice| match notice {
        Notice::PongReceived { round_trip, .. } => Some(round_trip.map(as_millis)),
        _ => None,
    })
}

fn delayed(run: &Run) -> Vec<u64> {
    noticed(run, |_, notice| match notice {
        Notice::RetryScheduled { delay, .. } => Some(as_millis(*delay)),
        _ => None,
    })
}

fn reasons_of(run: &Run) -> Vec<&'static str> {
    noticed(run, |_, notice| match notice {
        Notice::RetryScheduled { because, .. } => Some(because.name()),
        _ => None,
    })
}

fn numbers_of(run: &Run) -> Vec<u32> {
    noticed(run, |_, notice| match notice {
        Notice::RetryScheduled { attempt, .. } => Some(*attempt),
        _ => None,
    })
}

fn causes_of(run: &Run) -> Vec<(u64, String)> {
    noticed(run, |at, notice| match notice {
        Notice::Disconnected { cause, .. } => Some((at, trace::cause(*cause))),
        _ => None,
    })
}

fn states_of(run: &Run) -> Vec<ConnectionState> {
    noticed(run, |_, notice| match notice {
        Notice::StateChanged { to, .. } => Some(*to),
        _ => None,
    })
}

fn given_up(run: &Run) -> Vec<String> {
    noticed(run, |_, notice| match notice {
        Notice::GaveUp { cause } => Some(trace::gave_up(*cause)),
        _ => None,
    })
}

fn jumped(run: &Run) -> Vec<u64> {
    noticed(run, |_, notice| match notice {
        Notice::ClockJumped { by } => Some(as_millis(*by)),
        _ => None,
    })
}

/// `MILLIS: FRAME`, of one socket.
fn peer_saw(run: &Run, socket: u64) -> Vec<String> {
    let of = format!(" socket {socket}: ");
    let lines = run.wire.iter().filter_map(|line| line.split_once(&of));
    lines.map(|(at, what)| format!("{at}: {what}")).collect()
}

fn as_millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
