use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;

const HOUR: u64 = 3_600_000;

/// A watch for this test only.
fn watch() -> &'static Watch {
    Box::leak(Box::new(Watch::new()))
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn woken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Clocks that go on while the watch waits. The machine sleeps for `sleeps.1` ms before the read
/// with the number `sleeps.0`.
struct Scripted {
    reads: u64,
    sleeps: (u64, u64),
    slept: u64,
    until: u64,
}

impl Scripted {
    /// The clocks run until `until` milliseconds have passed.
    fn until(until: u64) -> Self {
        Self { reads: 0, sleeps: (0, 0), slept: 0, until }
    }
}

impl Clocks for Scripted {
    fn read(&mut self) -> (Instant, UnixMillis) {
        self.reads += 1;
        if self.reads == self.sleeps.0 {
            self.slept = self.sleeps.1;
        }
        let now = (self.reads - 1) * 5_000;
        (Instant::from_millis(now), UnixMillis(1_700_000_000_000 + now + self.slept))
    }

    fn wait<'a>(
        &mut self,
        _: &Condvar,
        mut registry: MutexGuard<'a, Registry>,
        _: impl Fn(&mut Registry) -> bool,
    ) -> MutexGuard<'a, Registry> {
        if self.reads * 5_000 > self.until {
            registry.run = None;
        }
        registry
    }
}

#[test]
fn a_watch_looks_twelve_times_a_minute_and_wakes_nobody_without_a_suspend() {
    let (watch, count) = (watch(), Arc::<Count>::default());
    let (registration, run) = watch.add(Waker::from(Arc::clone(&count)));
    let mut clocks = Scripted::until(HOUR);

    watch.run(run.unwrap(), &mut clocks);

    assert_eq!(PERIOD, Duration::from_secs(5));
    assert_eq!(clocks.reads, 12 * 60 + 1, "the first is no wake-up");
    assert_eq!(count.woken(), 0);
    assert_eq!(registration.take(), None);
}

#[test]
fn a_suspend_wakes_everyone_once_and_is_taken_once() {
    let (watch, count) = (watch(), Arc::<Count>::default());
    let (first, run) = watch.add(Waker::from(Arc::clone(&count)));
    let (second, no_run) = watch.add(Waker::from(Arc::clone(&count)));
    assert_eq!(no_run, None, "one thread serves all");
    let mut clocks = Scripted { sleeps: (7, HOUR), ..Scripted::until(60_000) };

    watch.run(run.unwrap(), &mut clocks);

    assert_eq!(count.woken(), 2);
    for registration in [first, second] {
        assert_eq!(registration.take(), Some(Suspend::Ahead(Duration::from_secs(3_600))));
        assert_eq!(registration.take(), None);
    }
}

#[test]
fn the_longest_suspend_is_kept_until_it_is_taken() {
    let watch = watch();
    let (registration, _) = watch.add(Waker::noop().clone());
    let mut detector = SuspendDetector::new();
    for (now, wall) in [(0, 0), (5, 65), (10, 370), (15, 407)] {
        let seconds = |seconds| Duration::from_secs(seconds);
        let clocks = (
            Instant::ZERO.saturating_add(seconds(now)),
            UnixMillis(0).saturating_add(seconds(wall)),
        );
        watch.look(&mut detector, clocks);
    }

    assert_eq!(registration.take(), Some(Suspend::Ahead(Duration::from_secs(300))));
    assert_eq!(registration.take(), None);
}

#[test]
fn a_waker_that_panics_or_drops_a_registration_disturbs_no_other() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the program's own");
        }
    }
    struct Drops(Mutex<Option<SuspendWatch>>);
    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            drop(lock(&self.0).take());
        }
    }
    let (watch, count) = (watch(), Arc::<Count>::default());
    let drops = Arc::new(Drops(Mutex::new(None)));
    let (_first, run) = watch.add(Waker::from(Arc::new(Panics)));
    *lock(&drops.0) = Some(watch.add(Waker::from(Arc::clone(&drops))).0);
    let (last, _) = watch.add(Waker::from(Arc::clone(&count)));
    let mut clocks = Scripted { sleeps: (3, HOUR), ..Scripted::until(60_000) };

    watch.run(run.unwrap(), &mut clocks);

    assert_eq!(count.woken(), 1);
    assert!(last.take().is_some());
    assert_eq!(lock(&watch.registry).listeners.len(), 2);
}

#[test]
fn a_run_ends_with_the_last_registration_and_the_next_one_begins_another() {
    let watch = watch();
    let (first, first_run) = watch.add(Waker::noop().clone());
    let (second, _) = watch.add(Waker::noop().clone());
    drop(first);
    assert_eq!(lock(&watch.registry).run, first_run, "the second is there yet");
    drop(second);
    assert_eq!(lock(&watch.registry).run, None);
    let (_third, third_run) = watch.add(Waker::noop().clone());
    assert!(third_run.is_some() && third_run != first_run);

    // The first run's thread had not noticed its end before the third registration came.
    let mut clocks = Scripted::until(HOUR);
    watch.run(first_run.unwrap(), &mut clocks);

    assert_eq!(clocks.reads, 1, "an old run ends at its next look at the registry");
}

#[test]
fn a_thread_that_waits_ends_at_once_when_the_last_registration_is_dropped() {
    let watch = watch();
    let (registration, run) = watch.add(Waker::noop().clone());
    let run = run.unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    let mut clocks = Real { clocks: SystemClocks::start(), period: Duration::from_secs(3_600) };
    let thread = thread::spawn(move || {
        watch.run(run, &mut clocks);
        ended.send(()).unwrap();
    });
    while watch.looks.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }

    drop(registration);

    end.recv_timeout(Duration::from_secs(20)).expect("it does not wait for its next look");
    thread.join().unwrap();
    assert_eq!(watch.looks.load(Ordering::Relaxed), 1);
}
