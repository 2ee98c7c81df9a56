//! The scenarios. A thread blocks on the driver; others use handles, events and permits.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize as Count;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gateway_core::{
    CloseFrame, Config, ConnectionState, Event, HeartbeatKind, NoDialect, Observed, Observer,
    SendRejection,
};
use gateway_wire::{
    ClientEvent, CorrelationError, Correlator, EndKind, Endpoint, Engine, Limits, Message, Name,
    Progress, RequestErrorKind, Session, Source as _,
};
use loom::future::block_on;
use loom::thread;

use crate::host::{ECHOED, Peer, Tokio};
use crate::open::Opener;
use crate::spawn::{Driver, Events, Handle, HandleErrorKind, MemberEvents, split};
use crate::sync::Ordering;
use crate::wakers::Wakers;

const PLENTY: usize = 1 << 20;

/// A connected client, and its peer.
struct Subject {
    handle: Handle,
    events: Events,
    driver: Driver,
    peer: Arc<Peer>,
    wakers: Arc<Wakers>,
}

/// Makes one whose write buffer is full beyond `high_water` bytes. The peer takes no byte yet.
fn subject(high_water: usize) -> Subject {
    subject_with(high_water, |session| session)
}

/// The same, with more that its session has.
fn subject_with(high_water: usize, more: impl FnOnce(Session) -> Session) -> Subject {
    let config = Config::builder().heartbeat(HeartbeatKind::Off).build().unwrap();
    let mut limits = Limits::default();
    limits.high_water = high_water;
    let session = Session::new(config.into(), 7, Box::new(NoDialect)).with_limits(limits);
    let session = more(session);
    let (peer, wakers) = (Arc::new(Peer::new(PLENTY)), Arc::<Wakers>::default());
    let endpoint = Endpoint::builder("ws://gateway.example").build().unwrap();
    let host = Tokio {
        opener: Arc::new(Opener { endpoint }),
        waker: Waker::from(Arc::clone(&wakers)),
        peer: Arc::clone(&peer),
    };
    let mut engine = Box::new(Engine::new(session, host));
    engine.begin();
    while engine.carry_out_orders() || engine.look() == Progress::Made {}
    assert!(engine.session().is_ready());
    while engine.take_event().is_some() {}
    let (handle, events, driver) = split(engine, Arc::clone(&wakers));
    Subject { handle, events, driver, peer, wakers }
}

/// Runs this in every order of turns, with at most so many preemptions: that many times a thread is
/// interrupted where it could have gone on.
#[allow(clippy::print_stdout, reason = "how many orders there are is a result")]
fn explore(name: &str, preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let orders = Arc::new(Count::new(0));
    let counted = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(move || {
        counted.fetch_add(1, SeqCst);
        run();
    });
    let orders = orders.load(SeqCst);
    println!("interleavings, {name}: {orders} orders");
    assert!(orders > 10, "{orders} orders only");
}

/// Polls a future once, and drops it.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn what_is_sent_is_written_and_the_last_drop_closes() {
    explore("a send and the last drop", 3, || {
        let Subject { handle, events, driver, peer, .. } = subject(PLENTY);
        drop(events);
        let sender = thread::spawn(move || {
            block_on(handle.send("one")).unwrap();
            handle.try_send("two").unwrap();
        });
        block_on(driver); // returns: its last user is gone, and the peer has answered its Close
        sender.join().unwrap();
        assert_eq!(peer.received(), (vec!["one".into(), "two".into()], true));
    });
}

#[test]
fn a_send_wakes_the_driver_and_its_echo_the_reader() {
    explore("an echo", 3, || {
        let Subject { handle, mut events, driver, .. } = subject(PLENTY);
        let user = thread::spawn(move || {
            block_on(handle.send(ECHOED)).unwrap();
            assert_eq!(block_on(events.next()), Some(ClientEvent::Message(ECHOED.into())));
        });
        block_on(driver);
        user.join().unwrap();
    });
}

/// Each request is the text that the peer echoes.
struct Echo;

impl Correlator for Echo {
    fn attach(&mut self, _: u64, _: &Message) -> Result<Message, CorrelationError> {
        Ok(ECHOED.into())
    }

    fn answered(&mut self, message: &Message) -> Option<u64> {
        (message.as_text() == Some(ECHOED)).then_some(1)
    }

    fn greatest_id(&self) -> u64 {
        1
    }
}

#[test]
fn an_answer_wakes_its_caller() {
    explore("a request and its answer", 3, || {
        let asks = |session: Session| session.with_requests(Box::new(Echo));
        let Subject { handle, events, driver, .. } = subject_with(PLENTY, asks);
        drop(events);
        let caller = thread::spawn(move || {
            let answer = block_on(handle.request("", Duration::from_secs(60)));
            assert_eq!(answer, Ok(ECHOED.into()));
        });
        block_on(driver);
        caller.join().unwrap();
    });
}

#[test]
fn a_request_ends_with_its_driver() {
    explore("a request whose driver is dropped", 2, || {
        let asks = |session: Session| session.with_requests(Box::new(Echo));
        let Subject { handle, events, driver, .. } = subject_with(PLENTY, asks);
        drop(events);
        let caller = thread::spawn(move || {
            let answer = block_on(handle.request("", Duration::from_secs(60)));
            assert_eq!(answer.unwrap_err().kind(), &RequestErrorKind::Gone);
        });
        drop(driver);
        caller.join().unwrap();
    });
}

#[test]
fn two_threads_get_numbers_in_the_order_on_the_wire() {
    explore("two senders", 2, || {
        let Subject { handle, events, driver, peer, .. } = subject(PLENTY);
        drop(events);
        let other = handle.clone();
        let [one, two] = [(handle, "one"), (other, "two")].map(|(handle, text)| {
            thread::spawn(move || block_on(handle.send(text)).unwrap().id().number())
        });
        block_on(driver);
        let (one, two) = (one.join().unwrap(), two.join().unwrap());
        let expected = if one < two { ["one", "two"] } else { ["two", "one"] };
        assert_eq!(one + two, 3);
        assert_eq!(peer.received().0, expected);
    });
}

/// The buffer is full. The peer takes bytes while two wait: nobody waits without end, also if the one
/// whose turn it is is dropped.
#[test]
fn a_turn_comes_to_everyone_who_waits() {
    for is_dropped in [false, true] {
        explore("two wait for space", 1, move || {
            let Subject { handle, events, driver, peer, wakers } = subject(0);
            drop(events);
            peer.takes.store(0, Ordering::Release);
            handle.try_send("fills").unwrap();
            let other = handle.clone();
            let waiting =
                thread::spawn(move || block_on(other.send("waits")).unwrap().id().number());
            let taking = Arc::clone(&peer);
            let taking = thread::spawn(move || {
                taking.takes.store(PLENTY, Ordering::Release);
                wakers.wake_all();
            });
            let first = handle.clone();
            drop(handle);
            let driving = thread::spawn(move || block_on(driver));
            if is_dropped {
                let _ = poll_once(first.send("dropped"));
            } else {
                block_on(first.send("also waits")).unwrap();
            }
            drop(first);
            waiting.join().unwrap();
            taking.join().unwrap();
            driving.join().unwrap();
            let (texts, is_closed) = peer.received();
            assert!(is_closed && texts.contains(&"waits".to_owned()), "{texts:?}");
        });
    }
}

#[test]
fn a_permit_that_is_given_up_or_used_wakes_the_next() {
    for is_used in [false, true] {
        explore("a permit", 2, move || {
            let Subject { handle, events, driver, peer, .. } = subject(10);
            drop(events);
            let permit = block_on(handle.reserve(100)).unwrap();
            let waiting = thread::spawn(move || block_on(handle.send("waits")).unwrap());
            let holder = thread::spawn(move || match is_used {
                true => drop(permit.send("used").unwrap()),
                false => drop(permit),
            });
            block_on(driver);
            waiting.join().unwrap();
            holder.join().unwrap();
            let expected: &[&str] = if is_used { &["used", "waits"] } else { &["waits"] };
            assert_eq!(peer.received().0, expected);
        });
    }
}

#[test]
fn a_reader_gets_what_comes() {
    explore("a message for a reader", 2, || {
        let Subject { handle, mut events, driver, peer, wakers } = subject(PLENTY);
        drop(handle);
        let reader = thread::spawn(move || block_on(events.next()));
        let server = thread::spawn(move || {
            peer.send(b"\x81\x03one");
            wakers.wake_all();
        });
        block_on(driver);
        server.join().unwrap();
        assert_eq!(reader.join().unwrap(), Some(ClientEvent::Message("one".into())));
    });
}

#[test]
fn a_reader_is_told_of_the_end() {
    explore("a close for a reader", 2, || {
        let Subject { handle, mut events, driver, .. } = subject(PLENTY);
        let reader = thread::spawn(move || while block_on(events.next()).is_some() {});
        let closer = thread::spawn(move || handle.close(CloseFrame::NORMAL).unwrap());
        block_on(driver);
        closer.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn those_who_wait_for_a_state_see_it() {
    explore("a close", 2, || {
        let Subject { handle, events, driver, .. } = subject(PLENTY);
        drop(events);
        let closer = handle.clone();
        let closing = thread::spawn(move || closer.close(CloseFrame::NORMAL).unwrap());
        let waiting = thread::spawn(move || {
            let end = block_on(handle.closed());
            (end.kind(), handle.state())
        });
        block_on(driver);
        closing.join().unwrap();
        assert_eq!(waiting.join().unwrap(), (EndKind::Closed, ConnectionState::Closed));
    });
}

#[test]
fn a_connect_after_closed_wakes_the_driver() {
    explore("a connect", 3, || {
        let Subject { handle, events, driver, .. } = subject(PLENTY);
        drop(events);
        handle.close(CloseFrame::NORMAL).unwrap();
        let user = thread::spawn(move || {
            block_on(handle.closed());
            handle.connect().unwrap();
            block_on(handle.ready()).unwrap();
        });
        block_on(driver);
        user.join().unwrap();
    });
}

/// The runtime is shut down while a thread waits. The wait ends.
fn ends(name: &str, wait: fn(Handle, Events)) {
    explore(name, 3, move || {
        let Subject { handle, events, driver, peer, .. } = subject(0);
        peer.takes.store(0, Ordering::Release);
        handle.try_send("fills").unwrap();
        let waiting = thread::spawn(move || wait(handle, events));
        drop(driver);
        waiting.join().unwrap();
    });
}

#[test]
fn the_end_of_the_task_ends_every_wait() {
    ends("the end, for a sender", |handle, _events| {
        let refused = block_on(handle.send("waits")).unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::Gone);
    });
    ends("the end, for one who reserves", |handle, _events| {
        let refused = block_on(handle.reserve(1)).unwrap_err();
        assert_eq!(refused.kind(), HandleErrorKind::Gone);
    });
    ends("the end, for a reader", |_handle, mut events| {
        let outcome = block_on(events.next());
        assert!(matches!(outcome, Some(ClientEvent::Outcome(_))), "of what filled the buffer");
        assert_eq!(block_on(events.next()), None);
    });
    ends("the end, for one who waits for it", |handle, _events| {
        assert_eq!(block_on(handle.closed()).kind(), EndKind::Gone);
        assert_eq!(handle.connect().unwrap_err().kind(), HandleErrorKind::Gone);
    });
    ends("the end, for a watch", |handle, _events| {
        let mut states = handle.states();
        while block_on(states.changed()).is_some() {}
    });
}

#[test]
fn a_driver_that_is_dropped_with_its_handles_leaves_nothing() {
    explore("all is dropped at once", 3, || {
        let Subject { handle, events, driver, .. } = subject(PLENTY);
        let other = handle.clone();
        let one = thread::spawn(move || drop(handle));
        let two = thread::spawn(move || drop((other, events)));
        drop(driver);
        one.join().unwrap();
        two.join().unwrap();
    });
}

/// Drops a driver when a message is sent.
#[derive(Clone, Default)]
struct Dropper(Arc<std::sync::Mutex<Option<Driver>>>);

impl Observer for Dropper {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::SendRequested(_) = observed.event {
            drop(self.0.lock().unwrap().take());
        }
    }
}

/// The end of a driver under its own client's lock, or another's, while a thread takes the lock.
#[test]
fn a_driver_that_is_dropped_under_a_lock_ends_every_wait() {
    for is_own in [true, false] {
        explore("the end, under a lock", 2, move || {
            let dropper = Dropper::default();
            let observer = Box::new(dropper.clone());
            let own = subject_with(PLENTY, |session| session.with_observer(observer));
            let other = (!is_own).then(|| subject(PLENTY));
            let sender = own.handle.clone();
            let (ended, others) = match other {
                Some(other) => (other, Some((own.driver, own.events))),
                None => (own, None),
            };
            let Subject { handle, mut events, driver, .. } = ended;
            *dropper.0.lock().unwrap() = Some(driver);
            let waiting = thread::spawn(move || {
                let _ = handle.try_send("one");
                while block_on(events.next()).is_some() {}
                (block_on(handle.closed()).kind(), handle.state())
            });
            let dropping = thread::spawn(move || drop(sender.try_send("drops")));
            dropping.join().unwrap();
            assert_eq!(waiting.join().unwrap(), (EndKind::Gone, ConnectionState::Closed));
            drop(others);
        });
    }
}

#[test]
fn a_reader_that_is_dropped_leaves_no_event_to_wait_for_it() {
    explore("events are dropped", 2, || {
        let Subject { handle, events, driver, peer, wakers } = subject(PLENTY);
        let dropping = thread::spawn(move || drop(events));
        let server = thread::spawn(move || {
            peer.send(b"\x81\x03one");
            wakers.wake_all();
            drop(handle);
        });
        block_on(driver);
        dropping.join().unwrap();
        server.join().unwrap();
    });
}

/// Takes the events of a client in a fleet, up to the end of its task.
fn take_all(events: &mut MemberEvents) {
    while block_on(std::future::poll_fn(|cx| events.poll_event(cx))).is_some() {}
}

#[test]
fn a_client_that_leaves_its_fleet_ends_although_a_handle_exists() {
    explore("a client that leaves its fleet", 3, || {
        let Subject { handle, events, driver, .. } = subject(PLENTY);
        let mut events = MemberEvents::new(events);
        let fleet = thread::spawn(move || {
            handle.leave(None);
            take_all(&mut events);
            assert_eq!(block_on(handle.closed()).kind(), EndKind::Gone);
        });
        block_on(driver);
        fleet.join().unwrap();
    });
}

#[test]
fn a_client_that_is_cut_off_ends_with_its_driver_and_its_events() {
    explore("a client that is cut off", 3, || {
        let Subject { handle, events, driver, .. } = subject(PLENTY);
        let mut events = MemberEvents::new(events);
        let fleet = thread::spawn(move || {
            let _ = handle.try_send("one");
            let account = handle.cut(Name::new("a").unwrap());
            assert_eq!((account.end, account.counts.accepted), (EndKind::CutOff, 1));
            assert_eq!(account.counts.unsettled(), 0);
            take_all(&mut events);
        });
        block_on(driver);
        fleet.join().unwrap();
    });
}
