//! Compares the promised outcomes with what the server saw.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use gateway_wire::Fate;

use super::app::{App, DELAY, INTERVAL};
use super::server::{Seen, Story};
use super::watch::Watch;
use super::world::World;

/// The longest that a silent socket may go unnoticed: interval and timeout, which are more than each deadline of its
/// opening, its login and its close.
const SILENCE: Duration = Duration::from_secs(35);

/// What a run has come to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Verdict {
    /// Messages that are said to be sent and never arrived, or were never yielded.
    pub lost: usize,
    /// Messages that arrived twice, or were yielded or settled twice.
    pub doubled: usize,
    /// Sockets that the client still holds.
    pub sockets_left: usize,
    /// Tasks that still live.
    pub tasks_left: usize,
    /// Polls of the byte streams.
    pub points: usize,
    /// Sockets that were dialled, and attempts whose provider gave no request.
    pub dials: usize,
    /// Everything that is not as it was promised.
    pub complaints: Vec<String>,
}

impl Verdict {
    /// Judges a run that has come to its end: the client is gone, and so are its sockets.
    #[must_use]
    pub fn of(world: &World, app: &App, watch: &Watch, elapsed: Duration) -> Self {
        let mut verdict = Self::of_unfinished(world, app, watch);
        verdict.hold(app.is_over(), || "the application was never done".to_owned());
        let seen = world.seen();
        if seen.last().is_some_and(|(_, is_hurt)| !is_hurt) {
            let last = &seen[seen.len() - 1].0;
            verdict.hold(last.closes == 1, || format!("{} Closes at the end", last.closes));
            for [asked, answered] in [last.pings, last.json_pings] {
                verdict.hold(asked == answered, || format!("{asked} pings, {answered} pongs"));
            }
            let beats = usize::from(world.story() != Story::Quiet);
            verdict.hold(last.heartbeats == beats, || format!("{} heartbeats", last.heartbeats));
        }
        verdict.hold_time(world, elapsed, seen.len());
        verdict.hold_fates_of_a_fair_run(world, app);
        verdict
    }

    /// Checks a run that was cut off: everything reported until then must be true.
    #[must_use]
    pub fn of_unfinished(world: &World, app: &App, watch: &Watch) -> Self {
        let seen = world.seen();
        let [alive, most_alive] = world.alive();
        let mut verdict = Self {
            sockets_left: alive,
            points: world.points().len(),
            dials: seen.len(),
            doubled: app.doubled,
            complaints: app.complaints.clone(),
            ..Self::default()
        };
        verdict.hold(alive == 0, || format!("{alive} sockets are left"));
        let questions = world.questions();
        verdict.hold(questions == 0, || format!("{questions} questions are left"));
        verdict.hold(most_alive <= 1, || format!("{most_alive} sockets at one time"));
        let violation = watch.violation();
        verdict.hold(violation.is_none(), || format!("{violation:?}"));
        verdict.hold_wire(&seen);
        verdict.hold_received(&seen, &app.received, app.is_over());
        verdict.hold_fates(&seen, app);
        verdict
    }

    /// Complains where something is not as it was promised.
    pub fn hold(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds {
            self.complaints.push(complaint());
        }
    }

    /// No frame follows a Close, and no pong comes unasked.
    pub fn hold_wire(&mut self, seen: &[(Seen, bool)]) {
        for (number, (socket, _)) in (1..).zip(seen) {
            let Seen { closes, after_close, pings, json_pings, .. } = socket;
            self.hold(*closes <= 1, || format!("{closes} Close frames on socket {number}"));
            self.hold(*after_close == 0, || {
                format!("{after_close} frames after a Close: {number}")
            });
            for [asked, answered] in [pings, json_pings] {
                self.hold(answered <= asked, || format!("{answered} pongs of {asked} pings"));
            }
        }
    }

    /// The client must yield the messages of each socket in order and once: all of them at the end, or
    /// those before the fault.
    pub fn hold_received(&mut self, seen: &[(Seen, bool)], received: &[String], is_over: bool) {
        let mut received = received.iter().peekable();
        for (number, (socket, is_hurt)) in (1..).zip(seen) {
            let mut sent = socket.sent.iter();
            let mine = format!("{number}: ");
            while let Some(text) = received.next_if(|text| text.starts_with(&mine)) {
                if sent.next() != Some(text) {
                    self.doubled += 1;
                    self.complaints.push(format!("{text:?} came out of turn, or twice"));
                }
            }
            let missing = sent.count();
            if missing > 0 && !is_hurt && is_over {
                self.lost += missing;
                self.complaints.push(format!("{missing} messages of socket {number} are lost"));
            }
        }
        if let Some(text) = received.next() {
            self.doubled += 1;
            self.complaints.push(format!("{text:?} came after a later socket's"));
        }
    }

    /// A message that is sent has arrived once, one that is rejected never, and all in order.
    fn hold_fates(&mut self, seen: &[(Seen, bool)], app: &App) {
        let arrived = |text: &str| -> Vec<u64> {
            let on = |(number, (socket, _)): (u64, &(Seen, bool))| {
                let times = socket.messages.iter().filter(|other| *other == text).count();
                vec![number; times]
            };
            (1..).zip(seen).flat_map(on).collect()
        };
        for one in &app.tries {
            let on = arrived(&one.text);
            if on.len() > 1 {
                self.doubled += 1;
                self.complaints.push(format!("{:?} arrived on {on:?}", one.text));
            }
            let is_true = match (one.number, one.fate) {
                (None, _) if one.is_unknown => true,
                (None, _) => on.is_empty(),
                (Some(_), Some(Fate::Sent { socket })) => {
                    self.lost += usize::from(on.is_empty());
                    on == [socket.number()]
                }
                (Some(_), Some(Fate::MaybeSent { socket })) => {
                    on.is_empty() || on == [socket.number()]
                }
                (Some(_), Some(Fate::Rejected)) => on.is_empty(),
                (Some(_), Some(_)) => false,
                (Some(_), None) => !app.is_over(),
            };
            self.hold(is_true, || format!("{one:?} arrived on {on:?}"));
        }
        let order = |text: &String| app.tries.iter().position(|one| one.text == *text);
        for (socket, _) in seen {
            let is_ordered = socket.messages.iter().map(order).is_sorted();
            self.hold(is_ordered, || format!("out of order: {:?}", socket.messages));
        }
    }

    /// A poll that waits and wakes costs no time; a socket that is lost costs one delay, and silence its deadline.
    fn hold_time(&mut self, world: &World, elapsed: Duration, dials: usize) {
        let retries = u32::try_from(dials.saturating_sub(1)).unwrap_or(u32::MAX);
        let [_, stalls] = world.hurts();
        let least = DELAY * retries;
        let rounding = Duration::from_millis(2) * (retries + 1);
        let beats = INTERVAL * (retries + 1); // a socket waits for its first heartbeat
        let most = least + SILENCE * u32::try_from(stalls).unwrap_or(u32::MAX) + beats + rounding;
        self.hold(least <= elapsed && elapsed <= most, || {
            format!("it took {elapsed:?}, and not {least:?} to {most:?}, with {retries} retries")
        });
        let allowed = world.hurts()[0] + usize::from(world.story() == Story::Restart);
        self.hold(dials <= 1 + allowed, || format!("{dials} sockets for {allowed} losses"));
    }

    /// Where nothing was hurt everything is sent, on one socket.
    fn hold_fates_of_a_fair_run(&mut self, world: &World, app: &App) {
        if world.hurts()[0] > 0 || world.story() == Story::Restart {
            return;
        }
        let is_sent = |fate: &Option<Fate>| matches!(fate, Some(Fate::Sent { .. }));
        let all = app.tries.iter().filter(|one| one.number.is_some());
        self.hold(all.clone().all(|one| is_sent(&one.fate)), || format!("{:?}", app.tries));
    }
}

/// What many runs have come to.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sum {
    runs: usize,
    lost: usize,
    doubled: usize,
    sockets_left: usize,
    tasks_left: usize,
    dials: usize,
    wrong: Vec<String>,
}

impl Sum {
    /// Adds one, which was run like this.
    pub fn add(&mut self, verdict: &Verdict, how: &dyn fmt::Debug) {
        *self += verdict;
        if !verdict.complaints.is_empty() {
            self.wrong.push(format!("{how:?}: {:#?}", verdict.complaints));
        }
    }

    /// How many runs there were.
    #[must_use]
    pub const fn runs(&self) -> usize {
        self.runs
    }

    /// # Panics
    /// Something was not as it was promised: the first few are shown.
    pub fn is_flawless(&self) {
        let few = &self.wrong[..self.wrong.len().min(3)];
        assert!(
            few.is_empty(),
            "{self}; {} are wrong, first:\n{}",
            self.wrong.len(),
            few.join("\n")
        );
        assert_eq!([self.lost, self.doubled, self.sockets_left, self.tasks_left], [0; 4], "{self}");
    }
}

impl AddAssign<&Verdict> for Sum {
    fn add_assign(&mut self, verdict: &Verdict) {
        self.runs += 1;
        self.lost += verdict.lost;
        self.doubled += verdict.doubled;
        self.sockets_left += verdict.sockets_left;
        self.tasks_left += verdict.tasks_left;
        self.dials += verdict.dials;
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, lost, doubled, sockets_left, tasks_left, dials, .. } = self;
        write!(f, "{runs} runs, {dials} sockets, {lost} lost, {doubled} doubled, ")?;
        write!(f, "{sockets_left} sockets left, {tasks_left} tasks left")
    }
}
