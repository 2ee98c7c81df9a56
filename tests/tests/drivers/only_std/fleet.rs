//! A client's thread that hangs is left behind.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use gateway_hostile::Server;
use gateway_std::core::{Event, Notice, Observed, Observer};
use gateway_std::{ClientEvent, EndKind, Fleet, FleetBuilder};
use gateway_tests::calm;

use super::builder;

/// Says so when a message is sent, and hangs until the test is over.
struct Hangs(Sender<()>, Mutex<Receiver<()>>);

impl Observer for Hangs {
    fn observe(&mut self, observed: &Observed<'_>) {
        if let Event::SendRequested(_) = observed.event {
            self.0.send(()).unwrap();
            let _ = self.1.lock().unwrap().recv();
        }
    }
}

#[test]
fn a_thread_that_hangs_is_left_behind() {
    let server = Server::builder().start().unwrap();
    let (over, until) = channel();
    let (hung, has_hung) = channel();
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let hangs = builder(&server.url(), calm()).observer(Hangs(hung, Mutex::new(until)));
    let sender = fleet.add("hangs", hangs).unwrap();
    fleet.add("lives", builder(&server.url(), calm())).unwrap();
    let mut ready = 0;
    while ready < 2 {
        let (_, event) = events.recv().unwrap();
        ready += usize::from(matches!(event, ClientEvent::Notice(Notice::Ready { .. })));
    }
    let receipt = sender.try_send("hello").unwrap();
    has_hung.recv().unwrap();

    let account = fleet.shutdown(Duration::from_millis(100));

    let ends: Vec<_> = account.clients.iter().map(|client| client.end).collect();
    assert_eq!(ends, [EndKind::Hung, EndKind::Closed]);
    drop(over); // it goes on, and ends
    assert!(receipt.wait().is_ok());
    while events.recv().is_some() {}
}

#[test]
fn a_message_that_was_enqueued_before_the_fleet_was_dropped_is_accepted() {
    let server = Server::builder().start().unwrap();
    let (over, until) = channel();
    let (hung, has_hung) = channel();
    let (fleet, mut events) = Fleet::builder().build().unwrap();
    let hangs = builder(&server.url(), calm()).observer(Hangs(hung, Mutex::new(until)));
    let sender = fleet.add("a", hangs).unwrap();
    while !matches!(events.recv(), Some((_, ClientEvent::Notice(Notice::Ready { .. })))) {}
    let first = sender.try_send("first").unwrap();
    has_hung.recv().unwrap();
    let second = sender.try_send("second").unwrap();

    drop(fleet);

    drop(over); // the thread goes on, and finds the message and the order
    assert!(first.wait().is_ok() && second.wait().is_ok());
    while events.recv().is_some() {}
}

#[test]
fn a_stack_that_is_too_small_is_an_error() {
    let wrong = Fleet::builder().max_clients(0).stack_size(1).build().unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|error| error.field()).collect();
    assert_eq!(fields, ["max_clients", "stack_size"]);
    assert!(Fleet::builder().stack_size(FleetBuilder::SMALLEST_STACK).build().is_ok());
}
