//! The codec's rules over memory: pieces of any size, answers, and how errors read.

use super::*;

/// A server's frame, unmasked; payloads of at most 125 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn decode_all(codec: &mut Codec, bytes: &[u8]) -> (Vec<Incoming>, Vec<u8>) {
    let (mut input, mut output, mut frames) = (bytes, Vec::new(), Vec::new());
    while let Some(frame) = codec.decode(&mut input, &mut output).unwrap() {
        frames.push(frame);
    }
    assert!(input.is_empty(), "what is not taken now is kept inside");
    (frames, output)
}

fn failure_of(bytes: &[u8]) -> Failure {
    let mut codec = Codec::new(100);
    let (mut input, mut output) = (bytes, Vec::new());
    loop {
        match codec.decode(&mut input, &mut output) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("nothing wrong"),
            Err((failure, _)) => return failure,
        }
    }
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
    codec.encode(Message::text("late"), &mut output);
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

#[test]
fn an_illegal_code_is_a_breach_and_a_true_accusation_is_not() {
    let bytes = [&1002_u16.to_be_bytes()[..], b"you broke it"].concat();
    let (frames, _) = decode_all(&mut Codec::new(100), &frame(0x88, &bytes));
    let [Incoming::Close(Some((code, reason)))] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!((*code, reason.as_str()), (CloseCode::PROTOCOL_ERROR, "you broke it"));
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
        'pieces: for mut piece in bytes.chunks(size) {
            loop {
                match codec.decode(&mut piece, &mut Vec::new()) {
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
