//! What the server does with frames, over real sockets.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use crate::common::{Server, UPGRADE, frame, pattern};

#[test]
fn messages_of_every_length_are_echoed() {
    let server = Server::start();
    let mut client = server.open();

    for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 131_072, 262_144, 1 << 20] {
        for opcode in [1, 2] {
            let message = pattern(length);
            client.write(&frame(true, opcode, &message));
            assert!(client.frame() == (opcode, message), "{length} bytes of opcode {opcode}");
        }
    }
}

#[test]
fn bytes_that_come_one_at_a_time_are_put_together() {
    let server = Server::start();
    let mut client = server.connect();

    let frames = [frame(true, 1, b"first"), frame(true, 1, &pattern(200))];
    for byte in [UPGRADE, &frames.concat()].concat() {
        client.write(&[byte]);
    }

    client.expect_upgrade();
    client.expect_text("first");
    client.expect_text(pattern(200));
}

#[test]
fn frames_right_behind_the_request_are_heard() {
    let server = Server::start();
    let mut client = server.connect();

    client.write(&[UPGRADE, &frame(true, 1, b"one"), &frame(true, 1, b"two")].concat());

    client.expect_upgrade();
    client.expect_text("one");
    client.expect_text("two");
}

#[test]
fn many_messages_at_once_come_back_in_order() {
    let server = Server::start();
    let mut client = server.open();
    let message = |number: usize| format!("{number} {}", "m".repeat(number % 300));

    let batch: Vec<u8> =
        (0..5_000).flat_map(|number| frame(true, 1, message(number).as_bytes())).collect();
    client.write(&batch);

    for number in 0..5_000 {
        client.expect_text(message(number));
    }
}

#[test]
fn large_and_small_messages_alternate_over_any_bounds_of_reads() {
    let server = Server::start();
    let mut client = server.open();
    let lengths = [3, 200_000, 5, 131_060, 131_066, 131_072, 1, 300_000, 250_000, 0, 70_000];

    let batch: Vec<u8> =
        lengths.iter().flat_map(|length| frame(true, 2, &pattern(*length))).collect();
    let mut writer = client.stream.get_ref().try_clone().expect("an open socket");
    let writing =
        std::thread::spawn(move || batch.chunks(9_973).try_for_each(|part| writer.write_all(part)));

    for length in lengths {
        assert!(client.frame() == (2, pattern(length)), "{length} bytes");
    }
    writing.join().expect("no panic").expect("the server takes all");
}

#[test]
fn a_fragmented_message_is_echoed_whole_and_a_ping_within_answered() {
    let server = Server::start();
    let mut client = server.open();

    client.write(&frame(false, 1, b"in "));
    client.write(&frame(true, 9, b"there?"));
    client.write(&frame(false, 0, b"three "));
    client.write(&frame(true, 10, b"unasked"));
    client.write(&frame(true, 0, b"parts"));

    assert_eq!(client.frame(), (10, b"there?".to_vec()));
    client.expect_text("in three parts");
    assert!(server.statistics().contains("\"messages\":1,\"sent\":1,"));
}

#[test]
fn a_close_is_echoed_and_then_the_connection_ends() {
    let server = Server::start();
    let mut client = server.open();

    client.text("before");
    client.write(&frame(true, 8, b"\x0f\xa0bye"));

    client.expect_text("before");
    assert_eq!(client.frame(), (8, b"\x0f\xa0bye".to_vec()));
    client.expect_end();
    assert!(server.statistics().starts_with("{\"connections\":0,\"accepted\":1,"));
}

#[test]
fn a_peer_that_ends_is_sent_what_it_is_owed() {
    let server = Server::start();
    let mut client = server.open();

    client.text("last words");
    client.stream.get_ref().shutdown(std::net::Shutdown::Write).expect("an open socket");

    client.expect_text("last words");
    client.expect_end();
}

#[test]
fn a_payload_of_64_mib_is_echoed() {
    let server = Server::start();
    let mut client = server.open();

    let message = pattern(64 << 20);
    client.write(&frame(true, 2, &message));

    assert!(client.frame() == (2, message));
}

#[test]
fn more_than_64_mib_is_refused_with_1009() {
    let server = Server::start();

    let mut client = server.open();
    client.write(&[0x82, 0xff, 0, 0, 0, 0, 4, 0, 0, 1]);
    client.expect_close(1009);

    let mut client = server.open();
    client.write(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    client.expect_close(1009);

    let mut client = server.open();
    let part = vec![0; 33 << 20];
    client.write(&[frame(false, 2, &part), frame(true, 0, &part)].concat());
    client.expect_close(1009);
}

#[test]
fn faults_are_told_with_1002_even_while_more_is_on_its_way() {
    let faults: [(&str, &[u8]); 9] = [
        ("a reserved bit", &[0xc1, 0x80]),
        ("no mask", &[0x81, 0x01, b'a']),
        ("an unknown opcode of data", &[0x83, 0x80]),
        ("an unknown control opcode", &[0x8b, 0x80]),
        ("a fragmented ping", &[0x09, 0x80]),
        ("a ping of 126 bytes", &[0x89, 0xfe, 0, 126]),
        ("a close of 126 bytes", &[0x88, 0xfe, 0, 126]),
        ("nothing to continue", &[0x80, 0x80, 0, 0, 0, 0]),
        ("a text within a text", &[0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0]),
    ];
    let server = Server::start();
    for (name, bytes) in faults {
        eprintln!("{name}");
        let mut client = server.open();
        client.write(&[bytes, &vec![0; 4 << 20]].concat());
        client.expect_close(1002);
    }
    assert!(server.statistics().starts_with("{\"connections\":0,\"accepted\":9,"));
}

#[test]
fn a_client_that_does_not_read_is_read_no_further() {
    let server = Server::start();
    let mut client = server.open();
    let (message, most) = (pattern(65_000), 2_000);
    let bytes = frame(true, 2, &message);

    // A write that takes this long waits for a server that has stopped reading.
    client
        .stream
        .get_ref()
        .set_write_timeout(Some(Duration::from_secs(1)))
        .expect("an open socket");
    let (mut whole, mut part) = (0, 0);
    while whole < most {
        match client.stream.get_mut().write(&bytes[part..]) {
            Ok(written) if part + written == bytes.len() => (whole, part) = (whole + 1, 0),
            Ok(written) => part += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(whole < most, "all of it was taken: nothing held it back");

    // Nothing of it is lost.
    for number in 0..whole {
        assert!(client.frame() == (2, message.clone()), "message {number}");
    }
    client.stream.get_ref().set_write_timeout(None).expect("an open socket");
    client.write(&bytes[part..]);
    assert!(client.frame() == (2, message));
}
