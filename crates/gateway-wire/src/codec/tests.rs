//! The codec's rules, over memory, at every cut of the bytes, for both roles.

use gateway_core::Failure;
use proptest::prelude::*;

use super::*;

const LONGEST: usize = 3_000;

/// A frame without mask, of at most 125 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes()[..], reason].concat())
}

/// Decodes pieces of this size. Returns the messages and control frames, and the breach if there is one.
fn read(codec: &mut Codec, bytes: &[u8], size: usize) -> (Vec<Incoming>, Option<Breach>) {
    let mut frames = Vec::new();
    for piece in bytes.chunks(size) {
        let mut input = Input::new(piece);
        loop {
            match codec.decode(&mut input) {
                Ok(Some(frame)) => {
                    frames.push(frame);
                    assert!(frames.len() < bytes.len(), "a frame has two bytes at least");
                }
                Ok(None) => break,
                Err(breach) => {
                    assert_eq!(
                        codec.decode(&mut Input::new(piece)),
                        Err(breach),
                        "nothing follows"
                    );
                    return (frames, Some(breach));
                }
            }
        }
        assert!(input.rest().is_empty(), "what is not decoded yet is kept inside");
    }
    (frames, None)
}

fn client() -> Codec {
    Codec::new(Role::Client, LONGEST)
}

fn server() -> Codec {
    Codec::new(Role::Server, LONGEST)
}

/// What a client reads, at whatever cut.
fn read_by_client(bytes: &[u8]) -> (Vec<Incoming>, Option<Breach>) {
    let whole = read(&mut client(), bytes, bytes.len().max(1));
    for size in 1..bytes.len().min(400) {
        assert_eq!(read(&mut client(), bytes, size), whole, "{bytes:02x?} in pieces of {size}");
    }
    whole
}

fn text(text: &str) -> Incoming {
    Incoming::Message(Message::text(text))
}

#[test]
fn messages_come_whole_and_control_frames_between_their_fragments() {
    let bytes = [
        frame(0x81, "héllo".as_bytes()),
        frame(0x82, b""),
        frame(0x01, b"h\xc3"), // a character in two fragments
        frame(0x89, b"ping"),
        frame(0x00, b""),
        frame(0x8a, b"pong"),
        frame(0x80, b"\xa9!"),
        frame(0x02, b"\xff"),
        frame(0x80, b"\xfe"),
        [&b"\x82\x7e\x00\x7e"[..], &[7; 126]].concat(),
        close(1000, b"bye"),
        frame(0x81, b"ignored"),
    ];
    let binary = |bytes: &[u8]| Incoming::Message(Message::binary(bytes.to_vec()));
    let expected = vec![
        text("héllo"),
        binary(b""),
        Incoming::Ping(b"ping"[..].into()),
        Incoming::Pong(b"pong"[..].into()),
        text("hé!"),
        binary(b"\xff\xfe"),
        binary(&[7; 126]),
        Incoming::Close(Some((CloseCode::NORMAL, "bye".into()))),
    ];
    assert_eq!(read_by_client(&bytes.concat()), (expected, None));
}

/// Texts of one read are collected. What ends a run, and what begins the next, changes nothing.
#[test]
fn texts_that_come_together_are_the_same_as_texts_that_come_alone() {
    let long = "l".repeat(2_900);
    let long_frame = [&b"\x81\x7e\x0b\x54"[..], long.as_bytes()].concat();
    let many: Vec<String> = (0..150).map(|number| format!("{number} é")).collect();
    let short: Vec<u8> = many.iter().flat_map(|text| frame(0x81, text.as_bytes())).collect();
    let binary = Incoming::Message(Message::binary(b"b".to_vec()));
    let bytes = [
        short,                // more than a run holds
        long_frame.repeat(4), // longer together than a run
        frame(0x82, b"b"),    // between two runs
        frame(0x81, b""),
        frame(0x81, b"x"),
        frame(0x89, b""), // its head is the end of the read
    ];
    let mut expected: Vec<Incoming> = many.iter().map(|one| text(one)).collect();
    expected.extend((0..4).map(|_| text(&long)));
    expected.extend([binary, text(""), text("x"), Incoming::Ping(Bytes::new())]);
    assert_eq!(read_by_client(&bytes.concat()), (expected, None));
}

/// A text longer than a run shares its copy with none, not even with an empty one.
#[test]
fn a_read_takes_a_few_messages_like_the_last_one() {
    let mut server = Codec::new(Role::Server, 1 << 20);
    let mut client = Codec::new(Role::Client, 1 << 20);
    let mut size_after = |length: usize| {
        let mut bytes = Vec::new();
        server.encode(&Message::binary(vec![7; length]), &mut bytes);
        read(&mut client, &bytes, bytes.len());
        client.read_size()
    };
    assert_eq!(size_after(100), 36 << 10);
    assert_eq!(size_after(10_000), 40_000);
    assert_eq!(size_after(64 << 10), 72 << 10);
    assert_eq!(size_after(1 << 20), 72 << 10);
    assert_eq!(size_after(0), 36 << 10);
}

#[test]
fn a_text_longer_than_a_run_is_whole_whatever_follows() {
    for length in [8_191, 8_192, 8_193, 70_000] {
        let long = "l".repeat(length);
        let mut bytes = Vec::new();
        for text in [&*long, "", "x"] {
            Codec::new(Role::Server, 0).encode_text(text, &mut bytes);
        }
        let mut codec = Codec::new(Role::Client, length);
        let expected = vec![text(&long), text(""), text("x")];
        assert!(read(&mut codec, &bytes, bytes.len()) == (expected, None), "{length} bytes");
    }
}

/// The same frames from a client: masked, with keys of their own.
#[test]
fn a_server_reads_masked_fragments_and_control_frames_at_any_cut() {
    let masked = |first: u8, payload: &[u8], key: [u8; 4]| {
        let length = 0x80 | u8::try_from(payload.len()).unwrap();
        let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        [first, length].into_iter().chain(key).chain(payload).collect::<Vec<u8>>()
    };
    let bytes = [
        masked(0x01, b"h\xc3", [1, 2, 3, 4]),
        masked(0x89, b"ping!", [0xff, 0, 0xf0, 9]),
        masked(0x80, b"\xa9 and more", [7, 0, 0, 0x80]),
        masked(0x88, b"\x03\xe8", [5, 6, 7, 8]),
    ]
    .concat();
    let expected = vec![
        Incoming::Ping(b"ping!"[..].into()),
        text("hé and more"),
        Incoming::Close(Some((CloseCode::NORMAL, "".into()))),
    ];
    for size in 1..=bytes.len() {
        assert_eq!(read(&mut server(), &bytes, size), (expected.clone(), None), "by {size}");
    }
}

/// Section 5, sentence by sentence: what comes before the breach is delivered.
#[test]
fn each_breach_has_its_name_and_code_at_every_cut() {
    use Failure::{InvalidUtf8, Protocol, TooBig};
    let long = |size, is_whole| Breach::TooLong { size, is_whole, limit: LONGEST };
    let cases: &[(&[&[u8]], Breach, Failure)] = &[
        (&[b"\x81\x82keysab"], Breach::Masked, Protocol),
        (&[b"\xc1\x00"], Breach::ReservedBit, Protocol),
        (&[b"\xa1\x00"], Breach::ReservedBit, Protocol),
        (&[b"\x99\x00"], Breach::ReservedBit, Protocol),
        (&[b"\x83\x00"], Breach::ReservedOpcode(3), Protocol),
        (&[b"\x8f\x00"], Breach::ReservedOpcode(15), Protocol),
        (&[b"\x81\x7e\x00\x7d"], Breach::Length, Protocol),
        (&[b"\x81\x7f\0\0\0\0\0\0\xff\xff"], Breach::Length, Protocol),
        (&[b"\x81\x7f\x80\0\0\0\0\0\0\0"], Breach::Length, Protocol),
        (&[b"\x01\x01a", b"\x81\x01b"], Breach::Interrupted, Protocol),
        (&[b"\x80\x01a"], Breach::NothingToContinue, Protocol),
        (&[b"\x81\x01a", b"\x00\x00"], Breach::NothingToContinue, Protocol),
        (&[b"\x09\x00"], Breach::FragmentedControl, Protocol),
        (&[b"\x89\x7e\x00\x7e"], Breach::LongControl, Protocol),
        (&[b"\x88\x01\x03"], Breach::CloseOfOneByte, Protocol),
        (&[b"\x88\x02\x03\xed"], Breach::CloseCode(1005), Protocol),
        (&[b"\x88\x03\x03\xe8\xff"], Breach::CloseReason, InvalidUtf8),
        (&[b"\x81\x01\xff"], Breach::Text, InvalidUtf8),
        (&[b"\x81\x02a\xc3"], Breach::Text, InvalidUtf8),
        (&[b"\x01\x01\xc3", b"\x80\x01a"], Breach::Text, InvalidUtf8),
        (&[b"\x01\x01\xc3", b"\x80\x00"], Breach::Text, InvalidUtf8),
        (&[b"\x82\x7e\x0b\xb9"], long(3_001, true), TooBig),
        (&[b"\x02\x7e\x0b\xb9"], long(3_001, false), TooBig),
        (&[b"\x01\x02ab", b"\x89\x00", b"\x00\x7e\x0b\xb7"], long(3_001, false), TooBig),
        (&[b"\x82\x7f\x40\0\0\0\0\0\0\0"], long(1 << 62, true), TooBig),
    ];
    for (frames, breach, failure) in cases {
        let bytes = [&frame(0x81, b"before")[..], &frames.concat()].concat();
        let (seen, broken) = read_by_client(&bytes);
        assert_eq!(broken, Some(*breach), "{frames:02x?}");
        assert_eq!(breach.failure(), *failure);
        assert_eq!(seen[0], text("before"));
    }
    let unmasked = read(&mut server(), b"\x81\x00", 1);
    assert_eq!(unmasked, (vec![], Some(Breach::Unmasked)));
}

#[test]
fn a_message_that_is_too_long_is_told_with_its_size_and_the_limit() {
    let so_far = Breach::TooLong { size: 120, is_whole: false, limit: 100 };
    assert_eq!(
        so_far.to_string(),
        "a message of 120 bytes so far, without its last fragment, is longer than \
         max_message_size, 100 bytes"
    );
    let whole = Breach::TooLong { size: 101, is_whole: true, limit: 100 };
    assert_eq!(
        whole.to_string(),
        "a message of 101 bytes is longer than max_message_size, 100 bytes"
    );
}

#[test]
fn a_message_as_long_as_the_limit_is_read() {
    let payload = [7; LONGEST];
    let whole = [&b"\x82\x7e\x0b\xb8"[..], &payload].concat();
    let fragments = [&b"\x02\x7e\x0b\xb7"[..], &payload[1..], b"\x80\x01\x07"].concat();
    for bytes in [whole, fragments] {
        let expected = vec![Incoming::Message(Message::binary(payload.to_vec()))];
        assert_eq!(read_by_client(&bytes), (expected, None));
    }
}

/// Autobahn's cases 6.4: the breach comes with the byte that makes it one.
#[test]
fn a_text_that_is_not_utf8_is_refused_at_its_first_wrong_byte() {
    let good = "κόσμε".as_bytes();
    for bad in [&b"\xf4\x90"[..], b"\xff", b"\xc0", b"\xed\xa0", b"\xe0\x80", b"\xf8"] {
        let payload = [good, bad, b"and more that never comes"].concat();
        let wrong_at = good.len() + bad.len();
        for is_final in [true, false] {
            let first = if is_final { 0x81 } else { 0x01 };
            let bytes = frame(first, &payload);
            let (mut codec, whole) = (client(), 2 + wrong_at);
            assert_eq!(read(&mut codec, &bytes[..whole - 1], 1), (vec![], None), "{bad:02x?}");
            assert_eq!(
                read(&mut codec, &bytes[whole - 1..], 1).1,
                Some(Breach::Text),
                "{bad:02x?}"
            );
        }
    }
}

#[test]
fn a_close_is_judged_by_its_code_whatever_its_reason_says() {
    for reason in ["Protocol violation", "you broke it", ""] {
        for number in [1000, 1002, 1007, 1009, 1014, 3000, 4999_u16] {
            let code = CloseCode::new(number).unwrap();
            let expected = Incoming::Close(Some((code, reason.into())));
            assert_eq!(read_by_client(&close(number, reason.as_bytes())), (vec![expected], None));
        }
        for number in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000_u16] {
            let (_, breach) = read_by_client(&close(number, reason.as_bytes()));
            assert_eq!(breach, Some(Breach::CloseCode(number)));
        }
    }
}

#[test]
fn a_ping_and_a_close_are_answered_and_nothing_follows_a_close() {
    let (mut codec, mut peer, mut output) = (client(), server(), Vec::new());
    codec.answer(&Incoming::Ping(b"1"[..].into()), &mut output);
    codec.answer(&Incoming::Pong(b"2"[..].into()), &mut output);
    let bad_gateway = Incoming::Close(Some((CloseCode::new(1014).unwrap(), "gone".into())));
    codec.answer(&bad_gateway, &mut output);
    assert!(!codec.can_write());
    codec.answer(&Incoming::Ping(b"3"[..].into()), &mut output);
    codec.encode_close(CloseCode::NORMAL, "", &mut output);
    codec.encode(&Message::text("late"), &mut output);
    codec.encode_ping(b"late", &mut output);
    codec.encode_pong(b"late", &mut output);

    let (seen, breach) = read(&mut peer, &output, output.len());
    assert_eq!((seen, breach), (vec![Incoming::Pong(b"1"[..].into()), bad_gateway], None));
}

#[test]
fn too_much_for_a_control_frame_is_cut() {
    let (mut codec, mut output) = (client(), Vec::new());
    codec.encode_ping(&[b'p'; 200], &mut output);
    codec.encode_pong(&[b'q'; 200], &mut output);
    codec.encode_close(CloseCode::NORMAL, &"é".repeat(100), &mut output);
    let (seen, breach) = read(&mut server(), &output, 7);
    let reason = "é".repeat(61).into();
    let expected = [
        Incoming::Ping(vec![b'p'; 125].into()),
        Incoming::Pong(vec![b'q'; 125].into()),
        Incoming::Close(Some((CloseCode::NORMAL, reason))),
    ];
    assert_eq!((&seen[..], breach), (&expected[..], None));
}

#[test]
fn each_frame_of_a_client_is_masked_with_a_key_of_its_own() {
    let (mut codec, mut output) = (client(), Vec::new());
    for _ in 0..32 {
        codec.encode(&Message::text(""), &mut output);
    }
    let keys: std::collections::HashSet<&[u8]> =
        output.chunks(6).map(|frame| &frame[2..]).collect();
    assert!(keys.len() > 30, "{keys:?}");
}

/// Mostly of a frame that may come.
fn first_byte() -> impl Strategy<Value = u8> {
    let legal = vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a];
    prop_oneof![20 => prop::sample::select(legal), 1 => any::<u8>()]
}

/// Mostly UTF-8, with a character of four bytes for the cuts.
fn letters() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => Just("x\u{1f600}é".as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..8),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let length = prop_oneof![0..130_usize, Just(65_535), Just(65_536)];
    prop_oneof![
        "\\PC{0,60}".prop_map(Message::text),
        (length, any::<u8>()).prop_map(|(length, byte)| Message::binary(vec![byte; length])),
    ]
}

proptest! {
    #[test]
    fn what_one_role_writes_the_other_reads_at_any_cut(
        messages in prop::collection::vec(message(), 1..6),
        size in 1..3_000_usize,
    ) {
        for (writer, reader) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
            let mut output = Vec::new();
            let mut writer = Codec::new(writer, 0);
            messages.iter().for_each(|message| writer.encode(message, &mut output));
            let (seen, breach) = read(&mut Codec::new(reader, 1 << 20), &output, size);
            let expected: Vec<_> = messages.iter().cloned().map(Incoming::Message).collect();
            prop_assert_eq!((seen, breach), (expected, None));
        }
    }

    #[test]
    fn any_bytes_are_read_alike_at_any_cut(
        frames in prop::collection::vec((first_byte(), 0..40_u8, letters()), 1..8),
        tail in prop::collection::vec(any::<u8>(), 0..12),
        size in 1..20_usize,
    ) {
        let mut bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(first, length, text)| {
                let payload = text.iter().copied().cycle().take(usize::from(*length));
                [*first, *length].into_iter().chain(payload).collect::<Vec<u8>>()
            })
            .collect();
        bytes.extend(tail);
        let whole = read(&mut client(), &bytes, bytes.len());
        prop_assert_eq!(read(&mut client(), &bytes, size), whole);
    }
}

#[test]
fn memory_is_taken_as_bytes_arrive_and_given_back() {
    let length = 1_u64 << 20;
    let head = [&b"\x82\x7f"[..], &length.to_be_bytes()].concat();
    let mut codec = Codec::new(Role::Client, 1 << 30);
    let (begin, rest) = ([&head[..], &[7; 10]].concat(), vec![7; (1 << 20) - 10]);

    let announced = allocation_counter::measure(|| {
        assert_eq!(read(&mut codec, &begin, 7), (vec![], None));
    });
    let come = allocation_counter::measure(|| {
        assert_eq!(read(&mut codec, &rest, 32 << 10).0.len(), 1);
    });
    let later = allocation_counter::measure(|| {
        drop(read(&mut codec, &frame(0x81, b"text"), 100));
    });

    assert!(announced.bytes_max <= 65 << 10, "{announced:?}");
    assert!((900 << 10..=2 << 20).contains(&come.bytes_max), "{come:?}");
    assert!(announced.bytes_current + come.bytes_current + later.bytes_current < 4 << 10);
}

#[test]
fn many_small_fragments_are_not_copied_one_by_one() {
    let fragments: Vec<u8> = frame(0x00, b"x").repeat(100_000);
    let mut codec = Codec::new(Role::Client, 1 << 20);
    drop(read(&mut codec, &frame(0x02, b""), 10));

    let spent = allocation_counter::measure(|| {
        assert_eq!(read(&mut codec, &fragments, 4_096), (vec![], None));
    });

    assert!(spent.count_total < 25, "{spent:?}");
}

#[test]
fn a_text_takes_no_more_than_its_length_whatever_character_a_read_cuts() {
    let letters = "é".repeat(1 << 19);
    let head = [&b"\x81\x7f"[..], &(1_u64 << 20).to_be_bytes()].concat();
    let bytes = [&head[..], letters.as_bytes()].concat();
    for first in [11, 12, 13] {
        let mut codec = Codec::new(Role::Client, 1 << 20);
        let mut kept = None;
        let spent = allocation_counter::measure(|| {
            drop(read(&mut codec, &bytes[..first], first));
            kept = read(&mut codec, &bytes[first..], 4_097).0.pop();
        });
        assert_eq!(kept, Some(text(&letters)));
        assert!(spent.bytes_current < (1 << 20) + 1_024, "cut after {first}: {spent:?}");
    }
}

#[test]
fn a_million_empty_fragments_take_no_memory() {
    let mut codec = client();
    drop(read(&mut codec, &frame(0x01, b"begun"), 100));
    let fragments = frame(0x00, b"").repeat(1_000);

    let spent = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            assert_eq!(read(&mut codec, &fragments, fragments.len()), (vec![], None));
        }
    });

    assert_eq!(spent.bytes_max, 0, "{spent:?}");
    assert_eq!(read(&mut codec, &frame(0x80, b"!"), 3).0, [text("begun!")]);
}

#[test]
fn messages_of_one_read_share_a_copy_and_a_kept_one_keeps_few_others() {
    for first in [0x81, 0x82] {
        let bytes = frame(first, &[b'x'; 100]).repeat(1_000);
        let mut kept = Vec::new();

        let spent = allocation_counter::measure(|| {
            kept.push(read(&mut client(), &bytes, bytes.len()).0.swap_remove(500));
        });

        assert!(spent.bytes_current < 10 << 10, "{spent:?}");
        assert!(spent.count_total < 40, "{spent:?}");
    }
}

#[test]
fn a_few_short_texts_of_one_read_take_little_more_than_their_length() {
    let bytes = frame(0x81, b"short").repeat(3);
    let mut client = client();
    let spent = allocation_counter::measure(|| {
        let mut input = Input::new(&bytes);
        for _ in 0..3 {
            assert_eq!(client.decode(&mut input), Ok(Some(text("short"))));
        }
    });
    // What is read, the copy that they share, and its reference count. And the three expected texts.
    assert!(spent.count_total <= 6 && spent.bytes_total < 100, "{spent:?}");
}

#[test]
fn a_thousand_texts_of_one_read_are_told_in_order() {
    let bytes: Vec<_> = (0..1_000).flat_map(|n| frame(0x81, format!("{n}").as_bytes())).collect();
    let (seen, breach) = read(&mut client(), &bytes, bytes.len());
    assert_eq!(breach, None);
    assert!(seen.iter().eq(&(0..1_000).map(|n| text(&n.to_string())).collect::<Vec<_>>()));
}

#[test]
fn a_character_does_not_reach_from_one_text_into_the_next() {
    for (before, halves) in [("", [&b"\xc3"[..], b"\xa9"]), ("good", [b"a\xe2\x82", b"\xac"])] {
        let [first, second] = halves.map(|half| frame(0x81, half));
        let bytes = [frame(0x81, before.as_bytes()), first, second].concat();
        assert_eq!(read_by_client(&bytes), (vec![text(before)], Some(Breach::Text)));
    }
}

#[test]
fn a_server_reads_a_long_masked_text_of_one_read() {
    let long = "x".repeat(50_000);
    let mut bytes = Vec::new();
    Codec::new(Role::Client, 1 << 20).encode_text(&long, &mut bytes);
    let seen = read(&mut Codec::new(Role::Server, 1 << 20), &bytes, bytes.len());
    assert_eq!(seen, (vec![text(&long)], None));
}

#[test]
fn messages_of_one_read_are_neighbours_in_its_copy() {
    // The copy of binary messages contains their heads, and that of texts does not.
    for (first, apart) in [(0x82, 5), (0x81, 3)] {
        let bytes = [frame(first, b"one"), frame(first, b"two")].concat();
        let (seen, _) = read(&mut client(), &bytes, bytes.len());
        let [Incoming::Message(one), Incoming::Message(two)] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(two.as_bytes().as_ptr() as usize - one.as_bytes().as_ptr() as usize, apart);
    }
}

#[test]
fn a_text_that_comes_alone_is_copied_once() {
    let mut server = Codec::new(Role::Server, 1 << 20);
    let mut bytes = Vec::new();
    server.encode_text(&"x".repeat(5_000), &mut bytes);
    let mut client = Codec::new(Role::Client, 1 << 20);
    let spent = allocation_counter::measure(|| drop(client.decode(&mut Input::new(&bytes))));
    assert!(spent.bytes_total < 6_000, "{spent:?}");
}

#[test]
fn a_message_that_is_longer_than_a_shared_copy_has_one_of_its_own() {
    for length in [8_191, 8_192, 8_193, 20_000_u16] {
        let payload = vec![7; usize::from(length)];
        let long = [&b"\x82\x7e"[..], &length.to_be_bytes(), &payload].concat();
        let bytes = [frame(0x82, b"before"), long, frame(0x82, b"after")].concat();
        let (seen, breach) = read(&mut Codec::new(Role::Client, 1 << 20), &bytes, bytes.len());
        let expected = [b"before".to_vec(), payload, b"after".to_vec()]
            .map(|payload| Incoming::Message(Message::binary(payload)));
        assert_eq!((&seen[..], breach), (&expected[..], None));
    }
}

/// Of a text, and of bytes: the memory is reserved as the message grows, and never more than is
/// announced.
#[test]
fn a_message_that_comes_in_pieces_takes_its_length() {
    for first in [0x81, 0x82] {
        let length = 1_100_000_u64;
        let head = [&[first, 127][..], &length.to_be_bytes()].concat();
        let payload = vec![b'a'; 1_100_000];
        let mut codec = Codec::new(Role::Client, 1 << 30);
        let mut message = Vec::new();

        let spent = allocation_counter::measure(|| {
            drop(read(&mut codec, &head, head.len()));
            message = read(&mut codec, &payload, 1_000).0;
        });

        assert_eq!(message.len(), 1);
        assert!(spent.bytes_current < 1_101_000, "{first:x}: {spent:?}");
        assert!(spent.count_total < 12, "{first:x}: {spent:?}");
    }
}

#[test]
fn a_frame_is_written_in_the_memory_that_it_takes() {
    let message = Message::binary(vec![7; 65_536]);
    let mut output = Vec::new();
    let spent = allocation_counter::measure(|| server().encode(&message, &mut output));
    assert_eq!((spent.bytes_total, spent.count_total), (65_536 + 14, 1));
}

/// Repeats each byte as often as the byte before it says.
#[derive(Debug, Default)]
struct Repeats {
    times: Option<u8>,
    /// How many bytes it appends at most, if that is not the codec's room.
    ignores_room: bool,
    stalls: bool,
}

impl Extension for Repeats {
    fn decode(
        &mut self,
        part: &[u8],
        is_last: bool,
        room: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Breach> {
        if self.stalls {
            return Ok(0);
        }
        for (used, &byte) in part.iter().enumerate() {
            match self.times.take() {
                None => self.times = Some(byte),
                Some(times) => {
                    let free = room - output.len().min(room);
                    let count = if self.ignores_room {
                        times
                    } else {
                        times.min(u8::try_from(free).unwrap_or(u8::MAX))
                    };
                    output.extend(std::iter::repeat_n(byte, usize::from(count)));
                    if count < times {
                        self.times = Some(times - count);
                        return Ok(used);
                    }
                }
            }
        }
        if is_last && self.times.is_some() {
            return Err(Breach::Extension("an odd number of bytes"));
        }
        Ok(part.len())
    }
}

fn extended(extension: Repeats) -> Codec {
    Codec::new(Role::Client, 20_000).with_extension(Box::new(extension))
}

/// The shape that permessage-deflate needs: a message is one stream over its frames, a call does a
/// bounded amount of work, and unused bytes stay in the input.
#[test]
fn an_extension_transforms_messages_with_rsv1_at_any_cut() {
    let bytes = [
        frame(0x41, b"\x02a\x28b\x03"), // RSV1, and a pair in two frames
        frame(0x89, b"ping"),
        frame(0x80, b"c"),
        frame(0x81, b"\x02a"), // without RSV1: as it is
    ]
    .concat();
    let expanded = format!("aa{}ccc", "b".repeat(40));
    let expected = vec![Incoming::Ping(b"ping"[..].into()), text(&expanded), text("\x02a")];
    for size in 1..=bytes.len() {
        let seen = read(&mut extended(Repeats::default()), &bytes, size);
        assert_eq!(seen, (expected.clone(), None), "in pieces of {size}");
    }
    let control = frame(0xc9, b"ping");
    let refused = read(&mut extended(Repeats::default()), &control, 9);
    assert_eq!(refused, (vec![], Some(Breach::ReservedBit)));
    let odd = read(&mut extended(Repeats::default()), &frame(0xc1, b"\x02ab"), 9).1;
    assert_eq!(odd, Some(Breach::Extension("an odd number of bytes")));
}

#[test]
fn an_extension_works_in_bounded_steps_and_stays_within_the_limit() {
    let payload = [&b"\xc2\x7e\x00\xa0"[..], &b"\xffx".repeat(80)].concat(); // 20,400 bytes
    let mut codec = extended(Repeats::default());
    let mut input = Input::new(&payload);
    assert_eq!(codec.decode(&mut input), Ok(None));
    assert!(!input.rest().is_empty(), "a call stops after its share of the work");
    let breach = codec.decode(&mut input).unwrap_err();
    assert!(matches!(breach, Breach::TooLong { size: 20_001, .. }), "{breach:?}");

    for wrong in [
        Repeats { stalls: true, ..Repeats::default() },
        Repeats { ignores_room: true, ..Repeats::default() },
    ] {
        let breach = extended(wrong).decode(&mut Input::new(&payload)).unwrap_err();
        assert!(matches!(breach, Breach::Extension(_)), "{breach:?}");
    }
}

/// Appends a stop at the end of a message.
#[derive(Debug)]
struct Stops;

impl Extension for Stops {
    fn decode(
        &mut self,
        part: &[u8],
        is_last: bool,
        _: usize,
        output: &mut Vec<u8>,
    ) -> Result<usize, Breach> {
        output.extend(part);
        output.extend(is_last.then_some(b'.'));
        Ok(part.len())
    }
}

#[test]
fn an_extension_learns_once_where_a_message_ends() {
    let bytes = [
        frame(0x41, b"ab"),
        frame(0x00, b"c"),
        frame(0x80, b"d"),
        frame(0xc1, b"ef"),
        frame(0x41, b"g"),
        frame(0x80, b""),
    ]
    .concat();
    for size in 1..=bytes.len() {
        let mut codec = client().with_extension(Box::new(Stops));
        let expected = vec![text("abcd."), text("ef."), text("g.")];
        assert_eq!(read(&mut codec, &bytes, size), (expected, None), "in pieces of {size}");
    }
}

/// A character that is begun counts, too.
#[test]
fn what_an_extension_makes_of_a_text_is_held_to_the_limit() {
    let bytes = [frame(0x41, b"\x05a\x01\xc3"), frame(0x80, b"\x01\xa9")].concat();
    let read_up_to = |limit| {
        let codec = Codec::new(Role::Client, limit).with_extension(Box::new(Repeats::default()));
        read(&mut { codec }, &bytes, bytes.len())
    };
    assert_eq!(read_up_to(7), (vec![text("aaaaaé")], None));
    let breach = Breach::TooLong { size: 7, is_whole: false, limit: 6 };
    assert_eq!(read_up_to(6), (vec![], Some(breach)));
}
