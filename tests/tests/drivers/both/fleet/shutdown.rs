//! A shutdown ends within its time, whatever hangs, and accounts for every message.

use std::net::TcpListener;
use std::time::Duration;

use gateway_hostile::Server;
use gateway_tests::{AnyFleet, Driver, Frame, GUARD, add, calm, serve};
use gateway_tokio::{ClientEvent, EndKind, Fate, JsonCorrelator, Outbox};

use super::settled;

gateway_tests::on_both_drivers! {
    clients_that_connect_to_a_silent_port_leave_in_time_with_all_their_messages
    a_shutdown_sends_what_waits_in_an_outbox
    a_client_whose_peer_answers_no_close_is_cut_off
    a_dropped_fleet_closes_its_clients
    a_client_that_leaves_does_not_connect_again
}

const CLIENTS: usize = 20;
const EACH: u64 = 5;

/// A port that accepts connections and never answers.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn clients_that_connect_to_a_silent_port_leave_in_time_with_all_their_messages(driver: Driver) {
    let server = Server::builder().start().unwrap();
    let (_listener, away) = silent();
    let mut fleet = AnyFleet::new(driver, 2 * CLIENTS);
    let outbox = Outbox::default;
    for number in 0..CLIENTS {
        let (ready, connecting) = (format!("ready-{number:02}"), format!("away-{number:02}"));
        add!(fleet, ready, server.url(), calm(), .outbox(outbox()).report_sent(true)).unwrap();
        add!(fleet, connecting, &away, calm(), .outbox(outbox()).report_sent(true)).unwrap();
    }
    fleet.until_ready(CLIENTS);
    for name in fleet.names() {
        for _ in 0..EACH {
            let accepted = fleet.send(&name, "hello").unwrap();
            assert_eq!(accepted.is_queued(), name.starts_with("away"));
        }
    }

    let account = fleet.shutdown(Duration::from_millis(500));

    for client in &account.clients {
        let counts = &client.counts;
        let expected = if client.name.as_str().starts_with("away") { (0, EACH) } else { (EACH, 0) };
        assert_eq!((counts.sent, counts.rejected), expected, "{client:?}");
        assert_eq!((counts.accepted, client.end), (EACH, EndKind::Closed), "{client:?}");
    }
    let total = account.total();
    assert_eq!((total.accepted, settled(&total)), (2 * EACH * CLIENTS as u64, total.accepted));
    // The events say the same: they are counted elsewhere.
    let (mut sent, mut rejected) = (0, 0);
    for (_, event) in fleet.rest() {
        match event {
            ClientEvent::Outcome(outcome) if outcome.fate == Fate::Rejected => {
                rejected += outcome.count();
            }
            ClientEvent::Outcome(outcome) => sent += outcome.count(),
            _ => {}
        }
    }
    assert_eq!((sent, rejected), (total.sent, total.rejected));
}

fn a_shutdown_sends_what_waits_in_an_outbox(driver: Driver) {
    let (told, tells) = tokio::sync::oneshot::channel();
    let server = serve(async move |listener| {
        let tcp = listener.tcp().await;
        tells.await.unwrap(); // once the message waits
        let mut peer = gateway_tests::Peer::accept(tcp).await;
        let request = peer.frame().await; // leaves before messages
        let message = peer.frame().await;
        peer.send(request).await;
        let close = peer.frame().await;
        peer.send(close).await;
        message
    });
    let fleet = AnyFleet::new(driver, 10);
    let correlator = JsonCorrelator::new("/id").unwrap();
    add!(fleet, "a", &server.url, calm(), .outbox(Outbox::default()).requests(correlator)).unwrap();

    assert!(fleet.send("a", "hello").unwrap().is_queued());
    let asked = match &fleet {
        AnyFleet::Tokio(fleet, _, runtime) => {
            let handle = fleet.as_ref().unwrap().handle("a").unwrap();
            let request = async move { handle.request_idempotent("{}", GUARD).await };
            drop(runtime.spawn(request)); // it goes on
            None
        }
        AnyFleet::Std(fleet, _) => {
            let sender = fleet.as_ref().unwrap().handle("a").unwrap();
            Some(std::thread::spawn(move || sender.request_idempotent("{}", GUARD)))
        }
    };
    while fleet.status("a").unwrap().unanswered_requests == 0 {
        std::thread::yield_now();
    }
    told.send(()).unwrap();
    let account = fleet.shutdown(GUARD);

    let counts = &account.clients[0].counts;
    assert_eq!((counts.accepted, counts.sent), (1, 1), "{account:?}");
    assert_eq!((counts.requests.made, counts.requests.answered), (1, 1), "{account:?}");
    assert_eq!(account.clients[0].end, EndKind::Closed);
    assert_eq!(server.join(), Frame::text("hello"));
    if let Some(asked) = asked {
        asked.join().unwrap().unwrap();
    }
}

fn a_client_whose_peer_answers_no_close_is_cut_off(driver: Driver) {
    let server = serve(async |listener| {
        let peer = listener.peer().await;
        let mut other = listener.peer().await;
        other.rest().await;
        peer
    });
    let mut fleet = AnyFleet::new(driver, 10);
    let config = || calm().close_timeout(GUARD);
    add!(fleet, "a", &server.url, config()).unwrap();
    fleet.until_ready(1);
    fleet.send("a", "hello").unwrap();

    let account = fleet.remove("a", Duration::from_millis(200)).unwrap();

    assert_eq!(account.end, EndKind::CutOff);
    assert_eq!((account.counts.accepted, account.counts.sent), (1, 1));
    add!(fleet, "a", &server.url, config()).unwrap(); // the name is free
    fleet.until_ready(1);
    let account = fleet.shutdown(Duration::ZERO);
    assert_eq!(account.clients[0].end, EndKind::CutOff, "at once");
    drop(fleet.rest());
    drop(server.join());
}

fn a_dropped_fleet_closes_its_clients(driver: Driver) {
    let server = serve(async |listener| {
        let mut peer = listener.peer().await;
        let close = peer.frame().await;
        peer.send(close.clone()).await;
        close
    });
    let mut fleet = AnyFleet::new(driver, 10);
    add!(fleet, "a", &server.url, calm()).unwrap();
    fleet.until_ready(1);

    fleet.drop_fleet();

    drop(fleet.rest()); // the stream ends
    assert_eq!(server.join(), Frame::close(1000, ""));
}

fn a_client_that_leaves_does_not_connect_again(driver: Driver) {
    let (told, tells) = tokio::sync::oneshot::channel();
    let (closes, is_closing) = std::sync::mpsc::channel();
    let server = serve(async move |listener| {
        let mut peer = listener.peer().await;
        let close = peer.frame().await;
        closes.send(()).unwrap();
        tells.await.unwrap();
        peer.send(close).await;
        peer.rest().await
    });
    let mut fleet = AnyFleet::new(driver, 10);
    add!(fleet, "a", &server.url, calm().close_timeout(GUARD)).unwrap();
    fleet.until_ready(1);
    let connects = fleet.connects_in_vain("a");
    fleet.drop_fleet();
    is_closing.recv_timeout(GUARD).unwrap();

    connects();

    told.send(()).unwrap();
    drop(fleet.rest()); // the stream ends: no other socket was opened
    assert!(server.join().is_empty());
}
