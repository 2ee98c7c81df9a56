use std::io;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use gateway_core::{Config, Credentials, Instant, NoDialect, Notice, SocketId, UnixMillis};

use super::super::tests::ready_engine;
use super::super::{ByteStream, Dialled, Engine, Host};
use crate::endpoint::Endpoint;
use crate::event::ClientEvent;
use crate::open_failure::OpenFailure;
use crate::session::Session;
use crate::suspend::{SuspendDetector, Watch};

const PERIOD: Duration = Duration::from_secs(5);
const WALL: UnixMillis = UnixMillis(1_700_000_000_000);
const DAY: i64 = 86_400;

/// A machine whose attempts never open, with clocks that the test sets.
struct Machine {
    now: Instant,
    wall: UnixMillis,
}

enum NoStream {}

impl ByteStream for NoStream {
    fn read<T>(&mut self, _: usize, _: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        match *self {}
    }
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }
    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
    fn shutdown(&mut self) {
        match *self {}
    }
    fn fails_whole(&self) -> bool {
        match *self {}
    }
}

impl Host for Machine {
    type Dialing = ();
    type Stream = NoStream;

    fn now(&self) -> Instant {
        self.now
    }

    fn wall(&self) -> UnixMillis {
        self.wall
    }

    fn dial(&mut self, _: SocketId, _: Credentials, _: Option<Arc<Endpoint>>) {}

    fn poll_dialing(&mut self, (): &mut ()) -> Poll<Result<Dialled<NoStream>, OpenFailure>> {
        Poll::Pending
    }
}

/// An engine that connects under the test's own watch.
struct Watched {
    watch: &'static Watch,
    detector: SuspendDetector,
    engine: Engine<Machine>,
}

impl Watched {
    fn connecting(detector: SuspendDetector) -> Self {
        let config = Config::builder().connect_timeout(Duration::from_secs(600)).build().unwrap();
        let session = Session::new(Arc::new(config), 7, Box::new(NoDialect));
        let mut engine = Engine::new(session, Machine { now: Instant::ZERO, wall: WALL });
        let watch: &'static Watch = Box::leak(Box::new(Watch::new()));
        engine.suspends.watch = Some(watch.add(Waker::noop().clone()).0);
        let mut watched = Self { watch, detector, engine };
        watched.look();
        watched.engine.connect();
        watched
    }

    /// Sets the wall clock forward by `seconds`.
    fn set(&mut self, seconds: i64) {
        let wall = &mut self.engine.host.wall;
        *wall = UnixMillis(wall.0.saturating_add_signed(seconds * 1_000));
    }

    /// Moves both clocks forward.
    fn pass(&mut self, span: Duration) {
        let machine = &mut self.engine.host;
        machine.now = machine.now.saturating_add(span);
        machine.wall = machine.wall.saturating_add(span);
    }

    fn look(&mut self) {
        let machine = &self.engine.host;
        self.watch.look(&mut self.detector, (machine.now, machine.wall));
    }

    /// Moves the wall clock by each number of seconds before a look of the watch, then drives the
    /// engine.
    fn after(&mut self, steps: &[i64]) -> Vec<Duration> {
        for step in steps {
            self.set(*step);
            self.pass(PERIOD);
            self.look();
            let _ = self.engine.look();
        }
        self.jumps()
    }

    /// The clock jumps that the core reports.
    fn jumps(&mut self) -> Vec<Duration> {
        while self.engine.carry_out_orders() {}
        let events = std::iter::from_fn(|| self.engine.take_event());
        let jump = |event| match event {
            ClientEvent::Notice(Notice::ClockJumped { by }) => Some(by),
            _ => None,
        };
        events.filter_map(jump).collect()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_clock_set_back_is_nothing_and_one_far_ahead_is_one_jump() {
    for (steps, expected) in [
        (vec![0; 20], vec![]),
        (vec![-DAY, 0, 0], vec![]),
        (vec![29, 0, 0], vec![]),
        (vec![59, 0, 0], vec![]), // seen by the watch, but below twice the interval of 30 s
        (vec![DAY, 0, 0], vec![seconds(86_400)]),
        (vec![-DAY, DAY, 0], vec![seconds(86_400)]),
    ] {
        let mut watched = Watched::connecting(SuspendDetector::new());
        assert_eq!(watched.after(&steps), expected, "{steps:?}");
    }
}

#[test]
fn a_suspend_that_a_deadline_has_shown_already_is_not_reported_again() {
    let mut watched = Watched::connecting(SuspendDetector::new());
    watched.after(&[0, 0, 0]);

    // The machine wakes, and a deadline fires before the watch looks. Then the application is slow.
    watched.set(3_600);
    watched.engine.fire(watched.engine.host.now);
    let by_the_deadline = watched.jumps();
    watched.pass(PERIOD);
    watched.look();
    watched.pass(seconds(60));
    let _ = watched.engine.look();

    assert_eq!(by_the_deadline, [seconds(3_600)]);
    assert!(watched.jumps().is_empty());
}

#[test]
fn a_suspend_in_which_both_clocks_went_on_is_reported_by_its_length() {
    let mut watched = Watched::connecting(SuspendDetector::with_period(PERIOD));
    watched.pass(PERIOD);
    watched.look();

    watched.pass(seconds(300));
    watched.look();
    let _ = watched.engine.look();

    assert_eq!(watched.jumps(), [seconds(295)]);
}

#[test]
fn a_suspend_after_the_end_is_no_news() {
    let mut watched = Watched::connecting(SuspendDetector::new());
    watched.engine.close(gateway_core::CloseFrame::NORMAL);
    watched.jumps();
    assert!(watched.engine.session().is_over());

    watched.after(&[DAY]);

    assert!(!watched.engine.session().has_events());
}

#[test]
fn a_probe_is_written_before_the_application_takes_the_news_of_the_suspend() {
    const LATER: UnixMillis = UnixMillis(WALL.0 + 3_600_000);
    const PING: usize = 2 + 4 + 1; // head, mask, number

    let (mut engine, server) = ready_engine();
    let watch: &'static Watch = Box::leak(Box::new(Watch::new()));
    engine.suspends.watch = Some(watch.add(Waker::noop().clone()).0);
    let mut detector = SuspendDetector::new();
    watch.look(&mut detector, (Instant::ZERO, WALL));
    watch.look(&mut detector, (Instant::ZERO, LATER));
    server.set_wall(LATER);
    assert!(engine.check_suspend());
    assert_eq!(server.taken(), PING, "noticed by the watch");

    let (mut engine, server) = ready_engine();
    engine.report_wall_clock(Instant::ZERO);
    server.set_wall(LATER);
    engine.connect();
    assert_eq!(server.taken(), PING, "noticed by a request to connect");
}
