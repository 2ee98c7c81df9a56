//! What the public functions of the codec write, and what the other side reads of it.

use gateway_core::CloseCode;
use gateway_wire::Message;
use gateway_wire::codec::{Breach, Codec, Incoming, Input, Role};

fn of(role: Role) -> Codec {
    Codec::new(role, 1_000)
}

#[test]
fn a_frame_of_each_kind_is_read_as_it_was_written_and_none_is_written_after_a_close() {
    type Write = fn(&mut Codec, &mut Vec<u8>);
    let kinds: [(Write, Incoming); 7] = [
        (|codec, out| codec.encode_text("text", out), Incoming::Message(Message::text("text"))),
        (|codec, out| codec.encode_binary(b"\0\xff", out), Incoming::Message(binary())),
        (|codec, out| codec.encode(&binary(), out), Incoming::Message(binary())),
        (
            |codec, out| codec.encode(&Message::text("text"), out),
            Incoming::Message(Message::text("text")),
        ),
        (|codec, out| codec.encode_ping(b"ping", out), Incoming::Ping(b"ping".as_slice().into())),
        (|codec, out| codec.encode_pong(b"pong", out), Incoming::Pong(b"pong".as_slice().into())),
        (
            |codec, out| codec.encode_close(CloseCode::GOING_AWAY, "bye", out),
            Incoming::Close(Some((CloseCode::GOING_AWAY, "bye".into()))),
        ),
    ];
    for (writer, reader) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        for (write, expected) in &kinds {
            let mut bytes = Vec::new();
            write(&mut of(writer), &mut bytes);
            let read = of(reader).decode(&mut Input::new(&bytes));
            assert_eq!(read.as_ref(), Ok(&Some(expected.clone())), "{writer:?}");

            let (mut codec, mut bytes) = (of(writer), Vec::new());
            codec.encode_close(CloseCode::NORMAL, "", &mut bytes);
            let closed = bytes.len();
            write(&mut codec, &mut bytes);
            assert_eq!(bytes.len(), closed, "{expected:?} after a Close");
        }
    }
}

/// The first wrong byte ends the connection (section 8.1), not the end of the message or the next
/// byte, wherever a read ends.
#[test]
fn a_text_is_refused_at_its_first_wrong_byte() {
    let euro = "\u{20ac}".as_bytes();
    let cuts = (0..euro.len()).map(|cut| &euro[..cut]);
    for begun in cuts {
        for wrong in [b"\xff".as_slice(), b"\xffA", b"\xffABCDEFGH", b"\xe2A", b"\xe2ABCDEFGH"] {
            let mut codec = of(Role::Client);
            // It is not complete: of 125 bytes, only these come.
            let first = [&[0x81, 125], begun].concat();

            assert_eq!(codec.decode(&mut Input::new(&first)), Ok(None), "{begun:?}");
            let read = codec.decode(&mut Input::new(wrong));

            assert_eq!(read, Err(Breach::Text), "{wrong:?} after {begun:?}");
        }
    }
}

fn binary() -> Message {
    Message::binary(b"\0\xff".as_slice())
}
