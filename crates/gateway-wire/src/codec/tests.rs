//! The codec's rules, over memory: pieces of any size, answers, and errors.

use super::*;

/// A server's frame: unmasked, with a payload of at most 125 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

/// The next frame, by the fast path if it accepts the frame, as a session does.
fn next_frame(
    codec: &mut Codec,
    input: &mut Input<'_>,
    output: &mut Vec<u8>,
) -> Result<Option<Incoming>, (Failure, String)> {
    match codec.take_message(input) {
        Some(message) => Ok(Some(Incoming::Message(message))),
        None => codec.decode(input, output),
    }
}

fn decode_all(codec: &mut Codec, bytes: &[u8]) -> (Vec<Incoming>, Vec<u8>) {
    let (mut input, mut output, mut frames) = (Input::new(bytes), Vec::new(), Vec::new());
    while let Some(frame) = next_frame(codec, &mut input, &mut output).unwrap() {
        frames.push(frame);
    }
    assert!(input.rest().is_empty(), "what is not taken now is kept inside");
    (frames, output)
}

fn failure_of(bytes: &[u8]) -> Failure {
    breach_of(bytes, bytes.len()).0
}

/// The first error in `bytes`, decoded in pieces of `size`.
fn breach_of(bytes: &[u8], size: usize) -> (Failure, String) {
    let mut codec = Codec::new(100);
    for piece in bytes.chunks(size) {
        let (mut input, mut output) = (Input::new(piece), Vec::new());
        loop {
            match next_frame(&mut codec, &mut input, &mut output) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(breach) => return breach,
            }
        }
    }
    panic!("nothing wrong");
}

#[test]
fn a_message_in_pieces_of_any_size_is_one_message() {
    let bytes = [frame(0x01, b"hel"), frame(0x00, b"lo "), frame(0x80, b"you")].concat();
    for size in 1..=bytes.len() {
        let mut codec = Codec::new(100);
        let mut frames = Vec::new();
        for piece in bytes.chunks(size) {
            frames.extend(decode_all(&mut codec, piece).0);
        }
        let [Incoming::Message(message)] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(message.as_text(), Some("hello you"), "in pieces of {size}");
    }
}

#[test]
fn a_control_frame_between_fragments_is_handled_first() {
    let bytes = [frame(0x01, b"a"), frame(0x89, b"x"), frame(0x80, b"b")].concat();
    let (frames, output) = decode_all(&mut Codec::new(100), &bytes);
    assert!(matches!(&frames[..], [Incoming::Ping(_), Incoming::Message(_)]), "{frames:?}");
    assert_eq!(output[0], 0x8a);
}

#[test]
fn more_than_the_codecs_buffer_in_one_read_is_taken_whole() {
    let bytes = frame(0x82, &[7; 100]).repeat(1_000);
    let (frames, _) = decode_all(&mut Codec::new(100), &bytes);
    assert_eq!(frames.len(), 1_000);
}

#[test]
fn each_ping_has_its_pong_and_a_pong_has_none() {
    let bytes = [frame(0x89, b"1"), frame(0x8a, b"2"), frame(0x89, b"3")].concat();
    let (_, output) = decode_all(&mut Codec::new(100), &bytes);
    let pongs = output.chunks(7).map(|pong| (pong[0], pong[6] ^ pong[2]));
    assert!(pongs.eq([(0x8a, b'1'), (0x8a, b'3')]));
}

#[test]
fn our_close_is_written_once_and_no_pong_after_it() {
    let mut codec = Codec::new(100);
    let mut output = Vec::new();
    codec.encode_close(CloseCode::NORMAL, "bye", &mut output);
    let length = output.len();

    codec.encode_close(CloseCode::PROTOCOL_ERROR, "", &mut output);
    codec.encode(&Message::text("late"), &mut output);
    let (_, answer) = decode_all(&mut codec, &frame(0x89, b"x"));

    assert_eq!((output[0], output.len()), (0x88, length));
    assert!(answer.is_empty());
}

#[test]
fn errors_read_as_the_core_names_them() {
    for (bytes, expected) in [
        (frame(0x81, &[0xff]), Failure::InvalidUtf8),
        (frame(0x88, &[3]), Failure::Protocol),
        (frame(0x88, &1005_u16.to_be_bytes()), Failure::Protocol),
        (frame(0xc1, b""), Failure::Protocol),
        (frame(0x82, &[0; 101]), Failure::TooBig),
        ([frame(0x02, &[0; 60]), frame(0x80, &[0; 60])].concat(), Failure::TooBig),
    ] {
        assert_eq!(failure_of(&bytes), expected, "{bytes:02x?}");
    }
    assert_eq!(
        failure(&Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)),
        Failure::Eof
    );
    assert_eq!(failure(&Error::Io(io::ErrorKind::BrokenPipe.into())), Failure::Io);
}

/// "Protocol violation" is the text that the codec itself uses when it replaces an illegal code.
#[test]
fn a_close_is_judged_by_its_code_whatever_its_reason_says() {
    for reason in ["Protocol violation", "you broke it", ""] {
        for number in [1000, 1002, 1007, 1009, 1014, 3000, 4999_u16] {
            let payload = [&number.to_be_bytes()[..], reason.as_bytes()].concat();
            let (frames, output) = decode_all(&mut Codec::new(100), &frame(0x88, &payload));
            let [Incoming::Close(Some((code, told)))] = &frames[..] else { panic!("{frames:?}") };
            assert_eq!((code.number(), told.as_str()), (number, reason));
            assert_eq!(output[6] ^ output[2], payload[0], "{number} is echoed");
            assert_eq!(output[7] ^ output[3], payload[1], "{number} is echoed");
        }
        for number in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000_u16] {
            let payload = [&number.to_be_bytes()[..], reason.as_bytes()].concat();
            assert_eq!(failure_of(&frame(0x88, &payload)), Failure::Protocol, "{number} {reason}");
        }
    }
}

#[test]
fn a_message_that_is_too_long_is_told_with_its_size_and_the_limit() {
    let fragments = |last: u8| [frame(0x02, &[0; 60]), frame(0x89, b"x"), frame(last, &[0; 60])];
    let limit = "is longer than max_message_size, 100 bytes";
    for (bytes, expected) in [
        (frame(0x82, &[0; 101]), "a message of 101 bytes"),
        (b"\x81\x7e\xff\xff".to_vec(), "a message of 65535 bytes"),
        (b"\x82\x7f\x40\0\0\0\0\0\0\0".to_vec(), "a message of 4611686018427387904 bytes"),
        (fragments(0x80).concat(), "a message of 120 bytes"),
        (fragments(0x00).concat(), "a message of 120 bytes so far, without its last fragment,"),
        (
            [&frame(0x02, &[0; 60])[..], b"\x00\x7e\xff\xff"].concat(),
            "a message of 65595 bytes so far, without its last fragment,",
        ),
    ] {
        for size in [1, bytes.len()] {
            let (failure, detail) = breach_of(&bytes, size);
            assert_eq!(failure, Failure::TooBig, "{detail}");
            assert_eq!(detail, format!("{expected} {limit}"), "in pieces of {size}");
        }
    }
}

#[test]
fn a_control_frame_that_is_too_long_is_a_breach_and_no_long_message() {
    let long = b"\x89\x7e\x01\x00";
    assert_eq!(breach_of(long, long.len()).0, Failure::Protocol);
}

#[test]
fn bad_gateway_is_a_close_code_like_any_other_and_is_echoed() {
    let (frames, output) = decode_all(&mut Codec::new(100), &frame(0x88, b"\x03\xf6gone"));
    let [Incoming::Close(Some((code, reason)))] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((code.number(), reason.as_str()), (1014, "gone"));
    let (head, payload) = output.split_at(6);
    let unmasked: Vec<_> =
        payload.iter().zip(head[2..].iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    assert_eq!((&head[..2], &unmasked[..]), (&[0x88, 0x86][..], &b"\x03\xf6gone"[..]));
}

#[test]
fn a_length_in_more_bytes_than_it_needs_is_a_breach_behind_what_came_before() {
    let bytes = [&frame(0x81, b"before")[..], b"\x81\x7f\0\0\0\0\0\0\0\x02hi"].concat();
    for size in [1, 5, bytes.len()] {
        let mut codec = Codec::new(100);
        let (mut messages, mut failure) = (0, None);
        'pieces: for piece in bytes.chunks(size) {
            let mut piece = Input::new(piece);
            loop {
                match next_frame(&mut codec, &mut piece, &mut Vec::new()) {
                    Ok(Some(_)) => messages += 1,
                    Ok(None) => break,
                    Err((class, _)) => {
                        failure = Some(class);
                        break 'pieces;
                    }
                }
            }
        }
        assert_eq!((messages, failure), (1, Some(Failure::Protocol)), "in pieces of {size}");
    }
}

/// What a codec returns for these pieces: the frames, and the first error.
fn told(pieces: std::slice::Chunks<'_, u8>, decode: Decode) -> (Vec<String>, Option<Failure>) {
    let (mut codec, mut frames) = (Codec::new(LONGEST), Vec::new());
    for piece in pieces {
        let mut input = Input::new(piece);
        loop {
            match decode(&mut codec, &mut input, &mut Vec::new()) {
                Ok(Some(frame)) => frames.push(format!("{frame:?}")),
                Ok(None) => break,
                Err((failure, _)) => return (frames, Some(failure)),
            }
        }
    }
    (frames, None)
}

const LONGEST: usize = 3_000;

type Decode =
    fn(&mut Codec, &mut Input<'_>, &mut Vec<u8>) -> Result<Option<Incoming>, (Failure, String)>;

#[test]
fn the_short_way_tells_what_the_long_way_does_however_the_bytes_are_cut() {
    let whole = [frame(0x81, b"text"), frame(0x82, b""), frame(0x81, b""), frame(0x82, b"\xff")];
    let others = [
        frame(0x89, b"ping"),
        frame(0x8a, b"pong"),
        [frame(0x01, b"frag"), frame(0x89, b"ping"), frame(0x80, b"ment")].concat(),
        [frame(0x02, b"frag"), frame(0x81, b"no fragment")].concat(), // a protocol violation
        frame(0x81, b"\xff"),                                         // invalid UTF-8
        frame(0xc1, b"reserved bit"),
        frame(0x83, b"reserved opcode"),
        b"\x82\x81\x82\x00\x82\x00\x82\x00\x82\x00\x82\x00".to_vec(), // masked
        b"\x82\x7e\x00\x04long".to_vec(), // a length in more bytes than it needs
        b"\x82\x7e\x0b\xb9".to_vec(),     // a length above the limit
        frame(0x88, b"\x03\xe8bye"),
    ];
    for other in &others {
        let bytes = [&whole.concat()[..], other, &whole.concat(), other].concat();
        let by_the_short_way = told(bytes.chunks(bytes.len()), Codec::decode);
        assert!(by_the_short_way.0.len() >= whole.len(), "{other:?}");
        for size in 1..=bytes.len() {
            let by_the_long_way = told(bytes.chunks(size), Codec::decode_any);
            assert_eq!(by_the_long_way, by_the_short_way, "{other:?} in pieces of {size}");
            let in_pieces = told(bytes.chunks(size), Codec::decode);
            assert_eq!(in_pieces, by_the_short_way, "{other:?} in pieces of {size}");
        }
    }
}

#[test]
fn a_message_longer_than_the_buffer_leaves_a_codec_that_goes_on_as_before() {
    let long = [&b"\x82\x7e\x0b\xb8"[..], &[7; 3_000]].concat();
    let in_two = [&b"\x01\x7e\x05\xdc"[..], &[b'x'; 1_500], b"\x80\x7e\x05\xdc", &[b'x'; 1_500]];
    let rest = [frame(0x89, b"ping"), frame(0x81, b"text"), frame(0x88, b"\x03\xe8bye")].concat();
    for long in [long, in_two.concat()] {
        let bytes =
            [&frame(0x81, b"text")[..], &long, &frame(0x02, b"a"), &frame(0x80, b"b"), &rest];
        let bytes = bytes.concat();
        let all_at_once = told(bytes.chunks(bytes.len()), Codec::decode_any);
        assert_eq!((all_at_once.0.len(), all_at_once.1), (6, None));
        for size in [1, 2, 3, 1_000, 1_024, 1_025, 2_999, bytes.len()] {
            let in_pieces = told(bytes.chunks(size), Codec::decode);
            assert_eq!(in_pieces, all_at_once, "in pieces of {size}");
        }
    }
}

#[test]
fn a_long_message_keeps_no_room_once_it_is_gone() {
    let mut codec = Codec::new(1 << 20);
    let head = [&b"\x82\x7f"[..], &(1_u64 << 20).to_be_bytes()].concat();
    let bytes = [head, vec![7; 1 << 20]].concat();

    let spent = allocation_counter::measure(|| {
        for piece in bytes.chunks(32 << 10) {
            drop(decode_all(&mut codec, piece));
        }
        drop(decode_all(&mut codec, &frame(0x81, b"text")));
    });

    assert!(spent.bytes_max > 1 << 20 && spent.bytes_current < 4 << 10, "{spent:?}");
}

#[test]
fn each_frame_is_masked_with_a_key_of_its_own() {
    let mut codec = Codec::new(100);
    let mut output = Vec::new();
    for _ in 0..32 {
        codec.encode(&Message::text(""), &mut output);
    }
    let keys: std::collections::HashSet<&[u8]> =
        output.chunks(6).map(|frame| &frame[2..]).collect();
    assert!(keys.len() > 30, "{keys:?}");
}

#[test]
fn messages_of_one_read_are_copied_once_and_share_the_copy() {
    let bytes = frame(0x82, &[7; 100]).repeat(3);
    let (mut codec, mut input) = (Codec::new(100), Input::new(&bytes));
    let mut next = || match next_frame(&mut codec, &mut input, &mut Vec::new()) {
        Ok(Some(Incoming::Message(Message::Binary(payload)))) => payload.as_ptr().addr(),
        other => panic!("{other:?}"),
    };
    let first = next();
    assert_eq!([next(), next()], [first + 102, first + 204]);
}

#[test]
fn a_message_that_is_kept_keeps_few_others() {
    let bytes = frame(0x82, &[7; 100]).repeat(1_000);
    let mut codec = Codec::new(100);
    let mut kept = Vec::new();

    let spent = allocation_counter::measure(|| {
        kept.push(decode_all(&mut codec, &bytes).0.swap_remove(500))
    });

    assert!(spent.bytes_current < 10 << 10, "{spent:?}");
}
