//! Expectations about a run, as data, each with a readable failure.

use std::fmt::Debug;

use gateway_core::{Action, ConnectionState, Credentials, Notice, Outgoing};

use crate::alone;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::trace;
use crate::wire;

/// An expectation. Times and spans are in milliseconds.
#[derive(Clone, Debug)]
pub struct See {
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Opens(Vec<u64>),
    OpenCount(usize),
    Ready(Vec<u64>),
    Pings(Vec<u64>),
    PingCount(usize),
    RoundTrips(Vec<Option<u64>>),
    Delays(Vec<u64>),
    DelaysWithin(Vec<(u64, u64)>),
    DelaysBeginWithin(Vec<(u64, u64)>),
    DelaysDiffer(usize),
    DelaysOfAnotherSeed(u64),
    Because(Vec<&'static str>),
    AttemptNumbers(Vec<u32>),
    Gone(Vec<(u64, &'static str)>),
    GoneFor(Vec<&'static str>),
    States(Vec<ConnectionState>),
    EndsIn(ConnectionState),
    GaveUp(&'static str),
    NeverGaveUp,
    Delivered(Vec<(u64, &'static str)>),
    DeliveredLengths(Vec<(u64, usize)>),
    DeliveredCount(usize),
    FirstPingWithin(u64, u64),
    PingsApart(u64),
    Sends(Vec<&'static str>),
    Credentials(Vec<Credentials>),
    PeerSaw(u64, Vec<&'static str>),
    PeerSawLast(u64, Vec<&'static str>),
    PeersNeverSaw(&'static str),
    Jumps(Vec<u64>),
    QuietAfter(u64),
    LongestReady(u64),
    WireIsEmpty,
}

macro_rules! sees {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),*) => $what:expr;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name($($argument: $kind),*) -> See {
                See { what: $what }
            }
        )*
    };
}

sees! {
    /// Sockets are opened at these times, and at no other.
    opens_at(times: &[u64]) => What::Opens(times.to_vec());
    /// This many sockets are opened.
    opens(count: usize) => What::OpenCount(count);
    /// The connection becomes ready at these times, and at no other.
    ready_at(times: &[u64]) => What::Ready(times.to_vec());
    /// Pings are sent at these times, and at no other.
    pings_at(times: &[u64]) => What::Pings(times.to_vec());
    /// This many pings are sent.
    pings(count: usize) => What::PingCount(count);
    /// Pongs are counted with these round trips, if known.
    round_trips(spans: &[Option<u64>]) => What::RoundTrips(spans.to_vec());
    /// Retries are scheduled with these delays, and no other.
    delays(spans: &[u64]) => What::Delays(spans.to_vec());
    /// Retries are scheduled, each with a delay within its bounds, and no other.
    delays_within(bounds: &[(u64, u64)]) => What::DelaysWithin(bounds.to_vec());
    /// The first retries are scheduled, each with a delay within its bounds.
    delays_begin_within(bounds: &[(u64, u64)]) => What::DelaysBeginWithin(bounds.to_vec());
    /// No delay equals the one that this seed would have drawn.
    delays_differ_from_those_of_seed(seed: u64) => What::DelaysOfAnotherSeed(seed);
    /// There are at least this many different delays.
    different_delays(count: usize) => What::DelaysDiffer(count);
    /// What decided each delay.
    because(reasons: &[&'static str]) => What::Because(reasons.to_vec());
    /// The numbers of the retries.
    retries(numbers: &[u32]) => What::AttemptNumbers(numbers.to_vec());
    /// Sockets are lost at these times for these causes, and no other.
    gone(causes: &[(u64, &'static str)]) => What::Gone(causes.to_vec());
    /// Sockets are lost for these causes, in this order, at any time.
    gone_for(causes: &[&'static str]) => What::GoneFor(causes.to_vec());
    /// The states in order, from the first change on.
    passes(states: &[ConnectionState]) => What::States(states.to_vec());
    /// The state at the end.
    ends_in(state: ConnectionState) => What::EndsIn(state);
    /// The connection is given up for this cause.
    gives_up(cause: &'static str) => What::GaveUp(cause);
    /// The connection is not given up.
    never_gives_up() => What::NeverGaveUp;
    /// Messages are delivered to the application at these times, and no other.
    delivers(messages: &[(u64, &'static str)]) => What::Delivered(messages.to_vec());
    /// Texts of these lengths are delivered at these times, and nothing else.
    delivers_lengths(lengths: &[(u64, usize)]) => What::DeliveredLengths(lengths.to_vec());
    /// This many messages are delivered.
    delivers_count(count: usize) => What::DeliveredCount(count);
    /// The first ping is sent within these bounds.
    first_ping_within(low: u64, high: u64) => What::FirstPingWithin(low, high);
    /// Pings have exactly this interval, and there are at least three.
    pings_apart_by(span: u64) => What::PingsApart(span);
    /// The outcome of each message.
    outcomes(outcomes: &[&'static str]) => What::Sends(outcomes.to_vec());
    /// The credentials with which each socket is opened.
    credentials(asked: &[Credentials]) => What::Credentials(asked.to_vec());
    /// All frames that the peer of this socket sees: `MILLIS: FRAME`.
    peer_sees(socket: u64, frames: &[&'static str]) => What::PeerSaw(socket, frames.to_vec());
    /// The last frames that the peer of this socket sees.
    peer_sees_last(socket: u64, frames: &[&'static str]) => What::PeerSawLast(socket, frames.to_vec());
    /// No peer sees a frame that contains this.
    no_peer_sees(text: &'static str) => What::PeersNeverSaw(text);
    /// The clock jumps that are noticed.
    jumps(spans: &[u64]) => What::Jumps(spans.to_vec());
    /// Nothing happens after this time.
    quiet_after(time: u64) => What::QuietAfter(time);
    /// At the end the connection has been ready for this long.
    ready_to_the_end_since(time: u64) => What::LongestReady(time);
    /// No peer sees any frame.
    no_frame_leaves() => What::WireIsEmpty;
}

impl See {
    /// Checks the expectation.
    ///
    /// # Errors
    /// What was seen instead.
    pub fn check(&self, scenario: &Scenario, run: &Run) -> Result<(), String> {
        match &self.what {
            What::Opens(times) => same("opens at", times, &opened(run).collect()),
            What::OpenCount(count) => same("opens", count, &opened(run).count()),
            What::Ready(times) => same("ready at", times, &ready(run)),
            What::Pings(times) => same("pings at", times, &pinged(run).collect()),
            What::PingCount(count) => same("pings", count, &pinged(run).count()),
            What::RoundTrips(spans) => same("round trips", spans, &round_trip(run)),
            What::Delays(spans) => same("delays", spans, &delayed(run)),
            What::DelaysWithin(bounds) => within(bounds, &delayed(run)),
            What::DelaysBeginWithin(bounds) => {
                let seen: Vec<_> = delayed(run).into_iter().take(bounds.len()).collect();
                within(bounds, &seen)
            }
            What::DelaysOfAnotherSeed(seed) => {
                let other = alone::run(&Scenario { seed: *seed, ..scenario.clone() });
                let pairs = delayed(&other).into_iter().zip(delayed(run));
                let alike: Vec<_> = pairs.filter(|(other, own)| other == own).collect();
                same("the same delays", &Vec::new(), &alike)
            }
            What::DelaysDiffer(least) => differ(*least, delayed(run)),
            What::Because(reasons) => same("delays because of", reasons, &reasons_of(run)),
            What::AttemptNumbers(numbers) => same("retries", numbers, &numbers_of(run)),
            What::Gone(causes) => same("gone", &owned(causes), &causes_of(run)),
            What::GoneFor(causes) => {
                let causes: Vec<_> = causes.iter().map(|cause| (*cause).to_owned()).collect();
                let seen: Vec<_> = causes_of(run).into_iter().map(|(_, cause)| cause).collect();
                same("gone for", &causes, &seen)
            }
            What::States(states) => same("passes", states, &states_of(run)),
            What::EndsIn(state) => same("ends in", state, &run.state()),
            What::GaveUp(cause) => same("gives up", &vec![(*cause).to_owned()], &given_up(run)),
            What::NeverGaveUp => same("gives up", &Vec::new(), &given_up(run)),
            What::Delivered(messages) => same("delivers", &owned(messages), &run.diary.messages),
            What::DeliveredLengths(lengths) => {
                let seen = run.diary.messages.iter().map(|(at, text)| (*at, text.len()));
                same("delivers texts of", lengths, &seen.collect())
            }
            What::DeliveredCount(count) => same("delivers", count, &run.diary.messages.len()),
            What::FirstPingWithin(low, high) => match pinged(run).next() {
                Some(at) if (low..=high).contains(&&at) => Ok(()),
                at => Err(format!("the first ping at {low} to {high}\n    seen     {at:?}")),
            },
            What::PingsApart(span) => {
                let times: Vec<_> = pinged(run).collect();
                let apart: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
                same("pings apart by", &vec![*span; apart.len().max(2)], &apart)
            }
            What::Sends(outcomes) => {
                let seen: Vec<_> = run.diary.sends.iter().map(String::as_str).collect();
                same("outcomes", outcomes, &seen)
            }
            What::Credentials(asked) => same("credentials", asked, &asked_of(run)),
            What::PeerSaw(socket, frames) => {
                let frames: Vec<_> = frames.iter().map(|frame| (*frame).to_owned()).collect();
                same(&format!("the peer of socket {socket} sees"), &frames, &peer_saw(run, *socket))
            }
            What::PeerSawLast(socket, frames) => {
                let seen = peer_saw(run, *socket);
                let last = seen.len().saturating_sub(frames.len());
                let frames: Vec<_> = frames.iter().map(|frame| (*frame).to_owned()).collect();
                same(
                    &format!("the peer of socket {socket} sees last"),
                    &frames,
                    &seen[last..].to_vec(),
                )
            }
            What::PeersNeverSaw(text) => {
                let seen: Vec<_> = run.wire.iter().filter(|line| line.contains(text)).collect();
                same("sees of what it never should", &Vec::new(), &seen)
            }
            What::Jumps(spans) => same("clock jumps by", spans, &jumped(run)),
            What::QuietAfter(time) => {
                let late: Vec<_> = run.sightings.iter().filter(|seen| seen.at > *time).collect();
                same("events after the quiet", &0, &late.len())
            }
            What::LongestReady(time) => {
                let lost = causes_of(run).last().map_or(0, |(at, _)| *at);
                let since = ready(run).last().copied();
                same(
                    "ready since, and lost last before",
                    &(Some(*time), true),
                    &(since, lost <= *time),
                )
            }
            What::WireIsEmpty => {
                let frames: Vec<_> = run.wire.iter().filter(|line| wire::is_frame(line)).collect();
                same("frames", &Vec::new(), &frames)
            }
        }
    }
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, seen: &T) -> Result<(), String> {
    if expected == seen {
        return Ok(());
    }
    Err(format!("{what}\n    expected {expected:?}\n    seen     {seen:?}"))
}

fn owned(pairs: &[(u64, &'static str)]) -> Vec<(u64, String)> {
    pairs.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
}

fn within(bounds: &[(u64, u64)], seen: &[u64]) -> Result<(), String> {
    let fits = bounds.len() == seen.len()
        && bounds.iter().zip(seen).all(|((low, high), delay)| (low..=high).contains(&delay));
    if fits { Ok(()) } else { Err(format!("delays within {bounds:?}\n    seen     {seen:?}")) }
}

fn differ(least: usize, mut delays: Vec<u64>) -> Result<(), String> {
    delays.sort_unstable();
    delays.dedup();
    if delays.len() >= least {
        return Ok(());
    }
    Err(format!("at least {least} different delays\n    seen     {delays:?}"))
}

fn opened(run: &Run) -> impl Iterator<Item = u64> {
    run.actions()
        .filter(|(_, action)| matches!(action, Action::OpenSocket { .. }))
        .map(|(at, _)| at)
}

fn pinged(run: &Run) -> impl Iterator<Item = u64> {
    let is_ping = |action: &Action| {
        matches!(action, Action::Send(_, Outgoing::Ping(_) | Outgoing::WebSocketPing(_)))
    };
    run.actions().filter(move |(_, action)| is_ping(action)).map(|(at, _)| at)
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
