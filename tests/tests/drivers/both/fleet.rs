//! A fleet on real sockets: clients come and go by name, and at the end every message is accounted for.

mod shutdown;
mod unread;

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_hostile::{Script, Server};
use gateway_tests::{AnyFleet, Driver, GUARD, add, calm, serve};
use gateway_tokio::core::{ConnectionState, GiveUpCause, Notice, RetryBudget};
use gateway_tokio::{ClientEvent, Counts, EndKind, FleetError};

gateway_tests::on_both_drivers! {
    a_client_is_added_restarted_and_removed_by_name
    what_a_fleet_does_not_take_is_an_error_that_says_why
    two_hundred_clients_ride_out_a_restart_of_their_server
    a_client_that_gave_up_starts_again
    a_client_that_is_closing_or_closed_starts_again
    clients_share_a_budget_and_give_back_what_they_reserved
    a_client_is_removed_while_its_provider_hangs
    a_client_whose_code_panics_is_gone_and_the_others_live
}

/// The messages that have an outcome.
pub(super) fn settled(counts: &Counts) -> u64 {
    counts.sent + counts.maybe_sent + counts.rejected + counts.expired
}

fn is_ready(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::Notice(Notice::Ready { .. }))
}

fn a_client_is_added_restarted_and_removed_by_name(driver: Driver) {
    let server = Server::builder().start().unwrap();
    let mut fleet = AnyFleet::new(driver, 10);
    for name in ["b", "a"] {
        add!(fleet, name, server.url(), calm()).unwrap();
    }
    fleet.until_ready(2);
    assert_eq!(fleet.names(), ["a", "b"]);
    assert!(fleet.status("a").unwrap().is_ready);

    fleet.send("a", "one").unwrap();
    fleet.restart("a").unwrap();
    let events = fleet.until(|name, event| name == "a" && is_ready(event));
    fleet.send("a", "two").unwrap();
    let account = fleet.remove("a", GUARD).unwrap();

    assert!(events.iter().all(|(name, _)| name.as_str() == "a"), "b is at rest: {events:?}");
    assert_eq!((account.name.as_str(), account.end), ("a", EndKind::Closed));
    assert_eq!((account.counts.accepted, account.counts.sent), (2, 2));
    assert_eq!(fleet.names(), ["b"]);
    add!(fleet, "a", server.url(), calm()).unwrap();
    fleet.until(|name, event| name == "a" && is_ready(event));
    let statuses = fleet.statuses().unwrap();
    let states = statuses.iter().map(|(name, status)| (name.as_str(), status.state));
    let connected = ConnectionState::Connected;
    assert_eq!(states.collect::<Vec<_>>(), [("a", connected), ("b", connected)]);
    let json = serde_json::to_value(&statuses).unwrap();
    assert_eq!(json["b"]["state"], "CONNECTED");
}

fn what_a_fleet_does_not_take_is_an_error_that_says_why(driver: Driver) {
    let mut fleet = AnyFleet::new(driver, 2);
    let away = "ws://127.0.0.1:9";
    add!(fleet, "a", away, calm()).unwrap();

    let Err(FleetError::Configuration(same)) = add!(fleet, "a", away, calm()) else { panic!() };
    let Err(FleetError::Configuration(wrong)) = add!(fleet, "a b", "http://", calm()) else {
        panic!()
    };
    add!(fleet, "b", away, calm()).unwrap();
    let full = add!(fleet, "c", away, calm()).unwrap_err();
    let unknown = [
        fleet.remove("c", GUARD).unwrap_err(),
        fleet.restart("c").unwrap_err(),
        fleet.status("c").unwrap_err(),
    ];
    fleet.shutdown(GUARD);
    let over = add!(fleet, "c", away, calm()).unwrap_err();

    assert!(same.to_string().starts_with("name = a: must differ"), "{same}");
    let fields: Vec<_> = wrong.iter().map(|error| error.field()).collect();
    assert_eq!(fields, ["name", "url"], "both errors are reported");
    assert!(matches!(full, FleetError::Full { limit: 2 }), "{full}");
    for error in unknown {
        assert!(matches!(&error, FleetError::Unknown { name } if name == "c"), "{error}");
    }
    assert!(matches!(over, FleetError::ShutDown), "{over}");
    assert!(fleet.rest().iter().all(|(name, _)| matches!(name.as_str(), "a" | "b")));
}

fn two_hundred_clients_ride_out_a_restart_of_their_server(driver: Driver) {
    const CLIENTS: usize = 200;
    let server = Server::builder().start().unwrap();
    let mut fleet = AnyFleet::new(driver, CLIENTS);
    let config = || calm().max_delay(Duration::from_millis(200));
    for number in 0..CLIENTS {
        add!(fleet, format!("client-{number:03}"), server.url(), config()).unwrap();
    }
    let mut accepted = 0;
    let mut send = |fleet: &AnyFleet| {
        for name in fleet.names() {
            accepted += u64::from(fleet.send(&name, "hello").is_ok());
        }
    };

    fleet.until_ready(CLIENTS);
    send(&fleet);
    server.control().restart();
    let mut again = BTreeMap::new();
    fleet.until(|name, event| {
        if is_ready(event) {
            again.insert(name.to_owned(), ());
        }
        again.len() == CLIENTS
    });
    send(&fleet);
    let account = fleet.shutdown(GUARD);

    let total = account.total();
    assert_eq!(account.clients.len(), CLIENTS);
    assert!(account.clients.iter().all(|client| client.end == EndKind::Closed));
    assert_eq!(total.accepted, accepted);
    assert_eq!((settled(&total), total.unsettled()), (accepted, 0), "{total:?}");
    // What was sent before the restart may have been lost with its socket.
    assert!(total.sent >= CLIENTS as u64 && server.control().tally().echoes <= total.sent);
    drop(fleet.rest());
}

fn a_client_that_gave_up_starts_again(driver: Driver) {
    let server = Server::builder().script(Script::named("http-404").unwrap()).start().unwrap();
    let mut fleet = AnyFleet::new(driver, 10);
    add!(fleet, "a", server.url(), calm()).unwrap();
    let gave_up =
        |_: &str, event: &ClientEvent| matches!(event, ClientEvent::Notice(Notice::GaveUp { .. }));

    for _ in 0..2 {
        fleet.until(gave_up);
        let status = fleet.status("a").unwrap();
        assert_eq!(status.gave_up, Some(GiveUpCause::HttpStatus(404)));
        fleet.restart("a").unwrap();
    }
    fleet.until(gave_up);
    let account = fleet.shutdown(GUARD);

    assert_eq!(account.clients[0].end, EndKind::GaveUp(GiveUpCause::HttpStatus(404)));
    assert_eq!(server.control().tally().connections, 3);
    drop(fleet.rest()); // the stream ends
}

fn a_client_that_is_closing_or_closed_starts_again(driver: Driver) {
    let server = serve(async |listener| {
        let silent = listener.peer().await; // answers no Close
        for _ in 0..2 {
            listener.peer().await.echo().await;
        }
        silent
    });
    let mut fleet = AnyFleet::new(driver, 10);
    add!(fleet, "a", &server.url, calm().close_timeout(GUARD * 9)).unwrap();
    fleet.until_ready(1);

    for state in [ConnectionState::Closing, ConnectionState::Closed] {
        fleet.close("a");
        while fleet.status("a").unwrap().state != state {
            std::thread::yield_now();
        }
        fleet.restart("a").unwrap();
        fleet.until_ready(1);
    }
    let account = fleet.shutdown(GUARD);

    assert_eq!(account.clients[0].end, EndKind::Closed);
    drop(server.join());
}

fn clients_share_a_budget_and_give_back_what_they_reserved(driver: Driver) {
    let hour = Duration::from_secs(3_600);
    let server = Server::builder().start().unwrap();
    let mut fleet = AnyFleet::with_budget(driver, 10, RetryBudget::new(1, hour));
    add!(fleet, "a", server.url(), calm()).unwrap();
    fleet.until_ready(1);
    let retry_in = |fleet: &AnyFleet, name: &str| loop {
        if let Some(wait) = fleet.status(name).unwrap().retry_in {
            break wait;
        }
        std::thread::yield_now(); // it has not asked yet
    };

    add!(fleet, "b", server.url(), calm()).unwrap();
    assert!(retry_in(&fleet, "b") <= hour, "one open an hour");
    add!(fleet, "c", server.url(), calm()).unwrap();
    assert!(retry_in(&fleet, "c") > hour);
    let account = fleet.remove("b", GUARD).unwrap();
    add!(fleet, "d", server.url(), calm()).unwrap();
    assert!(retry_in(&fleet, "d") <= hour, "it takes what was given back");

    assert_eq!(account.end, EndKind::Closed);
    assert_eq!(server.control().tally().connections, 1);
    fleet.shutdown(GUARD);
    drop(fleet.rest());
}

fn a_client_is_removed_while_its_provider_hangs(driver: Driver) {
    let mut fleet = AnyFleet::new(driver, 10);
    let (asked, is_asked) = std::sync::mpsc::channel();
    let (_hangs, until) = std::sync::mpsc::channel::<()>();
    let until = std::sync::Mutex::new(until);
    let config = calm().build().unwrap();
    match &fleet {
        AnyFleet::Tokio(fleet, _, runtime) => {
            let _inside = runtime.enter();
            let client = gateway_tokio::Client::builder("ws://127.0.0.1:9").config(config);
            let client = client.attempt(move |_| {
                asked.send(()).unwrap();
                std::future::pending()
            });
            fleet.as_ref().unwrap().add("a", client).map(drop).unwrap();
        }
        AnyFleet::Std(fleet, _) => {
            let client = gateway_std::Client::builder("ws://127.0.0.1:9").config(config);
            let client = client.attempt(move |_| {
                asked.send(()).unwrap();
                let _ = until.lock().unwrap().recv(); // until the test is over
                Ok(gateway_std::Request::new())
            });
            fleet.as_ref().unwrap().add("a", client).map(drop).unwrap();
        }
    }
    is_asked.recv().unwrap();

    let account = fleet.remove("a", Duration::MAX).unwrap();

    assert_eq!(account.end, EndKind::Closed);
    assert_eq!(fleet.names(), [""; 0]);
    fleet.shutdown(Duration::MAX);
    drop(fleet.rest());
}

fn a_client_whose_code_panics_is_gone_and_the_others_live(driver: Driver) {
    struct Panics;
    impl gateway_tokio::core::Observer for Panics {
        fn observe(&mut self, observed: &gateway_tokio::core::Observed<'_>) {
            let is_text = |event| matches!(event, gateway_tokio::core::Event::SendRequested(_));
            assert!(!is_text(observed.event), "on purpose");
        }
    }
    let server = Server::builder().start().unwrap();
    let mut fleet = AnyFleet::new(driver, 10);
    add!(fleet, "a", server.url(), calm(), .observer(Panics)).unwrap();
    add!(fleet, "b", server.url(), calm()).unwrap();
    fleet.until_ready(2);

    let name = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fleet.send("a", "boom")));
    assert!(!matches!(name, Ok(Ok(_))), "tokio's handle panics, std's sender fails");
    fleet.send("b", "hello").unwrap();
    fleet.until(|name, event| name == "b" && matches!(event, ClientEvent::Message(_)));

    assert_eq!(fleet.status("a").unwrap().state, ConnectionState::Closed);
    assert!(matches!(fleet.restart("a"), Err(FleetError::Gone { .. })));
    let account = fleet.shutdown(GUARD);
    let ends: Vec<_> = account.clients.iter().map(|client| client.end).collect();
    assert_eq!(ends, [EndKind::Gone, EndKind::Closed]);
    assert_eq!(account.total().unsettled(), 0);
}
