//! Floods, heartbeats, and what is told of them.

use std::net::Shutdown;

use crate::common::{Server, frame};

fn numbered(number: usize, bytes: usize) -> String {
    format!("{number:010} {}", "x".repeat(bytes - 11))
}

#[test]
fn a_flood_is_numbered_and_whole_for_every_size_of_frame() {
    let server = Server::start();
    let mut client = server.open();

    for (count, bytes) in [
        (1, 16),
        (120_000, 16),
        (20_001, 125),
        (20_001, 126),
        (300, 65_535),
        (300, 65_536),
        (3, 1 << 24),
    ] {
        client.text(format!("go {count} {bytes}"));
        for number in 0..count {
            client.expect_text(numbered(number, bytes));
        }
    }
    client.text("and no message more");
    client.expect_text("and no message more");
    assert!(server.statistics().contains("\"messages\":8,\"sent\":160607,"));
}

#[test]
fn floods_follow_one_another() {
    let server = Server::start();
    let mut client = server.open();

    client.write(
        &[frame(true, 1, b"go 3 20"), frame(true, 1, b"go 0 20"), frame(true, 1, b"go 2 200")]
            .concat(),
    );

    for number in 0..3 {
        client.expect_text(numbered(number, 20));
    }
    for number in 0..2 {
        client.expect_text(numbered(number, 200));
    }
}

#[test]
fn a_heartbeat_is_answered_amid_a_flood_and_on_another_connection() {
    let server = Server::start();
    let (mut flooded, mut other) = (server.open(), server.open());
    let count = 3_000_000;

    flooded.text(format!("go {count} 100"));
    flooded.expect_text(numbered(0, 100));
    flooded.text("{\"type\":\"ping\",\"timestamp\":7}");
    other.text("{\"type\":\"ping\",\"timestamp\":8}");

    other.expect_text("{\"type\":\"pong\",\"timestamp\":8}");
    let mut number = 1;
    loop {
        let (_, payload) = flooded.frame();
        if payload == b"{\"type\":\"pong\",\"timestamp\":7}" {
            break;
        }
        assert_eq!(payload, numbered(number, 100).as_bytes());
        number += 1;
    }
    assert!(number < count);
}

#[test]
fn a_client_that_leaves_amid_a_flood_takes_nothing_with_it() {
    let server = Server::start();
    let (mut leaving, mut staying) = (server.open(), server.open());

    leaving.text("go 100000000 1000");
    leaving.expect_text(numbered(0, 1000));
    leaving.stream.get_ref().shutdown(Shutdown::Both).expect("an open socket");
    drop(leaving);

    staying.text("still there");
    staying.expect_text("still there");
}

#[test]
fn a_close_ends_a_flood() {
    let server = Server::start();
    let mut client = server.open();

    client.text("go 10000000000 64");
    client.expect_text(numbered(0, 64));
    client.write(&frame(true, 8, &1000_u16.to_be_bytes()));

    let mut number = 1;
    let closed = loop {
        match client.frame() {
            (1, payload) => assert_eq!(payload, numbered(number, 64).as_bytes()),
            closed => break closed,
        }
        number += 1;
    };
    assert_eq!(closed, (8, 1000_u16.to_be_bytes().to_vec()));
    client.expect_end();
}

#[test]
fn what_only_looks_like_an_order_is_echoed_and_an_order_out_of_bounds_refused() {
    let server = Server::start();
    let mut client = server.open();

    for text in
        ["go", "go ", "go away", "go 3", "go 3 x", "go -1 20", " go 1 20", "{\"type\":\"pin\"}"]
    {
        client.text(text);
        client.expect_text(text);
    }
    client.write(&frame(true, 2, b"go 1 20"));
    assert_eq!(client.frame(), (2, b"go 1 20".to_vec()));

    for order in ["go 1 15", "go 1 16777217", "go 10000000001 16"] {
        let mut client = server.open();
        client.text(order);
        client.expect_close(1008);
    }
}

#[test]
fn heartbeats_are_recorded_with_the_number_of_their_connection() {
    let server = Server::start();
    let mut clients = [(); 3].map(|()| server.open());

    for (client, stamp) in [(1, 1), (0, 2), (1, 3)] {
        let client = &mut clients[client];
        client.text(format!("{{\"type\":\"ping\",\"timestamp\":{stamp}}}"));
        client.expect_text(format!("{{\"type\":\"pong\",\"timestamp\":{stamp}}}"));
    }

    let statistics = server.statistics();
    let begin = "{\"connections\":3,\"accepted\":3,\"messages\":3,\"sent\":3,\"pings\":3,\"ping_arrivals\":[[1,";
    assert!(statistics.starts_with(begin), "{statistics}");
    let arrivals = statistics.split('[').skip(2).map(|pair| pair.split([',', ']']));
    let arrivals: Vec<(u64, u64)> = arrivals
        .map(|mut pair| {
            [pair.next(), pair.next()]
                .map(|it| it.and_then(|it| it.parse().ok()).expect("a number"))
        })
        .map(|[connection, at]| (connection, at))
        .collect();
    assert_eq!(arrivals.iter().map(|(connection, _)| *connection).collect::<Vec<_>>(), [1, 0, 1]);
    assert!(arrivals.is_sorted_by_key(|(_, at)| *at));
}
