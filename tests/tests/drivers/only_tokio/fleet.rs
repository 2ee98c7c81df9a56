//! The deadline of a shutdown, on a paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_tests::{Frame, calm, client, elapse, memory, now, settle, within};
use gateway_tokio::core::{Event, Network, Observed, Observer, OpenError, RetryBudget};
use gateway_tokio::{
    Client, Dial, Dialing, EndKind, Endpoint, Fleet, HandleErrorKind, OpenFailure, Outbox,
};
use tokio::time::Instant;

/// Never opens anything.
#[derive(Debug)]
struct Nowhere;

impl Dial for Nowhere {
    fn dial(&self, _: &Endpoint) -> Dialing {
        Box::pin(std::future::pending())
    }
}

const WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_within_its_time_whatever_hangs() {
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let (dial, mut sockets) = memory(4_096);
    let stubborn = client("ws://gateway.example", calm().close_timeout(WITHIN * 9)).dial(dial);
    fleet.add("stubborn", stubborn).unwrap();
    let mut peer = sockets.peer().await;
    let away = || client("ws://gateway.example", calm()).dial(Nowhere);
    fleet.add("connecting", away()).unwrap();
    fleet.add("queued", away().outbox(Outbox::default().without_time_to_live())).unwrap();
    fleet.add("expiring", away().outbox(Outbox::default().time_to_live(WITHIN / 4))).unwrap();
    let asking = away().attempt(|_| std::future::pending());
    fleet.add("asking", asking).unwrap();
    within(fleet.handle("stubborn").unwrap().ready()).await.unwrap();
    for name in ["queued", "expiring"] {
        fleet.handle(name).unwrap().send("hello").await.unwrap();
    }
    fleet.handle("stubborn").unwrap().send("hello").await.unwrap();

    let began = now();
    let account = fleet.shutdown(WITHIN).await;
    let took = now() - began;

    assert!(took <= WITHIN && took > WITHIN * 9 / 10, "{took:?}");
    let ends: Vec<_> = account.clients.iter().map(|one| (one.name.as_str(), one.end)).collect();
    let (closed, cut) = (EndKind::Closed, EndKind::CutOff);
    assert_eq!(
        ends,
        [
            ("asking", closed),
            ("connecting", closed),
            ("expiring", closed),
            ("queued", closed),
            ("stubborn", cut),
        ]
    );
    let total = account.total();
    assert_eq!((total.accepted, total.sent, total.rejected, total.expired), (3, 1, 1, 1));
    while within(events.next()).await.is_some() {}
    assert_eq!(peer.rest().await.len(), 2, "the message and a Close");
}

#[tokio::test(start_paused = true)]
async fn clients_without_work_need_no_time() {
    let (fleet, _events) = Fleet::builder().build().unwrap();
    for number in 0..50 {
        let away = client("ws://gateway.example", calm()).dial(Nowhere);
        fleet.add(format!("{number}"), away).unwrap();
    }
    settle().await;

    let began = now();
    let account = fleet.shutdown(WITHIN).await;

    assert_eq!(now(), began);
    assert!(account.clients.iter().all(|client| client.end == EndKind::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_cuts_its_clients_off() {
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let outbox = Outbox::default().without_time_to_live();
    let away = client("ws://gateway.example", calm()).dial(Nowhere).outbox(outbox);
    let handle = fleet.add("a", away).unwrap();
    handle.send("hello").await.unwrap();

    {
        let shutdown = fleet.shutdown(WITHIN);
        tokio::select! {
            _ = shutdown => panic!("it drains"),
            () = elapse(Duration::from_secs(1)) => {}
        }
    }

    let gone = handle.network_changed(Network::Online).unwrap_err();
    assert_eq!(gone.kind(), HandleErrorKind::Gone);
    while within(events.next()).await.is_some() {}
}

/// Drops the fleet when a message is sent.
struct DropsFleet(Arc<Mutex<Option<Fleet>>>);

impl Observer for DropsFleet {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::SendRequested(_) = observed.event {
            drop(self.0.lock().unwrap().take());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_an_observer_drops_closes_its_clients() {
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let kept = Arc::new(Mutex::new(None));
    let (dial, mut sockets) = memory(4_096);
    let drops = client("ws://gateway.example", calm()).dial(dial);
    let handle = fleet.add("a", drops.observer(DropsFleet(Arc::clone(&kept)))).unwrap();
    let mut peer = sockets.peer().await;
    within(handle.ready()).await.unwrap();
    *kept.lock().unwrap() = Some(fleet);

    handle.send("hello").await.unwrap();

    assert_eq!(within(peer.frame()).await, Frame::text("hello"));
    let close = within(peer.frame()).await;
    assert_eq!(close, Frame::close(1000, ""));
    peer.send(close).await;
    drop(peer);
    while within(events.next()).await.is_some() {}
}

/// Panics when it is dropped.
struct PanicsWhenDropped;

impl Observer for PanicsWhenDropped {
    fn observe(&mut self, _: &Observed<'_>) {}
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_panics_when_it_is_dropped_stops_no_shutdown() {
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let away = || client("ws://gateway.example", calm()).dial(Nowhere);
    let handle = fleet.add("a", away().observer(PanicsWhenDropped)).unwrap();
    fleet.add("b", away()).unwrap();

    let account = fleet.shutdown(WITHIN).await;

    assert_eq!(account.clients.len(), 2);
    assert!(account.clients.iter().all(|client| client.end == EndKind::Closed), "{account:?}");
    within(handle.closed()).await;
    while within(events.next()).await.is_some() {}
}

/// Refuses each attempt, and notes when it came.
#[derive(Clone, Debug, Default)]
struct Refuses(Arc<Mutex<Vec<Instant>>>);

impl Dial for Refuses {
    fn dial(&self, _: &Endpoint) -> Dialing {
        self.0.lock().unwrap().push(now());
        let refused = OpenFailure::new(OpenError::Refused, "on purpose");
        Box::pin(std::future::ready(Err(refused)))
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_are_all_refused_open_no_more_than_their_budget() {
    const OPENS: u32 = 20;
    let second = Duration::from_secs(1);
    let budget = RetryBudget::new(OPENS, second).burst(2);
    let (fleet, _events) = Fleet::builder().budget(budget).build().unwrap();
    let dial = Refuses::default();
    for number in 0..100 {
        elapse(Duration::from_millis(7)).await; // each client's clock starts at another time
        let client = client("ws://gateway.example", calm()).dial(dial.clone());
        fleet.add(format!("{number}"), client).unwrap();
    }
    elapse(second * 20).await;
    fleet.shutdown(WITHIN).await;

    let opens = dial.0.lock().unwrap().clone();
    let opens_a_second = OPENS as usize;
    for (first, other) in opens.iter().zip(opens.iter().skip(opens_a_second)) {
        assert!(*other - *first >= second - Duration::from_millis(2), "21 opens in a second");
    }
    assert!(opens.len() > 18 * opens_a_second, "{} opens in 20 s", opens.len());
}

#[tokio::test]
async fn a_runtime_that_is_shut_down_takes_its_clients_with_it() {
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    {
        let _inside = runtime.enter();
        let outbox = Outbox::default();
        let builder = Client::builder("ws://gateway.example").dial(Nowhere).outbox(outbox);
        fleet.add("a", builder).unwrap();
    }
    fleet.handle("a").unwrap().try_send("hello").unwrap();
    runtime.shutdown_background();

    let account = within(fleet.remove("a", WITHIN)).await.unwrap();

    assert!(matches!(account.end, EndKind::Gone | EndKind::CutOff), "{account:?}");
    assert_eq!((account.counts.accepted, account.counts.rejected), (1, 1));
    drop(fleet);
    while within(events.next()).await.is_some() {}
}
