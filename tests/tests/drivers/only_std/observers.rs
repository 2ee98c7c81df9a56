//! Observers and dialects that use a sender, or panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use gateway_std::core::{CloseFrame, Event, Network, Observed, Observer, SendRejection};
use gateway_std::{ClientEvent, EndKind, ReserveErrorKind, Sender};
use gateway_tests::{OnText, calm, serve};

use super::{builder, client, until_ready};

/// A sender that is set once it is there, and how often it was used.
#[derive(Clone, Default)]
struct Own(Arc<(OnceLock<Sender>, AtomicUsize)>);

impl Own {
    fn set(&self, sender: Sender) {
        assert!(self.0.0.set(sender).is_ok());
    }

    fn used(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    fn with(&self, act: impl FnOnce(&Sender)) {
        if let Some(sender) = self.0.0.get() {
            self.0.1.fetch_add(1, Ordering::SeqCst);
            act(sender);
        }
    }
}

/// Each call that would wait fails, and the others work.
fn is_reentrant(sender: &Sender) {
    let sent = sender.send("from within").unwrap_err();
    assert_eq!(sent.rejection(), SendRejection::Reentrant);
    assert_eq!(sent.into_message().as_text(), Some("from within"));
    assert_eq!(sender.reserve(1).unwrap_err().kind(), ReserveErrorKind::Reentrant);
    let refused = [
        sender.statistics().map(drop),
        sender.status().map(drop),
        sender.gave_up().map(drop),
        sender.subprotocol().map(drop),
        sender.response_headers().map(drop),
        Err(sender.closed()),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), EndKind::Reentrant);
    }
    let ready = sender.ready().map_err(|end| end.kind());
    assert_eq!(ready, if sender.is_ready() { Ok(()) } else { Err(EndKind::Reentrant) });
    let mut states = sender.states();
    assert_eq!(states.changed(), Some(sender.state()), "at once");
    assert_eq!(states.changed(), None, "it would wait");
    // More than there are places for, and none waits for one.
    for _ in 0..100 {
        sender.network_changed(Network::Offline);
    }
    while let Ok(receipt) = sender.enqueue("from within") {
        drop(receipt);
        if let Err(refused) = sender.try_send("from within") {
            assert_eq!(refused.rejection(), SendRejection::WriteBlocked);
            let refused = sender.enqueue("from within").unwrap_err();
            assert_eq!(refused.rejection(), SendRejection::Reentrant);
            break;
        }
    }
}

struct Caller(Own);

impl Observer for Caller {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::SendRequested(_) = observed.event
            && self.0.used() == 0
        {
            self.0.with(is_reentrant);
        }
    }
}

/// Calls the sender once.
fn once(own: Own) -> impl Fn() {
    move || {
        if own.used() == 0 {
            own.with(is_reentrant);
        }
    }
}

#[test]
fn a_call_from_within_an_observer_or_a_dialect_fails_and_does_not_deadlock() {
    let (observed, spoken) = (Own::default(), Own::default());
    let server = serve(async |listener| listener.peer().await.echo().await);
    let spoken_within = spoken.clone();
    let mut client = builder(&server.url, calm())
        .observer(Caller(observed.clone()))
        .dialect(move || OnText(once(spoken_within.clone())))
        .build()
        .unwrap();
    until_ready(&mut client);
    observed.set(client.sender());
    spoken.set(client.sender());

    client.send("out").unwrap();
    let echoed = client.find(|event| matches!(event, ClientEvent::Message(_)));

    assert_eq!(echoed, Some(ClientEvent::Message("out".into())));
    assert_eq!((observed.used(), spoken.used()), (1, 1));
    let sender = client.sender();
    let outside = std::thread::spawn(move || {
        let answer = sender.statistics().map(drop);
        sender.close(CloseFrame::NORMAL);
        answer
    });
    while client.recv().is_some() {}
    assert_eq!(outside.join().unwrap(), Ok(()), "and it works from outside");
}

/// A sender of another client is refused as well: two observers could wait for each other.
#[test]
fn a_call_of_another_client_from_within_an_observer_fails() {
    let other = Own::default();
    let server = serve(async |listener| listener.peer().await.echo().await);
    let mut first = builder(&server.url, calm()).observer(Caller(other.clone())).build().unwrap();
    until_ready(&mut first);
    let second = client("ws://127.0.0.1:9", calm());
    other.set(second.sender());

    first.send("out").unwrap();

    assert_eq!(other.used(), 1);
}

/// A receipt and a permit that are used within an observer.
#[test]
fn a_receipt_and_a_permit_do_not_wait_within_an_observer() {
    type Act = Box<dyn FnOnce() + Send>;
    struct User(Arc<Mutex<Vec<Act>>>);
    impl Observer for User {
        fn observe(&mut self, observed: &Observed<'_>) {
            if let Event::SendRequested(_) = observed.event {
                let acts = std::mem::take(&mut *self.0.lock().unwrap());
                acts.into_iter().for_each(|act| act());
            }
        }
    }
    let acts = Arc::new(Mutex::new(Vec::<Act>::new()));
    let server = serve(async |listener| listener.peer().await.echo().await);
    let more = builder(&server.url, calm()).observer(User(Arc::clone(&acts)));
    let mut client = more.build().unwrap();
    until_ready(&mut client);
    let sender = client.sender();
    let asks = std::thread::spawn(move || sender.reserve(10).unwrap());
    while !asks.is_finished() {
        let _ = client.recv_timeout(Duration::from_millis(1));
    }
    let permit = asks.join().unwrap();
    let answered = client.sender().enqueue("answered").unwrap();
    let echoed = client.find(|event| matches!(event, ClientEvent::Message(_)));
    assert!(echoed.is_some());
    let sender = client.sender();
    acts.lock().unwrap().push(Box::new(move || {
        answered.wait().unwrap();
        let waits = sender.enqueue("waits").unwrap();
        assert_eq!(waits.wait().unwrap_err().rejection(), SendRejection::Reentrant);
        let refused = permit.send("permitted").unwrap_err();
        assert_eq!(refused.rejection(), SendRejection::Reentrant);
        assert_eq!(refused.into_message().as_text(), Some("permitted"));
    }));

    client.send("out").unwrap();

    let mut echoed = client.filter_map(|event| match event {
        ClientEvent::Message(message) => message.as_text().map(str::to_owned),
        _ => None,
    });
    assert_eq!([echoed.next(), echoed.next()], [Some("out".into()), Some("waits".into())]);
    assert!(acts.lock().unwrap().is_empty());
}

struct Panics;

impl Observer for Panics {
    fn observe(&mut self, observed: &Observed<'_>) {
        assert!(!matches!(observed.event, Event::SendRequested(_)), "on purpose");
    }
}

#[test]
fn a_message_whose_observer_panics_is_lost_and_its_sender_is_told() {
    let server = serve(async |listener| listener.peer().await.echo().await);
    let more = builder(&server.url, calm()).name("feed-7").observer(Panics);
    let mut client = more.build().unwrap();
    until_ready(&mut client);
    let sender = client.sender();
    let receipts = ["lost", "kept"].map(|text| sender.enqueue(text).unwrap());

    let unwound = catch_unwind(AssertUnwindSafe(move || while client.recv().is_some() {}));

    assert!(unwound.is_err());
    let refused = receipts.map(|receipt| receipt.wait().unwrap_err());
    for refused in &refused {
        assert_eq!((refused.rejection(), refused.name()), (SendRejection::Gone, Some("feed-7")));
    }
    let texts = refused.map(|refused| refused.into_message().as_text().map(str::to_owned));
    assert_eq!(texts, [Some(String::new()), Some("kept".into())]);
    assert_eq!(
        sender.send("late").unwrap_err().rejection(),
        SendRejection::Gone,
        "no flag is left"
    );
}
