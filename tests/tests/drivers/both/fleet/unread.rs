//! A fleet whose events nobody takes: its clients live, and nothing is lost without a count.

use gateway_tests::{AnyFleet, Driver, Frame, GUARD, add, calm, serve};
use gateway_tokio::{Behind, ClientEvent, EndKind, Limits};

use super::settled;

gateway_tests::on_both_drivers! {
    clients_live_while_nobody_reads_and_nothing_is_lost
    clients_that_drop_the_oldest_count_what_they_drop
    clients_live_without_a_reader
}

const CLIENTS: usize = 3;
const MESSAGES: usize = 500;

/// Sends each client numbered messages of 1 KiB, and then takes one.
fn flood() -> gateway_tests::Served<Vec<Frame>> {
    serve(async |listener| {
        let mut answers = Vec::new();
        let mut peers = Vec::new();
        for _ in 0..CLIENTS {
            peers.push(listener.peer().await);
        }
        let all = peers.into_iter().map(async |mut peer| {
            for number in 0..MESSAGES {
                peer.send(Frame::text(format!("{number:01024}"))).await;
            }
            let answer = peer.frame().await;
            peer.echo().await;
            answer
        });
        answers.extend(futures_util::future::join_all(all).await);
        answers
    })
}

fn fleet(driver: Driver, url: &str, behind: Behind) -> AnyFleet {
    let fleet = AnyFleet::new(driver, CLIENTS);
    let limits = Limits::default().backlog(32 << 10);
    for number in 0..CLIENTS {
        add!(fleet, format!("{number}"), url, calm(), .limits(limits).behind(behind)).unwrap();
    }
    fleet
}

/// Sends a message to each client as soon as it is ready, while nobody takes events.
fn send_to_each(fleet: &AnyFleet) {
    for name in fleet.names() {
        while fleet.send(&name, "hello").is_err() {
            std::thread::yield_now();
        }
    }
}

fn clients_live_while_nobody_reads_and_nothing_is_lost(driver: Driver) {
    let server = flood();
    let mut fleet = fleet(driver, &server.url, Behind::StopReading);

    send_to_each(&fleet);
    let mut next = [0; CLIENTS];
    let all = [MESSAGES; CLIENTS];
    fleet.until(|name, event| {
        if let ClientEvent::Message(message) = event {
            let number: usize = message.as_text().unwrap().parse().unwrap();
            let next = &mut next[name.parse::<usize>().unwrap()];
            assert_eq!(number, *next, "of client {name}");
            *next += 1;
        }
        next == all
    });
    let account = fleet.shutdown(GUARD);

    assert_eq!(server.join(), [const { "hello" }; CLIENTS].map(Frame::text));
    assert_eq!((account.total().sent, account.total().accepted), (3, 3));
}

fn clients_that_drop_the_oldest_count_what_they_drop(driver: Driver) {
    let server = flood();
    let mut fleet = fleet(driver, &server.url, Behind::DropOldest);
    send_to_each(&fleet);

    // The server takes the message only after it has sent all of its own.
    let answers = loop {
        let statuses = fleet.statuses().unwrap();
        if statuses.values().all(|status| status.statistics.frames_in >= MESSAGES as u64) {
            break fleet.shutdown(GUARD);
        }
        std::thread::yield_now();
    };
    let (mut taken, mut dropped) = (0, 0);
    for (_, event) in fleet.rest() {
        match event {
            ClientEvent::Message(_) => taken += 1,
            ClientEvent::MessagesDropped { count } => dropped += count,
            _ => {}
        }
    }

    assert!(dropped > 0, "{taken} were taken");
    assert_eq!(taken + dropped, (CLIENTS * MESSAGES) as u64);
    assert!(answers.clients.iter().all(|client| client.end == EndKind::Closed));
    server.join();
}

fn clients_live_without_a_reader(driver: Driver) {
    let server = flood();
    let mut fleet = fleet(driver, &server.url, Behind::StopReading);
    fleet.drop_events();

    send_to_each(&fleet);
    let account = loop {
        let statuses = fleet.statuses().unwrap();
        if statuses.values().all(|status| status.statistics.frames_in >= MESSAGES as u64) {
            break fleet.shutdown(GUARD);
        }
        std::thread::yield_now();
    };

    assert_eq!(settled(&account.total()), 3);
    server.join();
}
